//! Why a message did not move.

use std::{error::Error, fmt, io};

/// Why a message was not sent. Nothing of it was sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// Still no room at the deadline.
    Full,
    /// Every receiver is gone.
    Disconnected,
    /// Longer than this channel carries.
    TooLarge {
        /// The longest message this channel carries, in bytes.
        max: usize,
    },
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
    /// Every sender is gone, and every message has been received.
    Disconnected,
    /// The buffer is shorter than the message, which stays.
    TooSmall {
        /// The length of the message, in bytes.
        needed: usize,
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
            Self::Poisoned => f.write_str(
                "a process died and left the channel in doubt; unlink it and open it again",
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
            Self::Corrupt => {
                f.write_str("the channel holds what no sender writes; unlink it and open it again")
            }
            Self::Poisoned => f.write_str(
                "a process died and left the channel in doubt; unlink it and open it again",
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
            SendError::TooLarge { .. } => io::ErrorKind::InvalidInput,
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
            RecvError::Corrupt | RecvError::Poisoned => io::ErrorKind::InvalidData,
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
