//! Passing an open end to a process that is no child, over a connected Unix socket.

use std::{
    error::Error,
    fmt, io,
    io::IoSlice,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        unix::net::UnixStream,
    },
};

use nix::{
    errno::Errno,
    poll::PollFlags,
    sys::socket::{ControlMessage, MsgFlags, UnixAddr, getsockopt, sendmsg, sockopt},
    unistd::Uid,
};

use crate::{
    Address, BoxReceiver, BoxSender, Channel, Deadline, End, Endpoint, Handoff, OpenError,
    OpenErrorKind,
    process::give,
    sys::{
        ancillary::{self, Arrived},
        fd,
    },
};

/// What a handoff starts with: a word and the version of what follows.
const MARK: [u8; 4] = *b"LNH\x01";
/// The bytes in front of the address: the mark, which end, how many descriptors, how long the address is.
const HEAD: usize = 4 + 1 + 1 + 2;
/// The longest address.
const MOST_TEXT: usize = 16 << 10;

/// Passes ends over a connected stream socket, to or from a process that need not be a child.
///
/// Each goes as one message: the address, which end, and the descriptors (`SCM_RIGHTS`). The socket carries nothing else meanwhile; before
/// and after it is the program's own. As long as a message is under way the end counts as open, and it goes with the socket if
/// nobody takes it.
///
/// Only processes of this process's user may be across, and of those that [`allow_uid`](Self::allow_uid) names; the kernel tells who
/// connected (`SO_PEERCRED`). Nothing that comes is trusted: what is no handoff is refused, with all descriptors closed. A path, name or number
/// in it is used only if the descriptors prove that it is theirs, else it is [`OpenErrorKind::Unproven`]; memory of
/// another user, but root, opens with `peer=untrusted` only, else it is [`OpenErrorKind::Foreign`]. Where the address of a handoff lacks
/// that, the taker can add it: [`take`](Self::take) the handoff, and adopt it by a channel that says so.
///
/// The other way round, whoever is given an end of a named segment of this process's can make it shorter, which ends this process by SIGBUS:
/// give ends to another user that were opened with `peer=untrusted`, or have no name.
///
/// ```
/// use std::{os::unix::net::UnixStream, thread};
/// use laneway::{Channel, Deadline, Receiver, Sender, process::Courier};
///
/// let (here, there) = UnixStream::pair()?;                // or UnixListener::bind and accept, and connect
/// let (mut tx, rx) = laneway::channel("pipe:")?.pair()?;
/// Courier::new(&here).give(&rx, Deadline::NEVER)?;
/// drop(rx);                                               // whoever takes it has it
/// tx.send(b"hello")?;
/// let mut rx = Courier::new(&there).take_receiver(Deadline::NEVER)?;
/// assert_eq!(rx.recv(&mut [0; 16])?, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Courier<'a> {
    socket: &'a UnixStream,
    users: Vec<u32>,
}

impl<'a> Courier<'a> {
    /// Over this socket, with a process of this user across.
    #[must_use]
    pub const fn new(socket: &'a UnixStream) -> Self {
        Self {
            socket,
            users: Vec::new(),
        }
    }

    /// Lets processes of these users be across too.
    #[must_use]
    pub fn allow_uid(mut self, users: impl IntoIterator<Item = u32>) -> Self {
        self.users.extend(users);
        self
    }

    /// Gives `end`, waiting for room in the socket up to the deadline. On a channel that takes one handle at this end, drop it then.
    ///
    /// # Errors
    /// [`CourierError`]; nothing was given, but after [`NotReady`](CourierError::NotReady) in the middle of a message, which takes a socket with nearly no
    /// room, the socket is of no use any more.
    pub fn give(
        &self,
        end: &(impl Endpoint + ?Sized),
        deadline: Deadline,
    ) -> Result<(), CourierError> {
        self.give_handoff(&end.handoff()?, deadline)
    }

