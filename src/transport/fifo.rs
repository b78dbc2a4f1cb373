//! `fifo:PATH` a named kernel pipe between unrelated processes.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::stat::Mode,
    unistd::{Uid, mkfifo},
};

use crate::{
    Address, AddressError, Capabilities, Channel, End, Handoff, Key, OpenError, OpenErrorKind,
    Transport,
    crash::{self, Point},
    presence::{self, Gate, Topic},
    trace,
    transport::family::{
        ends::Ends,
        fifo_name::{FifoName, OURS},
        frame::Pledged,
        keeper::{self, Keeper},
        path,
        pipe_options::{self, PipeMode},
        stream_receiver::StreamReceiver,
        stream_sender::StreamSender,
    },
};

/// A named kernel pipe.
///
/// Either side may start first; what is sent before a receiver comes waits in the kernel, up to the
/// capacity. A FIFO that was there before is used and left; one that we made goes with the last end.
///
/// # Crash behaviour
/// The kernel sees a death at once and wakes the other side. A path that a crash left is used again by the
/// next to open it. Bytes in the kernel are lost when the last end closes. A receiver that closes has taken nothing
/// that it did not deliver; one that is killed loses what it had taken, and half of a message longer than the one before if
/// it is killed between its two reads: then its successor is out of step, and most likely gets [`Corrupt`](crate::RecvError::Corrupt).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fifo {
    path: OsString,
    mode: PipeMode,
    capacity: Option<usize>,
}

impl Fifo {
    /// A FIFO at `path`.
    #[must_use]
    pub fn new(path: impl Into<OsString>) -> Self {
        Self {
            path: path.into(),
            mode: PipeMode::Stream,
            capacity: None,
        }
    }

    /// Keeps message boundaries in the kernel, or does not. Both sides must say the same.
    #[must_use]
    pub const fn mode(mut self, mode: PipeMode) -> Self {
        self.mode = mode;
        self
    }

    /// Holds this many bytes in the kernel, rounded up to a power of two of pages.
    #[must_use]
    pub const fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }

    fn error(&self, kind: OpenErrorKind) -> OpenError {
        OpenError::new(self.address(), kind)
    }

    fn os(&self, error: impl Into<io::Error>) -> OpenError {
        OpenError::os(self.address(), error.into())
    }

    fn open(&self, end: End) -> Result<Ends, OpenError> {
        if self.path.is_empty() {
            return Err(self.error(OpenErrorKind::NamedOnly));
        }
        path::check(&self.path).map_err(|why| self.error(OpenErrorKind::Refused(why)))?;
        let _opening = trace::opening(&self.address());
        loop {
            if let Some(ends) = self.open_once(end)? {
                return Ok(ends);
            }
        }
    }

    /// `None` if the path was removed in between.
    fn open_once(&self, end: End) -> Result<Option<Ends>, OpenError> {
        let path = Path::new(&self.path);
        // So that there is a descriptor to clean up with, whatever happens.
        let spare = File::open("/dev/null").map_err(|e| self.os(e))?;
        match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR | OURS) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(self.os(error)),
        }
        crash::reach(Point::FifoMade);
        let opened = self.open_made(path, end);
        if opened.is_err()
            && let Ok(meta) = std::fs::symlink_metadata(path)
            && meta.file_type().is_fifo()
        {
            drop(spare);
            // Removes it if we made it, now or earlier, and nobody has it open.
            drop(FifoName::new(path, &meta));
        }
        opened
    }

    /// Opens what is at the path.
    fn open_made(&self, path: &Path, end: End) -> Result<Option<Ends>, OpenError> {
        // Never blocks, and makes the FIFO readable, so that opening for writing does not block either.
        let Some(reader) = self.open_reader(path)? else {
            return Ok(None);
        };
        let meta = reader.metadata().map_err(|e| self.os(e))?;
        if !meta.file_type().is_fifo() {
            return Err(self.error(OpenErrorKind::Refused("the path is not a FIFO")));
        }
        if meta.uid() != Uid::effective().as_raw() {
            return Err(self.error(OpenErrorKind::Refused("the path belongs to another user")));
        }
        let name = FifoName::new(path, &meta);
        let gate = reader.try_clone().and_then(Gate::enter);
        let _gate = gate.map_err(|e| OpenError::gate(self.address(), e))?;
        crash::reach(Point::FifoGate);
        if !name.is_there() {
            return Ok(None);
        }
        let one_only = self.mode == PipeMode::Stream;
        if one_only && presence::has(&reader, end).map_err(|e| self.os(e))? {
            return Err(self.error(OpenErrorKind::Busy));
        }
        // The same object, whatever the path names by now.
        let reopen = |access| presence::reopen(&reader, access).map_err(|e| self.os(e));
        let (fd, trying, keeper) = match end {
            End::Receiver => (reopen(OFlag::O_RDONLY)?, reader.into(), None),
            End::Sender => {
                let (fd, trying) = (reopen(OFlag::O_WRONLY)?, reopen(OFlag::O_WRONLY)?);
                let keeper = Keeper::new(reader.into()).map_err(|e| self.os(e))?;
                (fd, trying, Some(keeper))
            }
        };
        // `fd` blocks, `trying` does not; a sender's packets are made by the flag on both. When a FIFO was read last
        // interests nobody, and noting it takes a fifth of the time of reading.
        let flags = match (self.mode, end) {
            (PipeMode::Packet, End::Sender) => OFlag::O_DIRECT,
            (_, End::Receiver) => OFlag::O_NOATIME,
            _ => OFlag::empty(),
        };
        fcntl(&fd, FcntlArg::F_SETFL(flags)).map_err(|e| self.os(e))?;
        fcntl(&trying, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map_err(|e| self.os(e))?;
        self.declare_mode(&fd)?;
        if let Some(bytes) = self.capacity {
            self.resize(&fd, bytes)?;
        }
        presence::join(&fd, end).map_err(|e| self.os(e))?;
        crash::reach(Point::FifoJoined);
        if end == End::Receiver {
            // For a sender that does nothing until this receiver is gone again.
            keeper::visit(&fd).map_err(|e| self.os(e))?;
        }
        Ok(Some(Ends {
            fd,
            trying: Some(trying),
            keeper,
            name: Some(name),
            place: trace::Place::new(&self.address()),
        }))
    }

    /// `None` if there is nothing at the path.
    fn open_reader(&self, path: &Path) -> Result<Option<File>, OpenError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
            .open(path);
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT) => Ok(None),
                Some(Errno::ELOOP) => {
                    Err(self.error(OpenErrorKind::Refused("the path is a symbolic link")))
                }
                Some(Errno::ENXIO | Errno::EISDIR) => {
                    Err(self.error(OpenErrorKind::Refused("the path is not a FIFO")))
                }
                _ => Err(self.os(error)),
            },
        }
    }

    /// Makes the FIFO hold so many bytes, unless somebody else uses it as it is.
    fn resize(&self, fd: &OwnedFd, bytes: usize) -> Result<(), OpenError> {
        let found = pipe_options::limits(fd, self.mode)
            .map_err(|e| self.os(e))?
            .capacity;
        let alone = !presence::has_any(fd).map_err(|e| self.os(e))?;
        if alone || found == bytes.next_power_of_two() {
            return pipe_options::resize(fd, bytes, &self.address());
        }
        Err(self.error(OpenErrorKind::Shape {
            what: "capacity",
            expected: bytes as u64,
            found: found as u64,
        }))
    }

    fn declare_mode(&self, fd: impl AsFd) -> Result<(), OpenError> {
        let word = |mode| match mode {
            PipeMode::Stream => 0,
            PipeMode::Packet => 1,
        };
        let ours = word(self.mode);
        match presence::declare(fd, Topic::Mode, ours).map_err(|e| self.os(e))? {
            None => Ok(()),
            Some(found) => Err(self.error(OpenErrorKind::Shape {
                what: "mode (0 stream, 1 packet)",
                expected: ours.into(),
                found: found.into(),
            })),
        }
    }

    fn adopt(&self, handoff: Handoff, end: End) -> Result<Ends, OpenError> {
        let wrong = || self.error(OpenErrorKind::Handoff);
        let mut fds = pipe_options::adopted(handoff, end)
            .ok_or_else(wrong)?
            .into_iter();
        let (fd, trying, keeper) = (fds.next().ok_or_else(wrong)?, fds.next(), fds.next());
        let trying = trying.ok_or_else(wrong)?;
        let file = File::from(fd);
        let meta = file.metadata().map_err(|e| self.os(e))?;
        let name = FifoName::new(Path::new(&self.path), &meta);
        for other in [Some(&trying), keeper.as_ref()].into_iter().flatten() {
            if !name.is(other).map_err(|e| self.os(e))? {
                return Err(wrong());
            }
        }
        if name.is_another() {
            let what = "is another FIFO than the one at the path";
            return Err(self.error(OpenErrorKind::Unproven(what)));
        }
        let keeper = keeper.map(Keeper::new).transpose();
        let keeper = keeper.map_err(|e| self.os(e))?;
        Ok(Ends {
            fd: file.into(),
            trying: Some(trying),
            keeper,
            name: Some(name),
            place: trace::Place::new(&self.address()),
        })
    }
}

