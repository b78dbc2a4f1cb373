//! How a frame gets into a kernel pipe: all of it or nothing.

use std::{
    io::{self, ErrorKind, IoSlice},
    os::fd::AsFd,
    time::Duration,
};

use nix::poll::PollFlags;

use crate::{
    Deadline, SendError,
    shm::meter::{Meter, Wait},
    sys::fd::{self, Block, Sigpipe},
    transport::family::{
        ends::{Ends, NAP},
        pipe_options::PIPE_BUF,
    },
};

/// The sending side of a pipe, and who waits there.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    pub(crate) ends: Ends,
    pub(crate) meter: Meter,
    /// Bytes that the pipe holds.
    capacity: usize,
    sigpipe: Sigpipe,
}

impl StreamWriter {
    /// Writes by `ends`, and counts its waits by `meter`.
    pub(crate) fn new(ends: Ends, meter: Meter, capacity: usize) -> Self {
        Self {
            ends,
            meter,
            capacity,
            sigpipe: Sigpipe::now(),
        }
    }

    /// Writes `total` bytes, all or nothing.
    #[inline]
    pub(crate) fn write(
        &mut self,
        parts: &[IoSlice<'_>],
        total: usize,
        deadline: Deadline,
    ) -> Result<(), SendError> {
        if deadline == Deadline::NEVER && self.ends.keeper.is_none() {
            return match self.ends.write(parts, Block::Yes, self.sigpipe) {
                Ok(written) if written == total => Ok(()),
                first => self.write_on(parts, total, deadline, Some(first)),
            };
        }
        self.try_write(parts, total, deadline)
    }

    /// The same for who would not sleep for long, or not yet.
    #[inline(never)]
    fn try_write(
        &mut self,
        parts: &[IoSlice<'_>],
        total: usize,
        deadline: Deadline,
    ) -> Result<(), SendError> {
        if self.ends.keeper.is_some() || total > PIPE_BUF {
            return self.write_on(parts, total, deadline, None);
        }
        match self.ends.write(parts, Block::No, self.sigpipe) {
            Ok(written) if written == total => Ok(()),
            first => self.write_on(parts, total, deadline, Some(first)),
        }
    }

    /// The same, after a first try if that needed no look before.
    #[inline(never)]
    fn write_on(
        &mut self,
        parts: &[IoSlice<'_>],
        total: usize,
        deadline: Deadline,
        first: Option<io::Result<usize>>,
    ) -> Result<(), SendError> {
        let mut wait = Wait::default();
        let written = self.write_until(parts, total, deadline, first, &mut wait);
        wait.end(self.meter.waits());
        written
    }

    fn write_until(
        &mut self,
        parts: &[IoSlice<'_>],
        total: usize,
        deadline: Deadline,
        first: Option<io::Result<usize>>,
        wait: &mut Wait,
    ) -> Result<(), SendError> {
        let mut nap = Duration::from_micros(50);
        let mut tried = first;
        loop {
            if tried.is_none() {
                self.meet().map_err(SendError::Io)?;
                let block = if deadline == Deadline::NEVER && self.ends.keeper.is_none() {
                    Block::Yes
                } else {
                    Block::No
                };
                if block == Block::Yes || self.fits(total).map_err(SendError::Io)? {
                    tried = Some(self.ends.write(parts, block, self.sigpipe));
                }
            }
            if let Some(result) = tried.take() {
                match result {
                    Ok(written) if written == total => return Ok(()),
                    Ok(written) => return self.finish(parts, written),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                        return Err(SendError::Disconnected);
                    }
                    Err(error) => return Err(SendError::Io(error)),
                }
            }
            if self.ends.keeper.is_none() && self.is_hung_up() {
                return Err(SendError::Disconnected);
            }
            if deadline.has_passed() {
                return Err(SendError::Full);
            }
            if wait.begin(self.meter.waits()) {
                // It is full, or nearly.
                let unread = fd::unread(self.ends.fd.as_fd()).unwrap_or(0);
                self.meter.tally().saw(unread as u64);
            }
            let until = match deadline.remaining() {
                // Nothing wakes us when a receiver comes to a FIFO, or when there is room for a large frame.
                _ if self.ends.keeper.is_some() => Deadline::after(NAP),
                _ if total > PIPE_BUF => Deadline::after(nap),
                None => Deadline::NEVER,
                Some(left) => Deadline::after(left),
            };
            let ready = self
                .ends
                .wait(PollFlags::POLLOUT, until)
                .map_err(SendError::Io)?;
            if total > PIPE_BUF && ready.contains(PollFlags::POLLOUT) {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "poll cannot tell when a large frame fits"
                )]
                std::thread::sleep(deadline.remaining().map_or(nap, |left| left.min(nap)));
                nap = (nap * 2).min(NAP);
            }
        }
    }

    /// A frame that has begun is finished, or the receiver is gone.
    #[cold]
    fn finish(&self, parts: &[IoSlice<'_>], written: usize) -> Result<(), SendError> {
        let mut written = written;
        for part in parts {
            let skip = written.min(part.len());
            written -= skip;
            let mut rest = part.get(skip..).unwrap_or_default();
            while !rest.is_empty() {
                let part = [IoSlice::new(rest)];
                match self.ends.write(&part, Block::Yes, self.sigpipe) {
                    Ok(more) => rest = rest.get(more..).unwrap_or_default(),
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                        return Err(SendError::Disconnected);
                    }
                    Err(error) => return Err(SendError::Io(error)),
                }
            }
        }
        Ok(())
    }

    /// Whether a write of `total` bytes would go wholly. Up to PIPE_BUF the kernel sees to that itself.
    fn fits(&self, total: usize) -> io::Result<bool> {
        const PAGE: usize = 4096;

        if total <= PIPE_BUF {
            return Ok(true);
        }
        let unread = fd::unread(self.ends.fd.as_fd())?;
        // What is unread lies in pages. Two neighbours hold more than one page between them, for else they would
        // have been merged; the first may be read in part.
        let used = if unread == 0 {
            0
        } else {
            2 * unread.div_ceil(PAGE) + 2
        };
        let free = (self.capacity / PAGE).saturating_sub(used);
        Ok(total.div_ceil(PAGE) <= free)
    }

    /// Lets go of the reading end of a FIFO once a receiver has come.
    #[inline]
    pub(crate) fn meet(&mut self) -> io::Result<()> {
        if let Some(keeper) = &self.ends.keeper
            && keeper.is_over()?
        {
            self.ends.keeper = None;
        }
        Ok(())
    }

    pub(crate) fn is_hung_up(&self) -> bool {
        let now = self.ends.wait(PollFlags::POLLOUT, Deadline::NOW);
        now.is_ok_and(|flags| flags.contains(PollFlags::POLLERR))
    }
}