    /// Gives a handoff, which may be dropped then.
    ///
    /// # Errors
    /// As for [`give`](Self::give).
    pub fn give_handoff(&self, handoff: &Handoff, deadline: Deadline) -> Result<(), CourierError> {
        self.check_user()?;
        let message = encode(handoff)?;
        let fds: Vec<RawFd> = handoff.fds.iter().map(AsRawFd::as_raw_fd).collect();
        let mut sent = 0;
        while let Some(rest) = message.get(sent..).filter(|rest| !rest.is_empty()) {
            // The descriptors go with the first byte.
            let rights = [ControlMessage::ScmRights(&fds)];
            let rights = if sent == 0 && !fds.is_empty() {
                rights.as_slice()
            } else {
                &[]
            };
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            let socket = self.socket.as_raw_fd();
            match sendmsg::<UnixAddr>(socket, &[IoSlice::new(rest)], rights, flags, None) {
                Ok(more) => sent += more,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.wait(PollFlags::POLLOUT, deadline)?,
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(CourierError::Gone),
                Err(error) => return Err(CourierError::Io(error.into())),
            }
        }
        Ok(())
    }

    /// Takes what was given, waiting for it up to the deadline. [`Channel::adopt_sender`] or [`Channel::adopt_receiver`] makes an endpoint of it.
    ///
    /// # Errors
    /// [`CourierError`]. Descriptors that came are closed. After [`Malformed`](CourierError::Malformed), and after
    /// [`NotReady`](CourierError::NotReady) in the middle of a message, the socket is of no use any more.
    pub fn take(&self, deadline: Deadline) -> Result<Handoff, CourierError> {
        self.check_user()?;
        let mut head = [0; HEAD];
        let mut arrived = self.read(&mut head, deadline)?;
        let (end, count, len) = decode(head)?;
        let mut text = vec![0; len];
        let more = self.read(&mut text, deadline)?;
        arrived.is_cut |= more.is_cut;
        arrived.fds.extend(more.fds);
        if arrived.is_cut || arrived.fds.len() != count {
            return Err(CourierError::Malformed("other descriptors than it says"));
        }
        let text = String::from_utf8(text).ok();
        let address: Option<Address> = text.and_then(|text| text.parse().ok());
        let address = address.ok_or(CourierError::Malformed("no address"))?;
        let fds = arrived.fds;
        Ok(Handoff { address, end, fds })
    }

    /// Takes a sender of any transport in [`Registry::BUILTIN`](crate::Registry::BUILTIN).
    ///
    /// # Errors
    /// As for [`take`](Self::take); [`Open`](CourierError::Open) if it is no sender, or does not open.
    pub fn take_sender(&self, deadline: Deadline) -> Result<BoxSender, CourierError> {
        let handoff = self.take(deadline)?;
        Ok(give::channel(&handoff.address)?.adopt_sender(handoff)?)
    }

    /// Takes a receiver of any transport in [`Registry::BUILTIN`](crate::Registry::BUILTIN).
    ///
    /// # Errors
    /// As for [`take_sender`](Self::take_sender).
    pub fn take_receiver(&self, deadline: Deadline) -> Result<BoxReceiver, CourierError> {
        let handoff = self.take(deadline)?;
        Ok(give::channel(&handoff.address)?.adopt_receiver(handoff)?)
    }

    fn check_user(&self) -> Result<(), CourierError> {
        let across = getsockopt(self.socket, sockopt::PeerCredentials);
        let uid = across.map_err(|e| CourierError::Io(e.into()))?.uid();
        if uid == Uid::effective().as_raw() || self.users.contains(&uid) {
            return Ok(());
        }
        Err(CourierError::Stranger { uid })
    }

    fn wait(&self, events: PollFlags, deadline: Deadline) -> Result<(), CourierError> {
        if deadline.has_passed() {
            return Err(CourierError::NotReady);
        }
        fd::wait(self.fd(), events, deadline)?;
        Ok(())
    }

