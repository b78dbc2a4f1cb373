//! Bytes into the socket: all or nothing.

use std::{io, io::IoSlice, os::fd::AsFd, time::Duration};

use nix::{errno::Errno, poll::PollFlags};

use crate::{
    Deadline, SendError,
    crash::{self, Point},
    shm::meter::Wait,
    sys::fd::{self, Block},
    transport::family::{
        ends::NAP,
        frame::{self, Pledged},
        pipe_options::HEADER,
        socket::{
            calls,
            form::{Form, fits, part},
            note,
            sender::SocketSender,
        },
    },
};

/// How long a sender sleeps at most before it looks for room: the kernel wakes it only when three quarters are free.
pub(super) const LOOK: Duration = Duration::from_millis(20);

impl SocketSender {
    /// Sends what lies in `parts`, `total` bytes, all or nothing.
    #[inline]
    fn put(
        &mut self,
        parts: &[IoSlice<'_>],
        total: usize,
        deadline: Deadline,
    ) -> Result<(), SendError> {
        let is_whole = self.place.form == Form::Packet || total <= part(self.limits.capacity);
        if let ([piece], true) = (parts, is_whole) {
            match calls::put(self.socket.as_fd(), piece, Block::No) {
                Ok(sent) if sent == total => return Ok(()),
                // Told once; what else there is to tell is told again.
                Err(Errno::ECONNRESET) => self.reset.set(true),
                _ => {}
            }
        }
        self.put_on(parts, total, is_whole, deadline)
    }

    /// The same, where it takes more than one piece, or more than one try.
    #[inline(never)]
    fn put_on(
        &mut self,
        parts: &[IoSlice<'_>],
        total: usize,
        is_whole: bool,
        deadline: Deadline,
    ) -> Result<(), SendError> {
        let mut wait = Wait::default();
        let put = self.put_until(parts, total, is_whole, deadline, &mut wait);
        wait.end(self.meter.waits());
        put
    }

    fn put_until(
        &mut self,
        parts: &[IoSlice<'_>],
        total: usize,
        is_whole: bool,
        deadline: Deadline,
        wait: &mut Wait,
    ) -> Result<(), SendError> {
        let mut pause = Duration::from_micros(50);
        loop {
            // What the kernel would cut is begun if all of it fits, or if it may take for ever.
            let block = if !is_whole && deadline == Deadline::NEVER {
                Block::Yes
            } else {
                Block::No
            };
            let goes = is_whole || block == Block::Yes || self.has_room(total)?;
            if goes {
                match calls::put_parts(self.socket.as_fd(), parts, block) {
                    Ok(sent) if sent == total => return Ok(()),
                    Ok(sent) => return self.finish(parts, sent),
                    Err(Errno::EAGAIN) => {}
                    Err(error) => return Err(self.failed(error)),
                }
            }
            if !deadline.has_passed() {
                wait.begin(self.meter.waits());
            }
            self.wait_for_room(deadline)?;
            if !goes {
                // Poll tells of some room, and cannot tell of so much.
                nap(deadline, pause);
                pause = (pause * 2).min(NAP);
            }
        }
    }

    fn has_room(&self, total: usize) -> Result<bool, SendError> {
        let used = fd::unsent(self.socket.as_fd()).map_err(SendError::Io)?;
        Ok(fits(total, self.limits.capacity, used))
    }

    /// Sleeps until there may be room; [`SendError::Full`] at the deadline.
    pub(super) fn wait_for_room(&mut self, deadline: Deadline) -> Result<(), SendError> {
        if deadline.has_passed() {
            let now = self.poll(Deadline::NOW).map_err(SendError::Io)?;
            return Err(if now.contains(PollFlags::POLLHUP) {
                self.failed(Errno::EPIPE)
            } else {
                SendError::Full
            });
        }
        let nap = deadline.remaining().map_or(LOOK, |left| left.min(LOOK));
        let ready = self.poll(Deadline::after(nap)).map_err(SendError::Io)?;
        if ready.contains(PollFlags::POLLHUP) {
            return Err(self.failed(Errno::EPIPE));
        }
        Ok(())
    }

    pub(super) fn poll(&self, deadline: Deadline) -> io::Result<PollFlags> {
        fd::wait(self.socket.as_fd(), PollFlags::POLLOUT, deadline)
    }

    /// A frame that has begun is finished, or the receiver is gone.
    #[cold]
    fn finish(&mut self, parts: &[IoSlice<'_>], sent: usize) -> Result<(), SendError> {
        let mut sent = sent;
        for part in parts {
            let skip = sent.min(part.len());
            sent -= skip;
            let mut rest = part.get(skip..).unwrap_or_default();
            while !rest.is_empty() {
                match calls::put(self.socket.as_fd(), rest, Block::Yes) {
                    Ok(more) => rest = rest.get(more..).unwrap_or_default(),
                    Err(error) => return Err(self.failed(error)),
                }
            }
        }
        Ok(())
    }

    pub(super) fn put_long(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        if self.place.form == Form::Packet {
            let parts = [IoSlice::new(&[note::MESSAGE]), IoSlice::new(message)];
            return self.put(&parts, 1 + message.len(), deadline);
        }
        let (before, behind, trailing) = frame::around_long(message);
        let behind = behind.get(..trailing).unwrap_or_default();
        let parts = [before.as_slice(), message, behind].map(IoSlice::new);
        self.put(&parts, HEADER + message.len() + trailing, deadline)?;
        self.pledged.settle();
        Ok(())
    }

    /// Sends what lies in `piece`.
    #[inline]
    pub(super) fn put_piece(
        &mut self,
        pledged: Pledged,
        deadline: Deadline,
    ) -> Result<(), SendError> {
        let piece = std::mem::take(&mut self.piece);
        let sent = self.put(&[IoSlice::new(&piece)], piece.len(), deadline);
        self.piece = piece;
        crash::reach(Point::SocketSent);
        if sent.is_ok() {
            self.pledged = pledged;
        }
        sent
    }
}

/// Sleeps where nothing wakes.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing wakes us when somebody listens, or when there is room for a long frame"
)]
pub(super) fn nap(deadline: Deadline, time: Duration) {
    std::thread::sleep(deadline.remaining().map_or(time, |left| left.min(time)));
}
