//! What a sender has in common with a receiver.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use nix::{errno::Errno, fcntl::OFlag};

use crate::{
    Counters, Deadline, Depth, End, Endpoint, Fingerprint, Handoff, Limits, OpenError, presence,
    shm::reading,
    sys::fd,
    transport::family::{
        ends::NAP,
        member::agree,
        socket::{
            calls,
            note::Note,
            sender::{SocketSender, State, put::nap},
        },
    },
};

impl Endpoint for SocketSender {
    fn limits(&self) -> Limits {
        self.limits
    }

    /// Unknown once the receiver has gone with something unread.
    fn depth(&self) -> io::Result<Depth> {
        if calls::was_reset(&self.socket) {
            self.reset.set(true);
        }
        if self.reset.get() {
            return Ok(Depth::default());
        }
        fd::unsent(self.socket.as_fd()).map(Depth::of_bytes)
    }

    fn is_disconnected(&self) -> bool {
        match self.state {
            State::Early => false,
            State::Joined => self.is_hung_up(),
            State::Lost | State::Refused(_) => true,
        }
    }

    fn counters(&self) -> Option<Counters> {
        Some(reading::of_end(End::Sender, self.meter.tally()))
    }

    fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool> {
        if self.state == State::Joined && self.place.is_named() && self.is_hung_up() {
            self.failed(Errno::EPIPE);
        }
        loop {
            match self.state {
                State::Joined => return Ok(true),
                State::Refused(kind) => return Err(self.place.error(kind).into()),
                State::Early | State::Lost => {}
            }
            if self.join().map_err(io::Error::from)? {
                return Ok(true);
            }
            if deadline.has_passed() {
                return Ok(false);
            }
            nap(deadline, NAP);
        }
    }

    fn agree(&mut self, fingerprint: Fingerprint) -> Result<(), OpenError> {
        if let Some(card) = &self.card {
            return agree(card.as_fd(), fingerprint, &self.place.address());
        }
        self.check_type(fingerprint)?;
        let before = std::mem::replace(&mut self.declared, fingerprint);
        self.owes_type = self.state == State::Joined;
        if self.owes_type && self.put_note(Note::Type(fingerprint)).is_ok() {
            self.owes_type = false;
        }
        // Told first, then looked: of two who come at once at least one sees the other.
        let agreed = self.check_type(fingerprint);
        if agreed.is_err() {
            self.declared = before;
            self.owes_type = self.state == State::Joined;
        }
        agreed
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn handoff(&self) -> io::Result<Handoff> {
        let mut fds = vec![self.socket.try_clone()?];
        if let Some(card) = &self.card {
            fds.push(presence::reopen(card, OFlag::O_RDWR)?);
        }
        self.shared.set(true);
        Ok(Handoff {
            address: self.place.address(),
            end: End::Sender,
            fds,
        })
    }
}
