//! What a sender has in common with a receiver.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
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
            sender::{
                SocketSender, State,
                put::{LOOK, nap},
            },
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
        if self.state == State::Joined {
            self.check_type(&self.socket, fingerprint)?;
        }
        let before = std::mem::replace(&mut self.declared, fingerprint);
        let agreed = self.declare();
        if agreed.is_err() {
            self.declared = before;
            self.owes_type = self.state == State::Joined;
        }
        agreed
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn recheck(&self) -> Option<Duration> {
        match self.state {
            // Nothing tells that somebody listens.
            State::Early => Some(NAP),
            // Nor of room, before most of it is free.
            State::Joined => Some(LOOK),
            // A call does not wait.
            State::Lost | State::Refused(_) => None,
        }
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
