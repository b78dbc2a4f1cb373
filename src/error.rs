//! Why a message did not move, and why a channel did not open.

use std::{error::Error, fmt, io};

use crate::{Address, Fingerprint, Overflow, SystemLimit};

/// Why a message was not sent. Nothing of it was sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// Still no room at the deadline.
    Full,
    /// Every receiver is gone. One that closes is missed at once, by every call. One that is killed is missed by who sleeps, by who finds no
    /// room, and by who asks [`is_disconnected`](crate::Endpoint::is_disconnected); until then a ring or System V queue that has room takes what
    /// nobody may receive, as it does from any sender that is ahead.
    Disconnected,
    /// Longer than this channel carries.
    TooLarge {
        /// The longest message this channel carries, in bytes.
        max: usize,
    },
    /// The value's own serialisation refused to make bytes of it.
    Unencodable,
    /// A process died and left a state that cannot be proved sound.
    Poisoned,
    /// The kernel refused.
    Io(io::Error),
}

const _: () = assert!(size_of::<Result<(), SendError>>() <= 16);

/// Why no message was received. The message, if there is one, stays where it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// Still no message at the deadline.
    Empty,
    /// Every sender is gone, by whatever cause, and every message has been received. It does not say whether they had more to send: where
    /// that matters, send a last message that says so.
    Disconnected,
    /// The buffer is shorter than the message, which stays.
    TooSmall {
        /// The length of the message, in bytes.
        needed: usize,
    },
    /// The message is not as long as the type that this end receives, and stays.
    Mistyped {
        /// The length of the message, in bytes.
        found: usize,
    },
    /// The sender has overtaken this receiver, and so many messages are gone. The next call goes on at the oldest that is kept.
    Lagged {
        /// The messages that this receiver has missed.
        missed: u64,
    },
    /// The other side wrote what no sender writes.
    Corrupt,
    /// A process died and left a state that cannot be proved sound.
    Poisoned,
    /// The kernel refused.
    Io(io::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the channel is full; receive from it, or wait longer"),
            Self::Disconnected => f.write_str("every receiver is gone; open the channel again"),
            Self::TooLarge { max } => write!(
                f,
                "the message is longer than the {max} bytes this channel carries; split it, or open a larger channel"
            ),
            Self::Unencodable => f.write_str(
                "the value's own serialisation refused it; send one that can be written as bytes",
            ),
            Self::Poisoned => f.write_str(
                "a process left the channel in doubt, by its death or by what it wrote; close all ends and open it again",
            ),
            Self::Io(e) => write!(f, "the system refused to send: {e}"),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the channel is empty; send to it, or wait longer"),
            Self::Disconnected => f.write_str("every sender is gone and nothing is left to read"),
            Self::TooSmall { needed } => {
                write!(
                    f,
                    "the message needs a buffer of {needed} bytes; it is still there"
                )
            }
            Self::Mistyped { found } => write!(
                f,
                "the message has {found} bytes, which the type at this end has not; send the same type, or receive bytes"
            ),
            Self::Lagged { missed } => write!(
                f,
                "the sender has overtaken this receiver, which missed {missed} messages; go on receiving, and open a larger channel or receive faster"
            ),
            Self::Corrupt => {
                f.write_str("the channel holds what no sender writes; unlink it and open it again")
            }
            Self::Poisoned => f.write_str(
                "a process left the channel in doubt, by its death or by what it wrote; close all ends and open it again",
            ),
            Self::Io(e) => write!(f, "the system refused to receive: {e}"),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(e) => Some(e),
            _ => None,
        }
    }
}

impl Error for RecvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(e) => Some(e),
            _ => None,
        }
    }
}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        let kind = match error {
            SendError::Io(e) => return e,
            SendError::Full => io::ErrorKind::WouldBlock,
            SendError::Disconnected => io::ErrorKind::BrokenPipe,
            SendError::TooLarge { .. } | SendError::Unencodable => io::ErrorKind::InvalidInput,
            SendError::Poisoned => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> Self {
        let kind = match error {
            RecvError::Io(e) => return e,
            RecvError::Empty => io::ErrorKind::WouldBlock,
            RecvError::Disconnected => io::ErrorKind::BrokenPipe,
            RecvError::TooSmall { .. } => io::ErrorKind::InvalidInput,
            RecvError::Lagged { .. } => io::ErrorKind::Other,
            RecvError::Mistyped { .. } | RecvError::Corrupt | RecvError::Poisoned => {
                io::ErrorKind::InvalidData
            }
        };
        Self::new(kind, error)
    }
}

