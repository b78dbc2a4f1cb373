//! The sending end of a kernel pipe, named or not; [`frame`] tells how messages lie in it.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use crate::{
    Address, Counters, Deadline, Depth, End, Endpoint, Fingerprint, Handoff, Limits, OpenError,
    SendError, Sender,
    crash::{self, Point},
    presence,
    shm::{
        board::{self, Described},
        reading,
    },
    sys::fd,
    trace,
    transport::family::{
        ends::{Ends, NAP},
        frame::{self, Pledged},
        keeper::Keeper,
        member::agree,
        pipe_options::{self, HEADER, PIPE_BUF, PipeMode},
        scratch::{Scratch, reserve_in_scratch},
        stream_writer::StreamWriter,
    },
};

/// The sending end of a pipe or a FIFO.
#[derive(Debug)]
pub struct StreamSender {
    writer: StreamWriter,
    address: Address,
    mode: PipeMode,
    limits: Limits,
    max_message: usize,
    scratch: Scratch,
    batch: Vec<u8>,
    pledged: Pledged,
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
            writer: StreamWriter::new(ends, meter, limits.capacity),
            address,
            mode,
            limits,
            max_message: limits.max_message,
            scratch: Scratch::new(),
            batch: Vec::with_capacity(PIPE_BUF),
            pledged,
        })
    }

    /// Writes the frames in `batch`, and counts them, which are so many messages of so many bytes.
    #[inline(always)]
    fn write_batch(
        &mut self,
        messages: usize,
        bytes: usize,
        deadline: Deadline,
    ) -> Result<(), SendError> {
        let parts = [IoSlice::new(&self.batch)];
        let written = self.writer.write(&parts, self.batch.len(), deadline);
        crash::reach(Point::StreamWritten);
        written?;
        self.writer.meter.tally().add(messages, bytes);
        Ok(())
    }

    /// Writes a message that one atomic write cannot hold, and counts it.
    fn write_long(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let (before, behind, trailing) = frame::around_long(message);
        let parts = [
            IoSlice::new(&before),
            IoSlice::new(message),
            IoSlice::new(behind.get(..trailing).unwrap_or_default()),
        ];
        self.writer
            .write(&parts, HEADER + message.len() + trailing, deadline)?;
        self.pledged.settle();
        self.writer.meter.tally().add(1, message.len());
        Ok(())
    }
}

impl Endpoint for StreamSender {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn depth(&self) -> io::Result<Depth> {
        fd::unread(self.writer.ends.fd.as_fd()).map(Depth::of_bytes)
    }

    fn counters(&self) -> Option<Counters> {
        Some(reading::of_end(End::Sender, self.writer.meter.tally()))
    }

    fn is_disconnected(&self) -> bool {
        match &self.writer.ends.keeper {
            None => self.writer.is_hung_up(),
            Some(keeper) => {
                let gone =
                    presence::has(&self.writer.ends.fd, End::Receiver).is_ok_and(|there| !there);
                gone && keeper.was_visited()
            }
        }
    }

    fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool> {
        // Also who came and went again was there.
        let visited = self
            .writer
            .ends
            .keeper
            .as_ref()
            .is_some_and(Keeper::was_visited);
        let there = visited || self.writer.ends.wait_for(End::Receiver, deadline)?;
        self.writer.meet()?;
        Ok(there)
    }

    fn agree(&mut self, fingerprint: Fingerprint) -> Result<(), OpenError> {
        agree(self.writer.ends.fd.as_fd(), fingerprint, &self.address)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.writer.ends.fd.as_fd())
    }

    fn recheck(&self) -> Option<Duration> {
        // Nothing tells of a receiver that comes to a FIFO and goes.
        self.writer.ends.keeper.as_ref().map(|_| NAP)
    }

    fn handoff(&self) -> io::Result<Handoff> {
        self.writer.ends.handoff(&self.address, End::Sender)
    }
}

impl Sender for StreamSender {
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        if message.len() > self.max_message {
            return Err(SendError::TooLarge {
                max: self.max_message,
            });
        }
        if HEADER + message.len() > PIPE_BUF {
            return self.write_long(message, deadline);
        }
        // One copy here costs less than a second part there.
        self.batch.clear();
        match self.mode {
            PipeMode::Stream => {
                let mut pledged = self.pledged;
                pledged.put(&mut self.batch, message);
                self.write_batch(1, message.len(), deadline)?;
                self.pledged = pledged;
            }
            PipeMode::Packet => {
                frame::put_packet(&mut self.batch, message);
                self.write_batch(1, self.batch.len() - HEADER, deadline)?;
            }
        }
        Ok(())
    }

    /// Small messages share writes, as many as the atomic size holds.
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let mut sent = 0;
        while let Some((first, _)) = messages.get(sent..).and_then(<[_]>::split_first) {
            let mut pledged = self.pledged;
            let (mut gathered, mut bytes) = (0, 0);
            if self.mode == PipeMode::Stream {
                let rest = messages.get(sent..).unwrap_or_default();
                self.batch.clear();
                (gathered, bytes) = pledged.gather(&mut self.batch, rest, self.max_message);
            }
            let result = if gathered > 0 {
                let written = self.write_batch(gathered, bytes, deadline);
                written.map(|()| self.pledged = pledged)
            } else {
                self.send_by(first, deadline)
            };
            match result {
                Ok(()) => sent += gathered.max(1),
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }
}
