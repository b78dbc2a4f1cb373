//! `pipe:` an anonymous kernel pipe between a process and its children.

use std::{io, os::fd::OwnedFd};

use nix::{fcntl::OFlag, unistd::pipe2};

use crate::{
    Address, AddressError, AddressProblem, Capabilities, Channel, End, Handoff, Key, OpenError,
    OpenErrorKind, Transport, presence, trace,
    transport::family::{
        ends::Ends,
        frame::Pledged,
        pipe_options::{self, PipeMode},
        stream_receiver::StreamReceiver,
        stream_sender::StreamSender,
    },
};

/// An anonymous kernel pipe.
///
/// Opens as a pair; one end goes to a child by [`give`](crate::process::give). Close-on-exec unless
/// given, so no grandchild keeps it open by accident. A send without a receiver is
/// [`Disconnected`](crate::SendError::Disconnected), never a SIGPIPE; a program that ignores the signal, as Rust's do
/// from the start, must not stop ignoring it while a sender is open.
///
/// # Crash behaviour
/// The kernel sees a death at once and wakes the other side. Nothing is left behind. A frame that its sender was writing when it died was never sent.
/// A receiver that closes has taken nothing that it did not deliver; one that is killed loses what it had taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipe {
    mode: PipeMode,
    capacity: Option<usize>,
}

impl Pipe {
    /// A pipe of the system's default capacity.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps message boundaries in the kernel, or does not.
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

    fn adopt(&self, handoff: Handoff, end: End) -> Result<Ends, OpenError> {
        let fd = pipe_options::adopted(handoff, end).and_then(|fds| <[_; 1]>::try_from(fds).ok());
        let Some([fd]) = fd else {
            return Err(OpenError::new(self.address(), OpenErrorKind::Handoff));
        };
        Ok(ends(fd, &self.address()))
    }
}

fn ends(fd: OwnedFd, address: &Address) -> Ends {
    Ends {
        fd,
        trying: None,
        keeper: None,
        name: None,
        place: trace::Place::new(address),
    }
}

impl TryFrom<&Address> for Pipe {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        if !address.is_anonymous() {
            let why = "a pipe has no name; write pipe: or use fifo:PATH";
            return Err(address.error_at_name(AddressProblem::BadName(why)));
        }
        let (mode, capacity) = pipe_options::read(address)?;
        Ok(Self { mode, capacity })
    }
}

impl Transport for Pipe {
    const SCHEME: &'static str = "pipe";
    const SUMMARY: &'static str = "anonymous kernel pipe, handed to a child";
    const KEYS: &'static [Key] = pipe_options::KEYS;

    const VARIANTS: &'static [&'static str] = &["", "mode=packet"];

    fn example_name(_: &str) -> Option<String> {
        None
    }
}

impl Channel for Pipe {
    type Sender = StreamSender;
    type Receiver = StreamReceiver;

    fn address(&self) -> Address {
        let address = Address::of(Self::SCHEME, "".as_ref());
        pipe_options::write(address, self.mode, self.capacity)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            anonymous: true,
            ..pipe_options::capabilities(self.mode)
        }
    }

    fn pair(&self) -> Result<(StreamSender, StreamReceiver), OpenError> {
        let address = self.address();
        let _opening = trace::opening(&address);
        let os = |e: io::Error| OpenError::os(address.clone(), e);
        let flags = match self.mode {
            PipeMode::Stream => OFlag::O_CLOEXEC,
            PipeMode::Packet => OFlag::O_CLOEXEC | OFlag::O_DIRECT,
        };
        let (reader, writer) = pipe2(flags).map_err(|e| os(e.into()))?;
        if let Some(bytes) = self.capacity {
            pipe_options::resize(&writer, bytes, &address)?;
        }
        presence::join(&writer, End::Sender).map_err(os)?;
        presence::join(&reader, End::Receiver).map_err(os)?;
        Ok((
            StreamSender::new(
                ends(writer, &address),
                self.address(),
                self.mode,
                Pledged::NOTHING,
            )?,
            StreamReceiver::new(ends(reader, &address), self.address(), self.mode)?,
        ))
    }

    fn sender(&self) -> Result<StreamSender, OpenError> {
        Err(OpenError::new(self.address(), OpenErrorKind::Unnamed))
    }

    fn receiver(&self) -> Result<StreamReceiver, OpenError> {
        Err(OpenError::new(self.address(), OpenErrorKind::Unnamed))
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<StreamSender, OpenError> {
        let ends = self.adopt(handoff, End::Sender)?;
        StreamSender::new(ends, self.address(), self.mode, Pledged::UNKNOWN)
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<StreamReceiver, OpenError> {
        let ends = self.adopt(handoff, End::Receiver)?;
        StreamReceiver::new(ends, self.address(), self.mode)
    }

    fn unlink(&self) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
}