/// Why a channel did not open. Nothing was created, or what was created has been removed.
#[derive(Debug)]
pub struct OpenError {
    /// Which channel.
    pub address: Address,
    /// Why.
    pub kind: OpenErrorKind,
    /// What the system said, if it was asked.
    pub source: Option<io::Error>,
}

/// Why a channel did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// The channel has no name, so it opens as a pair only.
    Unnamed,
    /// The transport needs a name.
    NamedOnly,
    /// Another handle has the only place at this end.
    Busy,
    /// The channel takes one handle at an end, and many were to share it.
    Narrow,
    /// The channel may give messages up, or gives each to every receiver, and each was to be received once.
    Lossy,
    /// The transport has no such way to make room.
    Overflow(Overflow),
    /// There is no such name, and it was not to be created.
    NotFound,
    /// The other side has not come by the deadline.
    NotReady,
    /// The name was left behind by a process that died while making it.
    Stale,
    /// The name exists with another shape.
    Shape {
        /// What differs, as in `capacity` or `layout`.
        what: &'static str,
        /// The number this channel asks for.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The two ends disagree about the type of a message.
    Incompatible {
        /// The type at this end.
        expected: Fingerprint,
        /// The type at the other end.
        found: Fingerprint,
    },
    /// The channel holds what no sender writes.
    Corrupt,
    /// This machine cannot do it.
    Unsupported,
    /// The name belongs to something else; the text says to what.
    Refused(&'static str),
    /// Not enough memory or disk for so many bytes.
    NoSpace {
        /// The bytes that were needed.
        needed: u64,
    },
    /// A setting of the system stands in the way.
    Limit(SystemLimit),
    /// No permission.
    Denied,
    /// The process across belongs to a user who is not among those allowed.
    Stranger {
        /// The user.
        uid: u32,
    },
    /// The handoff does not belong to this channel, or was adopted before.
    Handoff,
    /// What was handed over is not what its address says, and nothing of it was used; the text says what it has, or lacks.
    Unproven(&'static str),
    /// What was handed over is memory of another user, who could make it shorter, or write it while it is read.
    Foreign {
        /// The user.
        uid: u32,
    },
    /// The system refused for another reason: see `source`.
    Os,
}

impl OpenError {
    /// An error without a cause in the system.
    #[must_use]
    pub fn new(address: Address, kind: OpenErrorKind) -> Self {
        Self {
            address,
            kind,
            source: None,
        }
    }

    /// The error of a gate that was not entered.
    pub(crate) fn gate(address: Address, source: io::Error) -> Self {
        match source.kind() {
            // Somebody keeps at opening or closing, stopped perhaps.
            io::ErrorKind::WouldBlock => Self::new(address, OpenErrorKind::Busy),
            _ => Self::os(address, source),
        }
    }

    /// An error of the system; the kind follows from its code.
    #[must_use]
    pub fn os(address: Address, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::PermissionDenied => OpenErrorKind::Denied,
            io::ErrorKind::NotFound => OpenErrorKind::NotFound,
            io::ErrorKind::Unsupported => OpenErrorKind::Unsupported,
            _ => OpenErrorKind::Os,
        };
        Self {
            address,
            kind,
            source: Some(source),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.to_string();
        // An address without a name ends in a colon of its own.
        write!(f, "{}: {}", address.trim_end_matches(':'), self.kind)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for OpenErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => f.write_str("has no name; open it as a pair, or name it"),
            Self::NamedOnly => f.write_str("needs a name; write one after the colon"),
            Self::Busy => f.write_str(
                "another process has this end; close that one, or use a transport that many can share",
            ),
            Self::Narrow => f.write_str(
                "takes one sender or one receiver; choose a transport that many can share, such as shm+mpmc: or pipe:?mode=packet",
            ),
            Self::Lossy => f.write_str(
                "may give messages up, or gives each to every receiver; choose a transport that gives each to one, such as shm+mpmc:, with overflow=block",
            ),
            Self::Overflow(overflow) => write!(
                f,
                "cannot do overflow={}, since only its receiver knows what it has received; use shm+mpmc: or shm+lock:, or another overflow",
                overflow.word()
            ),
            Self::NotFound => f.write_str("does not exist; create it, or check the name"),
            Self::NotReady => {
                f.write_str("the other side has not come yet; start it, or wait longer")
            }
            Self::Stale => f.write_str("was left half made by a process that died; unlink it"),
            Self::Shape {
                what: "kind",
                expected,
                found,
            } => write!(
                f,
                "is a channel of another transport ({}, not {}); open it as that, or choose another name",
                kind(*found),
                kind(*expected)
            ),
            Self::Shape {
                what: "layout",
                expected,
                found,
            } => write!(
                f,
                "was made by another version of laneway (layout {found}, not {expected}); use one version, or unlink it once nobody uses it"
            ),
            Self::Shape {
                what,
                expected,
                found,
            } => write!(
                f,
                "exists with {what} {found}, not {expected}; ask for {found}, or unlink it"
            ),
            Self::Incompatible { expected, found } if expected.is_name() && found.is_name() => f
                .write_str(
                    "the other end has declared a type of another name, or with other fields or variants; use the same type at both ends, from the same version of it",
                ),
            Self::Incompatible { expected, found } => write!(
                f,
                "the other end has declared {}, this end {}; use the same type at both ends",
                Shape(*found),
                Shape(*expected)
            ),
            Self::Corrupt => f.write_str("holds what no sender writes; unlink it"),
            Self::Unsupported => f.write_str("this system cannot do it; choose another transport"),
            Self::Refused(what) => write!(f, "{what}; choose another name, or remove it"),
            Self::NoSpace { needed } => {
                write!(f, "no space for {needed} bytes; free some, or ask for less")
            }
            Self::Limit(SystemLimit { name, value }) => write!(
                f,
                "{name} is {value}; raise it with sysctl -w {name}=N, or ask for less"
            ),
            Self::Denied => f.write_str("no permission; run as its owner, or choose another name"),
            Self::Stranger { uid } => write!(
                f,
                "user {uid} is not allowed at the other end; name the user there with allow_uid, or run both ends as one user"
            ),
            Self::Handoff => f.write_str(
                "the handoff is not for this end of this channel, or was adopted before; hand over a new one",
            ),
            Self::Unproven(what) => write!(
                f,
                "what was handed over {what}; hand over an end that laneway opened at this address"
            ),
            Self::Foreign { uid } => write!(
                f,
                "what was handed over is memory of user {uid}; open it with peer=untrusted before it is handed over, or run both processes as one user"
            ),
            Self::Os => f.write_str("the system refused"),
        }
    }
}

/// A fingerprint in words.
struct Shape(Fingerprint);

/// The scheme of a kind of segment, as docs/layout.md numbers them.
const fn kind(number: u64) -> &'static str {
    match number {
        1 => "shm+lock:",
        2 => "sysv:",
        3 => "shm+spsc:",
        4 => "shm+mpmc:",
        9 => "shm+broadcast:",
        _ => "one that this version does not know",
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Fingerprint::UNTYPED {
            return f.write_str("plain bytes");
        }
        if self.0.is_name() {
            return f.write_str("values of a type of its own, by serde");
        }
        let (size, align) = (self.0.size(), self.0.align());
        write!(f, "a type of {size} bytes aligned to {align}")
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        let kind = match error.kind {
            OpenErrorKind::Busy => io::ErrorKind::AddrInUse,
            OpenErrorKind::NotFound => io::ErrorKind::NotFound,
            OpenErrorKind::NotReady => io::ErrorKind::TimedOut,
            OpenErrorKind::Denied
            | OpenErrorKind::Stranger { .. }
            | OpenErrorKind::Unproven(_)
            | OpenErrorKind::Foreign { .. } => io::ErrorKind::PermissionDenied,
            OpenErrorKind::Unsupported => io::ErrorKind::Unsupported,
            OpenErrorKind::NoSpace { .. } => io::ErrorKind::StorageFull,
            OpenErrorKind::Unnamed
            | OpenErrorKind::NamedOnly
            | OpenErrorKind::Narrow
            | OpenErrorKind::Lossy
            | OpenErrorKind::Overflow(_)
            | OpenErrorKind::Handoff => io::ErrorKind::InvalidInput,
            OpenErrorKind::Stale
            | OpenErrorKind::Corrupt
            | OpenErrorKind::Shape { .. }
            | OpenErrorKind::Incompatible { .. }
            | OpenErrorKind::Refused(_) => io::ErrorKind::InvalidData,
            OpenErrorKind::Limit(_) => io::ErrorKind::QuotaExceeded,
            OpenErrorKind::Os => error
                .source
                .as_ref()
                .map_or(io::ErrorKind::Other, io::Error::kind),
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_carries_the_number_needed_to_act() {
        assert!(
            SendError::TooLarge { max: 8192 }
                .to_string()
                .contains("8192")
        );
        assert!(
            RecvError::TooSmall { needed: 77 }
                .to_string()
                .contains("77")
        );
    }

    #[test]
    fn converts_to_io_and_keeps_itself_inside() {
        let error = io::Error::from(SendError::TooLarge { max: 1 });
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<SendError>());
        assert!(matches!(inner, Some(SendError::TooLarge { max: 1 })));
    }
}