    fn fd(&self) -> BorrowedFd<'a> {
        self.socket.as_fd()
    }

    /// Fills `buf`, and takes not a byte more.
    fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<Arrived, CourierError> {
        let mut all = Arrived {
            len: 0,
            fds: Vec::new(),
            is_cut: false,
        };
        while let Some(rest) = buf.get_mut(all.len..).filter(|rest| !rest.is_empty()) {
            match ancillary::receive(self.fd(), rest) {
                Ok(Arrived { len: 0, .. }) => return Err(CourierError::Gone),
                Ok(more) => {
                    all.len += more.len;
                    all.is_cut |= more.is_cut;
                    all.fds.extend(more.fds);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::POLLIN, deadline)?;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(CourierError::Gone);
                }
                Err(error) => return Err(CourierError::Io(error)),
            }
            if all.fds.len() > ancillary::MOST {
                return Err(CourierError::Malformed("too many descriptors"));
            }
        }
        Ok(all)
    }
}

/// A handoff as bytes.
fn encode(handoff: &Handoff) -> Result<Vec<u8>, CourierError> {
    let count = handoff.fds.len();
    let text = handoff.address.to_string();
    let number = u8::try_from(count)
        .ok()
        .filter(|_| count <= ancillary::MOST);
    let number = number.ok_or(CourierError::TooMany { count })?;
    let len = u16::try_from(text.len())
        .ok()
        .filter(|_| text.len() <= MOST_TEXT);
    let len = len.ok_or(CourierError::Malformed("an address that is too long"))?;
    let end = match handoff.end {
        End::Sender => 0,
        End::Receiver => 1,
    };
    let mut message = MARK.to_vec();
    message.extend([end, number]);
    message.extend(len.to_le_bytes());
    message.extend(text.bytes());
    Ok(message)
}

/// Which end, how many descriptors, and how long the address is.
fn decode(head: [u8; HEAD]) -> Result<(End, usize, usize), CourierError> {
    let [a, b, c, d, end, count, low, high] = head;
    if [a, b, c, d] != MARK {
        return Err(CourierError::Malformed(
            "no handoff, or one of another version",
        ));
    }
    let end = match end {
        0 => End::Sender,
        1 => End::Receiver,
        _ => return Err(CourierError::Malformed("no end that there is")),
    };
    let len = usize::from(u16::from_le_bytes([low, high]));
    if len > MOST_TEXT {
        return Err(CourierError::Malformed("an address that is too long"));
    }
    Ok((end, count.into(), len))
}

/// Why an end was not passed on.
#[derive(Debug)]
#[non_exhaustive]
pub enum CourierError {
    /// Nothing has come, or there was no room, at the deadline.
    NotReady,
    /// The process across has closed the socket, or is dead.
    Gone,
    /// The process across belongs to a user who is not among those allowed.
    Stranger {
        /// The user.
        uid: u32,
    },
    /// The end consists of more descriptors than one message carries, 253: it receives from as many senders.
    TooMany {
        /// How many they are.
        count: usize,
    },
    /// What came is no handoff; the text says what it has.
    Malformed(&'static str),
    /// The end does not open.
    Open(OpenError),
    /// The kernel refused.
    Io(io::Error),
}

impl fmt::Display for CourierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => {
                f.write_str("the process across is not ready yet; start it, or wait longer")
            }
            Self::Gone => f.write_str("the process across is gone; connect to another"),
            Self::Stranger { uid } => write!(
                f,
                "the process across is of user {uid}; name the user with allow_uid, or run both as one user"
            ),
            Self::TooMany { count } => write!(
                f,
                "the end has {count} descriptors, and 253 are the most; give it away before so many have connected"
            ),
            Self::Malformed(what) => write!(
                f,
                "what came has {what}; see to it that laneway is at the other end, and nothing else writes to the socket"
            ),
            Self::Open(error) => write!(f, "what was given does not open: {error}"),
            Self::Io(error) => write!(f, "the system refused: {error}"),
        }
    }
}

impl Error for CourierError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for CourierError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<OpenError> for CourierError {
    fn from(error: OpenError) -> Self {
        match error.kind {
            OpenErrorKind::Stranger { uid } => Self::Stranger { uid },
            _ => Self::Open(error),
        }
    }
}
