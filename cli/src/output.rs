//! What is received, written in large pieces that a signal can end.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSlice, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{fcntl::OFlag, poll::PollFlags};

use crate::{
    exit::Failure,
    framing::Framing,
    stop::{Stop, look},
};

/// How much is gathered.
const CHUNK: usize = 128 << 10;
/// Messages from here on are written from where they lie.
const LONG: usize = 16 << 10;
/// What a pipe that polls as writable takes without blocking: PIPE_BUF.
const PIECE: usize = 4096;

/// Standard output, or a file. Remembers its first failure, and takes nothing after it.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    file: File,
    /// `None` for standard output.
    path: Option<PathBuf>,
    stop: &'a Stop,
    framing: Framing,
    buffer: Vec<u8>,
    /// How much one write may be.
    piece: usize,
    /// Whether a write may have to wait, so that signals must be looked at before it.
    waits: bool,
    failure: Option<Failure>,
}

impl<'a> Output<'a> {
    /// This file, made anew, or standard output if there is none or it is `-`, with messages laid out like this.
    pub(crate) fn open(
        path: Option<&Path>,
        framing: Framing,
        stop: &'a Stop,
    ) -> Result<Self, Failure> {
        let path = path.filter(|path| *path != Path::new("-"));
        let failed = |error| failure(path, error);
        let file = match path {
            Some(path) => File::create(path).map_err(failed)?,
            None => {
                let file = io::stdout().as_fd().try_clone_to_owned();
                File::from(file.map_err(failed)?)
            }
        };
        let kind = file.metadata().map_err(failed)?.file_type();
        let own = kind.is_fifo().then(|| unblocked(file.as_fd())).flatten();
        let is_whole = kind.is_file() || own.is_some();
        Ok(Self {
            file: own.unwrap_or(file),
            path: path.map(Path::to_owned),
            stop,
            framing,
            buffer: Vec::with_capacity(CHUNK + LONG),
            piece: if is_whole { usize::MAX } else { PIECE },
            waits: !kind.is_file(),
            failure: None,
        })
    }

    /// Takes a message, and writes when there is much.
    pub(crate) fn push(&mut self, message: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        if self.framing == Framing::Len {
            match u32::try_from(message.len()) {
                Ok(len) => self.buffer.extend_from_slice(&len.to_le_bytes()),
                Err(_) => self.failure = Some(self.failed(ErrorKind::FileTooLarge.into())),
            }
        }
        let end: &[u8] = match self.framing {
            Framing::Lines => b"\n",
            Framing::Len | Framing::Raw => b"",
        };
        if message.len() >= LONG {
            self.failure = self.write(message, end).err();
            return;
        }
        self.buffer.extend_from_slice(message);
        self.buffer.extend_from_slice(end);
        if self.buffer.len() >= CHUNK {
            self.failure = self.write(b"", b"").err();
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
        self.write(b"", b"")
    }

    /// Whether nobody reads it any more.
    pub(crate) fn is_closed(&self) -> bool {
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
        self.waits
            && look(&self.file, PollFlags::empty(), Duration::ZERO)
                .is_ok_and(|has| has.intersects(gone))
    }

    /// Writes what was gathered, then these two.
    fn write(&mut self, message: &[u8], end: &[u8]) -> Result<(), Failure> {
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.write_all([&buffer, message, end]);
        self.buffer = buffer;
        self.buffer.clear();
        result
    }

    fn write_all(&self, parts: [&[u8]; 3]) -> Result<(), Failure> {
        let mut slices = parts.map(IoSlice::new);
        let mut rest = &mut slices[..];
        // Steps over the empty ones.
        IoSlice::advance_slices(&mut rest, 0);
        while let Some(first) = rest.first() {
            // After a signal, what goes without waiting.
            if self.waits {
                let failed = |error| self.failed(error);
                self.stop.wait(&self.file, PollFlags::POLLOUT, failed)?;
            }
            let written = match first.get(..self.piece) {
                Some(piece) => (&self.file).write(piece),
                None if self.piece < usize::MAX => (&self.file).write(first),
                None => (&self.file).write_vectored(rest),
            };
            match written {
                Ok(0) => return Err(self.failed(ErrorKind::WriteZero.into())),
                Ok(more) => IoSlice::advance_slices(&mut rest, more),
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> Failure {
        failure(self.path.as_deref(), error)
    }
}

fn failure(path: Option<&Path>, error: io::Error) -> Failure {
    match path {
        Some(path) => Failure::Sink {
            path: path.to_owned(),
            error,
        },
        None => Failure::Output(error),
    }
}

/// Another description of the same pipe, whose writes take what there is room for and never wait. The flag on the one that we have
/// would be that of everybody who shares it.
fn unblocked(pipe: BorrowedFd<'_>) -> Option<File> {
    File::options()
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(format!("/proc/self/fd/{}", pipe.as_raw_fd()))
        .ok()
}
