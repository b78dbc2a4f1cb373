//! A transport of one's own, complete in one file: `socket:`, a pair of connected packet sockets.
//!
//! `cargo run --example custom_transport` sends a message through it to a child; with `-- --conformance` it runs the suite that
//! every transport must pass. docs/adding-a-transport.md goes through it.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    env,
    error::Error,
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    process::Command,
};

use laneway::{
    Address, AddressError, AddressProblem, Capabilities, Channel, Deadline, Depth, Driver, End,
    Endpoint, Fan, Fingerprint, Handoff, Key, Limits, OpenError, OpenErrorKind, Receiver,
    ReceiverExt, RecvError, Registry, SendError, Sender, Transport, conformance, process,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        memfd::{MFdFlags, memfd_create},
        socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair},
    },
};

/// A packet of this length and its tag is sent wholly or not at all.
const MAX: usize = 60 << 10;

/// The channel: nothing to choose, nothing to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket;

/// An open end, the sending one or the receiving one.
#[derive(Debug)]
struct Half<const SENDS: bool> {
    socket: OwnedFd,
    /// A file of four bytes that both ends share: the type of the messages.
    types: OwnedFd,
    /// A tag byte, since a packet of nothing would look like the end, and the reserved or peeked message.
    packet: Vec<u8>,
    /// The length of that message, if there is one.
    held: Option<usize>,
    deadline: Deadline,
}

impl<const SENDS: bool> Half<SENDS> {
    const END: End = if SENDS { End::Sender } else { End::Receiver };

    fn new(socket: OwnedFd, types: OwnedFd) -> Self {
        let (packet, held, deadline) = (vec![0; 1 + MAX], None, Deadline::NEVER);
        Self {
            socket,
            types,
            packet,
            held,
            deadline,
        }
    }

    fn adopt(handoff: Handoff) -> Result<Self, OpenError> {
        let fds = (handoff.end == Self::END).then_some(handoff.fds);
        match fds.map(<[OwnedFd; 2]>::try_from) {
            Some(Ok([socket, types])) => Ok(Self::new(socket, types)),
            _ => Err(OpenError::new(Socket.address(), OpenErrorKind::Handoff)),
        }
    }

    /// Sleeps until the socket has one of `events`, the other side is gone, or the deadline passes.
    fn wait(&self, events: PollFlags, deadline: Deadline) -> io::Result<PollFlags> {
        let timeout = deadline.remaining().map_or(PollTimeout::NONE, |left| {
            // Rounded up: nobody may wake early.
            let millis = left.as_nanos().div_ceil(1_000_000);
            PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = [PollFd::new(self.socket.as_fd(), events)];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(fds[0].revents().unwrap_or(PollFlags::empty())),
            Err(error) => Err(error.into()),
        }
    }

    /// The type that was declared first, by whichever end.
    fn declare(&self, ours: Fingerprint) -> io::Result<Fingerprint> {
        // Opened anew, so that its lock excludes every other end; it goes with the file.
        let path = format!("/proc/self/fd/{}", self.types.as_raw_fd());
        let file = File::options().read(true).write(true).open(path)?;
        file.lock()?;
        let mut word = [0; 4];
        file.read_exact_at(&mut word, 0)?;
        if word == Fingerprint::UNTYPED.bits().to_ne_bytes() {
            word = ours.bits().to_ne_bytes();
            file.write_all_at(&word, 0)?;
        }
        Ok(Fingerprint::from_bits(u32::from_ne_bytes(word)))
    }
}

impl<const SENDS: bool> Endpoint for Half<SENDS> {
    fn limits(&self) -> Limits {
        Limits::new(MAX, MAX, 1)
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(Depth::default())
    }

    fn is_disconnected(&self) -> bool {
        let now = self.wait(PollFlags::empty(), Deadline::NOW);
        now.is_ok_and(|flags| flags.contains(PollFlags::POLLHUP))
    }

    fn wait_peer(&mut self, _: Deadline) -> io::Result<bool> {
        Ok(!self.is_disconnected())
    }

    fn agree(&mut self, expected: Fingerprint) -> Result<(), OpenError> {
        let declared = self.declare(expected);
        let found = declared.map_err(|e| OpenError::os(Socket.address(), e))?;
        if found == expected {
            return Ok(());
        }
        let kind = OpenErrorKind::Incompatible { expected, found };
        Err(OpenError::new(Socket.address(), kind))
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn handoff(&self) -> io::Result<Handoff> {
        let fds = vec![self.socket.try_clone()?, self.types.try_clone()?];
        Ok(Handoff {
            address: Socket.address(),
            end: Self::END,
            fds,
        })
    }
}

impl Sender for Half<true> {
    fn reserve(&mut self, len: usize, deadline: Deadline) -> Result<&mut [u8], SendError> {
        self.held = (len <= MAX).then_some(len);
        self.deadline = deadline;
        match self.held {
            Some(_) => Ok(self.reserved()),
            None => Err(SendError::TooLarge { max: MAX }),
        }
    }

