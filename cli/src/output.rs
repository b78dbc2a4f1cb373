//! Standard output, gathered into large writes that a signal can end.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    os::fd::AsFd,
    time::Duration,
};

use nix::poll::PollFlags;

use crate::{
    exit::Failure,
    stop::{Stop, look},
};

/// How much is gathered.
const CHUNK: usize = 64 << 10;
/// What a pipe that polls as writable takes without blocking: PIPE_BUF.
const PIECE: usize = 4096;

/// Standard output. Remembers its first failure, and takes nothing after it.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    file: File,
    stop: &'a Stop,
    /// What is written behind each message.
    end: &'static [u8],
    buffer: Vec<u8>,
    /// How much one write may be.
    piece: usize,
    failure: Option<Failure>,
}

impl<'a> Output<'a> {
    /// Standard output, with `end` behind each message.
    pub(crate) fn new(end: &'static [u8], stop: &'a Stop) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let piece = if file.metadata()?.is_file() {
            usize::MAX
        } else {
            PIECE
        };
        Ok(Self {
            file,
            stop,
            end,
            buffer: Vec::with_capacity(CHUNK),
            piece,
            failure: None,
        })
    }

    /// Takes a message, and writes when there is much.
    pub(crate) fn push(&mut self, message: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        self.buffer.extend_from_slice(message);
        self.buffer.extend_from_slice(self.end);
        if self.buffer.len() >= CHUNK {
            self.failure = self.write().err();
        }
    }

    /// Whether all has been written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.buffer.is_empty()
    }

    /// What went wrong since last asked.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Writes what is left.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.check()?;
        self.write()
    }

    /// Whether nobody reads it any more.
    pub(crate) fn is_closed(&self) -> bool {
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
        look(&self.file, PollFlags::empty(), Duration::ZERO).is_ok_and(|has| has.intersects(gone))
    }

    fn write(&mut self) -> Result<(), Failure> {
        let mut written = 0;
        let result = loop {
            let rest = self.buffer.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            // After a signal, what goes without waiting.
            let ready = self
                .stop
                .wait(&self.file, PollFlags::POLLOUT, Failure::Output);
            if let Err(failure) = ready {
                break Err(failure);
            }
            let piece = rest.get(..self.piece).unwrap_or(rest);
            match self.file.write(piece) {
                Ok(0) => break Err(Failure::Output(ErrorKind::WriteZero.into())),
                Ok(more) => written += more,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => break Err(Failure::Output(error)),
            }
        };
        self.buffer.clear();
        result
    }
}
