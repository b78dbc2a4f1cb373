//! The sending end of a kernel pipe, named or not; [`frame`] tells how messages lie in it.

use std::{
    io::{self, ErrorKind, IoSlice},
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use nix::poll::PollFlags;

use crate::{
    Address, Counters, Deadline, Depth, End, Endpoint, Fingerprint, Handoff, Limits, OpenError,
    SendError, Sender,
    crash::{self, Point},
    presence,
    shm::{
        board::{self, Described},
        meter::{Meter, Wait},
        reading,
    },
    sys::fd::{self, Block, Sigpipe},
    tally::Uncounted,
    trace,
    transport::family::{
        ends::{Ends, NAP},
        frame::{self, Pledged},
        keeper::Keeper,
        member::agree,
        pipe_options::{self, HEADER, PIPE_BUF, PipeMode},
        scratch::{Scratch, reserve_in_scratch},
    },
};

/// The sending end of a pipe or a FIFO.
#[derive(Debug)]
pub struct StreamSender {
    ends: Ends,
    meter: Meter,
    address: Address,
    mode: PipeMode,
    limits: Limits,
    max_message: usize,
    scratch: Scratch,
    batch: Vec<u8>,
    pledged: Pledged,
    sigpipe: Sigpipe,
}

impl StreamSender {
    pub(crate) fn new(
        ends: Ends,
        address: Address,
        mode: PipeMode,
        pledged: Pledged,
    ) -> Result<Self, OpenError> {
        let limits =
            pipe_options::limits(&ends.fd, mode).map_err(|e| OpenError::os(address.clone(), e))?;
        trace::opened(&address, End::Sender);
        let meter = board::meter(&Described {
            address: &address,
            end: End::Sender,
            object: board::object(&ends.fd),
            capacity: limits.capacity,
        });
        Ok(Self {
            ends,
            meter,
            address,
            mode,
            limits,
            max_message: limits.max_message,
            scratch: Scratch::new(),
            batch: Vec::with_capacity(PIPE_BUF),
            pledged,
            sigpipe: Sigpipe::now(),
        })
    }

    /// Writes `total` bytes, all or nothing.
    #[inline]
    fn write(
        &mut self,
        parts: &[IoSlice<'_>],
        total: usize,
        deadline: Deadline,
    ) -> Result<(), SendError> {
        let may_sleep = deadline == Deadline::NEVER && self.ends.keeper.is_none();
        let first = may_sleep.then(|| self.ends.write(parts, Block::Yes, self.sigpipe));
        match first {
            Some(Ok(written)) if written == total => Ok(()),
            first => self.write_on(parts, total, deadline, first),
        }
    }

    /// The same, after a first try if it could sleep.
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

    /// Writes the frames in `batch`, after which `pledged` is pledged.
    #[inline]
    fn write_batch(&mut self, pledged: Pledged, deadline: Deadline) -> Result<(), SendError> {
        let batch = std::mem::take(&mut self.batch);
        let written = self.write(&[IoSlice::new(&batch)], batch.len(), deadline);
        self.batch = batch;
        crash::reach(Point::StreamWritten);
        if written.is_ok() {
            self.pledged = pledged;
        }
        written
    }

    /// Writes a message, and does not count it.
    #[inline]
    fn put(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        if message.len() > self.max_message {
            return Err(SendError::TooLarge {
                max: self.max_message,
            });
        }
        if HEADER + message.len() > PIPE_BUF {
            return self.write_long(message, deadline);
        }
        // One copy here costs less than a second part there.
        let mut pledged = self.pledged;
        self.batch.clear();
        match self.mode {
            PipeMode::Stream => pledged.put(&mut self.batch, message),
            PipeMode::Packet => frame::put_packet(&mut self.batch, message),
        }
        self.write_batch(pledged, deadline)
    }

    /// Writes a message that one atomic write cannot hold.
    fn write_long(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let (before, behind, trailing) = frame::around_long(message);
        let parts = [
            IoSlice::new(&before),
            IoSlice::new(message),
            IoSlice::new(behind.get(..trailing).unwrap_or_default()),
        ];
        self.write(&parts, HEADER + message.len() + trailing, deadline)?;
        self.pledged.settle();
        Ok(())
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
        let free = (self.limits.capacity / PAGE).saturating_sub(used);
        Ok(total.div_ceil(PAGE) <= free)
    }

    /// Lets go of the reading end of a FIFO once a receiver has come.
    #[inline]
    fn meet(&mut self) -> io::Result<()> {
        if let Some(keeper) = &self.ends.keeper
            && keeper.is_over()?
        {
            self.ends.keeper = None;
        }
        Ok(())
    }

    fn is_hung_up(&self) -> bool {
        let now = self.ends.wait(PollFlags::POLLOUT, Deadline::NOW);
        now.is_ok_and(|flags| flags.contains(PollFlags::POLLERR))
    }
}

impl Endpoint for StreamSender {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn depth(&self) -> io::Result<Depth> {
        fd::unread(self.ends.fd.as_fd()).map(Depth::of_bytes)
    }

    fn counters(&self) -> Option<Counters> {
        Some(reading::of_end(End::Sender, self.meter.tally()))
    }

    fn is_disconnected(&self) -> bool {
        match &self.ends.keeper {
            None => self.is_hung_up(),
            Some(keeper) => {
                let gone = presence::has(&self.ends.fd, End::Receiver).is_ok_and(|there| !there);
                gone && keeper.was_visited()
            }
        }
    }

    fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool> {
        // Also who came and went again was there.
        let visited = self.ends.keeper.as_ref().is_some_and(Keeper::was_visited);
        let there = visited || self.ends.wait_for(End::Receiver, deadline)?;
        self.meet()?;
        Ok(there)
    }

    fn agree(&mut self, fingerprint: Fingerprint) -> Result<(), OpenError> {
        agree(self.ends.fd.as_fd(), fingerprint, &self.address)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.ends.fd.as_fd())
    }

    fn recheck(&self) -> Option<Duration> {
        // Nothing tells of a receiver that comes to a FIFO and goes.
        self.ends.keeper.as_ref().map(|_| NAP)
    }

    fn handoff(&self) -> io::Result<Handoff> {
        self.ends.handoff(&self.address, End::Sender)
    }
}

impl Sender for StreamSender {
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.put(message, deadline)?;
        self.meter.tally().add(1, message.len());
        Ok(())
    }

    /// Small messages share writes, as many as the atomic size holds.
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let (mut sent, mut uncounted) = (0, Uncounted::default());
        let ended = loop {
            let Some((first, _)) = messages.get(sent..).and_then(<[_]>::split_first) else {
                break Ok(sent);
            };
            let mut pledged = self.pledged;
            let (mut gathered, mut bytes) = (0, 0);
            if self.mode == PipeMode::Stream {
                let rest = messages.get(sent..).unwrap_or_default();
                self.batch.clear();
                (gathered, bytes) = pledged.gather(&mut self.batch, rest, self.max_message);
            }
            let result = if gathered > 0 {
                self.write_batch(pledged, deadline)
            } else {
                (gathered, bytes) = (1, first.len());
                self.put(first, deadline)
            };
            match result {
                Ok(()) => {
                    sent += gathered;
                    uncounted.add(bytes);
                }
                Err(error) if sent == 0 => break Err(error),
                Err(_) => break Ok(sent),
            }
        };
        self.meter.tally().add_batch(sent, &mut uncounted);
        ended
    }
}