    fn reserved(&mut self) -> &mut [u8] {
        let len = self.held.unwrap_or(0);
        &mut self.packet[1..=len]
    }

    fn commit(&mut self, len: usize) -> Result<(), SendError> {
        let max = self.held.unwrap_or(0);
        if self.held.is_none() || len > max {
            return Err(SendError::TooLarge { max });
        }
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        loop {
            match send(self.socket.as_raw_fd(), &self.packet[..=len], flags) {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(SendError::Disconnected),
                Err(Errno::EAGAIN) if self.deadline.has_passed() => return Err(SendError::Full),
                Err(Errno::EAGAIN) => {
                    let ready = self.wait(PollFlags::POLLOUT, self.deadline);
                    ready.map_err(SendError::Io)?;
                }
                Err(error) => return Err(SendError::Io(error.into())),
            }
        }
        self.held = None;
        Ok(())
    }

    fn abort(&mut self) {
        self.held = None;
    }
}

impl Receiver for Half<false> {
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        while self.held.is_none() {
            let flags = MsgFlags::MSG_DONTWAIT;
            match recv(self.socket.as_raw_fd(), &mut self.packet, flags) {
                Ok(0) => return Err(RecvError::Disconnected),
                Ok(len) => self.held = Some(len - 1),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if deadline.has_passed() => return Err(RecvError::Empty),
                Err(Errno::EAGAIN) => {
                    let ready = self.wait(PollFlags::POLLIN, deadline);
                    ready.map_err(RecvError::Io)?;
                }
                Err(error) => return Err(RecvError::Io(error.into())),
            }
        }
        Ok((*self).peeked())
    }

    fn peeked(&self) -> &[u8] {
        &self.packet[1..=self.held.unwrap_or(0)]
    }

    fn consume(&mut self) {
        self.held = None;
    }
}

impl Channel for Socket {
    type Sender = Half<true>;
    type Receiver = Half<false>;

    fn address(&self) -> Address {
        Address::new(Self::SCHEME, "").expect("a good scheme")
    }

    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::LEAST;
        (can.senders, can.receivers) = (Fan::Many, Fan::Many);
        (can.anonymous, can.pollable, can.awaitable) = (true, true, true);
        can.kernel_buffered = true;
        can
    }

    fn pair(&self) -> Result<(Half<true>, Half<false>), OpenError> {
        let open = || -> io::Result<_> {
            let (unix, packets) = (AddressFamily::Unix, SockType::SeqPacket);
            let (tx, rx) = socketpair(unix, packets, None, SockFlag::SOCK_CLOEXEC)?;
            let types = File::from(memfd_create("types", MFdFlags::MFD_CLOEXEC)?);
            types.set_len(4)?;
            let theirs = types.try_clone()?;
            Ok((Half::new(tx, types.into()), Half::new(rx, theirs.into())))
        };
        open().map_err(|e| OpenError::os(self.address(), e))
    }

    fn sender(&self) -> Result<Half<true>, OpenError> {
        Err(OpenError::new(self.address(), OpenErrorKind::Unnamed))
    }

    fn receiver(&self) -> Result<Half<false>, OpenError> {
        Err(OpenError::new(self.address(), OpenErrorKind::Unnamed))
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<Half<true>, OpenError> {
        Half::adopt(handoff)
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<Half<false>, OpenError> {
        Half::adopt(handoff)
    }

    fn unlink(&self) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
}

impl TryFrom<&Address> for Socket {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        match address.is_anonymous() {
            true => Ok(Self),
            false => Err(address.error_at_name(AddressProblem::BadName("write socket:"))),
        }
    }
}

impl Transport for Socket {
    const SCHEME: &'static str = "socket";
    const SUMMARY: &'static str = "a pair of packet sockets, handed to a child";
    const KEYS: &'static [Key] = &[];

    fn example_name(_: &str) -> Option<String> {
        None
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::BUILTIN.with(Driver::of::<Socket>());
    // The suite's children are this program again.
    conformance::serve(&registry);
    let channel = registry.channel(&"socket:".parse()?)?;
    if let Ok(handoff) = process::take("tx") {
        channel
            .adopt_sender(handoff)?
            .send(b"through my own transport")?;
        return Ok(());
    }
    if env::args().nth(1).as_deref() == Some("--conformance") {
        let driver = registry.drivers().first().ok_or("no driver")?;
        let trials = conformance::trials(driver);
        println!("{} trials", trials.len());
        for trial in trials {
            (trial.run)();
            println!("{}", trial.name);
        }
        return Ok(());
    }
    let (tx, mut rx) = channel.pair()?;
    let mut command = Command::new(env::current_exe()?);
    process::give(&mut command, "tx", &tx)?;
    let mut child = command.spawn()?;
    drop((command, tx));
    let message = String::from_utf8(rx.loan()?.to_vec())?;
    println!("{message}");
    assert_eq!(message, "through my own transport");
    assert!(matches!(
        rx.peek(Deadline::NEVER),
        Err(RecvError::Disconnected)
    ));
    assert!(child.wait()?.success());
    Ok(())
}
