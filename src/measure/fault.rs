//! Why a channel is not measured, or what it did wrong.

use std::{error::Error, fmt, io};

use serde::{Deserialize, Serialize};

use crate::{AddressError, End, OpenError, RecvError, SendError};

/// What a channel did that disqualifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// Not as many messages came as were sent.
    Miscounted {
        /// How many were sent.
        sent: u64,
        /// How many came.
        received: u64,
    },
    /// As many came as were sent, and not the same ones.
    Mixed,
    /// A message came with other bytes than it was sent with.
    Altered,
    /// A message came with another length.
    Resized {
        /// The bytes that were sent.
        sent: u64,
        /// The bytes that came.
        received: u64,
    },
    /// A message was lost, came twice, or overtook another.
    Misplaced {
        /// The number that was to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// Sending failed.
    Sending {
        /// How.
        trouble: Trouble,
    },
    /// Receiving failed.
    Receiving {
        /// How.
        trouble: Trouble,
    },
    /// Nothing moved any more.
    Stalled,
    /// A process of the session ended.
    Died {
        /// How, as the system words it.
        status: String,
    },
}

/// How sending or receiving failed: the errors of both, without what no other process can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trouble {
    /// The other side was taken to be gone.
    Disconnected,
    /// The message was too long.
    TooLarge,
    /// The sender had overtaken the receiver.
    Lagged,
    /// Full or empty, though the call might wait for ever.
    GaveUp,
    /// Something was there that no sender writes, or that cannot be proved sound.
    Corrupt,
    /// The system refused, with this code.
    System(i32),
}

impl From<&SendError> for Trouble {
    fn from(error: &SendError) -> Self {
        match error {
            SendError::Full => Self::GaveUp,
            SendError::Disconnected => Self::Disconnected,
            SendError::TooLarge { .. } => Self::TooLarge,
            SendError::Poisoned | SendError::Unencodable => Self::Corrupt,
            SendError::Io(error) => Self::System(error.raw_os_error().unwrap_or_default()),
        }
    }
}

impl From<&RecvError> for Trouble {
    fn from(error: &RecvError) -> Self {
        match error {
            RecvError::Empty => Self::GaveUp,
            RecvError::Disconnected => Self::Disconnected,
            RecvError::TooSmall { .. } => Self::TooLarge,
            RecvError::Lagged { .. } => Self::Lagged,
            RecvError::Mistyped { .. } | RecvError::Corrupt | RecvError::Poisoned => Self::Corrupt,
            RecvError::Io(error) => Self::System(error.raw_os_error().unwrap_or_default()),
        }
    }
}

impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        let trouble = (&error).into();
        Self::Sending { trouble }
    }
}

impl From<RecvError> for Fault {
    fn from(error: RecvError) -> Self {
        let trouble = (&error).into();
        Self::Receiving { trouble }
    }
}

impl Fault {
    /// Whether it may be no more than the consequence of another process's fault.
    pub(super) const fn follows(&self) -> bool {
        matches!(
            self,
            Self::Sending {
                trouble: Trouble::Disconnected
            } | Self::Receiving {
                trouble: Trouble::Disconnected
            } | Self::Died { .. }
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Miscounted { sent, received } => {
                write!(f, "of {sent} messages {received} came")
            }
            Self::Mixed => f.write_str("as many messages came as were sent, but other ones"),
            Self::Altered => f.write_str("a message came with other bytes than it was sent with"),
            Self::Resized { sent, received } => {
                write!(f, "a message of {sent} bytes came with {received}")
            }
            Self::Misplaced { expected, found } => {
                write!(f, "message {found} came where {expected} was due")
            }
            Self::Sending { trouble } => write!(f, "sending failed: {trouble}"),
            Self::Receiving { trouble } => write!(f, "receiving failed: {trouble}"),
            Self::Stalled => f.write_str("nothing moved any more"),
            Self::Died { status } => write!(f, "a process of the session ended ({status})"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("the other side seemed gone"),
            Self::TooLarge => f.write_str("the message was too long"),
            Self::Lagged => f.write_str("the sender had overtaken the receiver"),
            Self::GaveUp => f.write_str("it gave up, though it might wait"),
            Self::Corrupt => f.write_str("the channel was corrupt"),
            Self::System(0) => f.write_str("the system refused"),
            Self::System(code) => write!(f, "{}", io::Error::from_raw_os_error(*code)),
        }
    }
}

/// Why a session did not start, or ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The address is wrong.
    Address(AddressError),
    /// A channel did not open.
    Open(OpenError),
    /// The channel takes one handle at this end, and the workload has more.
    Fan(End),
    /// The channel may give messages up, or gives each to every receiver, and each was to come once.
    Lossy,
    /// The messages are longer than the channel, or any session, carries.
    TooLarge {
        /// The longest possible, in bytes.
        max: usize,
    },
    /// The messages are too short to carry their number, which several producers or consumers need where messages have a rate
    /// or answers.
    TooShort {
        /// The shortest possible, in bytes.
        min: usize,
    },
    /// The rate is not a number above 0.
    Rate,
    /// This process is itself a peer of a session, and was to play its role.
    Nested,
    /// A peer did not start.
    Spawn(io::Error),
    /// A peer ended, or answered something else, before it was ready.
    Unanswered,
    /// The channel disqualified itself.
    Fault(Fault),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Fan(end) => {
                let end = match end {
                    End::Sender => "sender",
                    End::Receiver => "receiver",
                };
                write!(
                    f,
                    "the channel takes one {end}; ask for one, or measure a channel for many"
                )
            }
            Self::Lossy => f.write_str(
                "the channel may give messages up, or gives each to every receiver; measure one that gives each to one",
            ),
            Self::TooLarge { max } => write!(
                f,
                "the messages are longer than {max} bytes; ask for shorter ones, or a larger channel"
            ),
            Self::TooShort { min } => write!(
                f,
                "with several producers or consumers, messages that have a rate or answers need {min} bytes for their number"
            ),
            Self::Rate => f.write_str("a rate is a number of messages a second, above 0"),
            Self::Nested => f.write_str(
                "this process is a peer of a session; call measure::serve first thing in main",
            ),
            Self::Spawn(error) => write!(f, "a peer process did not start: {error}"),
            Self::Unanswered => f.write_str(
                "a peer process was not ready; call measure::serve first thing in main, with the same registry",
            ),
            Self::Fault(fault) => write!(f, "disqualified: {fault}"),
        }
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Address(error) => Some(error),
            Self::Open(error) => Some(error),
            Self::Spawn(error) => Some(error),
            _ => None,
        }
    }
}

impl From<AddressError> for SessionError {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl From<OpenError> for SessionError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<Fault> for SessionError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