impl TryFrom<&Address> for Fifo {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        path::check_address(address)?;
        let (mode, capacity) = pipe_options::read(address)?;
        Ok(Self {
            path: address.name().to_owned(),
            mode,
            capacity,
        })
    }
}

impl Transport for Fifo {
    const SCHEME: &'static str = "fifo";
    const SUMMARY: &'static str = "named kernel pipe between unrelated processes";
    const KEYS: &'static [Key] = pipe_options::KEYS;

    const VARIANTS: &'static [&'static str] = &["", "mode=packet"];

    fn example_name(unique: &str) -> Option<String> {
        let path = std::env::temp_dir().join(unique);
        Some(path.to_string_lossy().into_owned())
    }
}

impl Channel for Fifo {
    type Sender = StreamSender;
    type Receiver = StreamReceiver;

    fn address(&self) -> Address {
        let address = Address::of(Self::SCHEME, &self.path);
        pipe_options::write(address, self.mode, self.capacity)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            named: true,
            ..pipe_options::capabilities(self.mode)
        }
    }

    fn pair(&self) -> Result<(StreamSender, StreamReceiver), OpenError> {
        Ok((self.sender()?, self.receiver()?))
    }

    fn sender(&self) -> Result<StreamSender, OpenError> {
        let ends = self.open(End::Sender)?;
        StreamSender::new(ends, self.address(), self.mode, Pledged::UNKNOWN)
    }

    fn receiver(&self) -> Result<StreamReceiver, OpenError> {
        StreamReceiver::new(self.open(End::Receiver)?, self.address(), self.mode)
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<StreamSender, OpenError> {
        let ends = self.adopt(handoff, End::Sender)?;
        StreamSender::new(ends, self.address(), self.mode, Pledged::UNKNOWN)
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<StreamReceiver, OpenError> {
        StreamReceiver::new(
            self.adopt(handoff, End::Receiver)?,
            self.address(),
            self.mode,
        )
    }

    fn unlink(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}
