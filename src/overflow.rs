//! What a sender does with a message for which a ring has no room.

use std::time::Duration;

use crate::Deadline;

/// How long a sender that is to give up the oldest message lets a receiver hold it: as long as a call that may not wait waits for a lock.
const BRIEFLY: Duration = Duration::from_micros(200);

/// What this sender does with a message for which the ring has no room.
///
/// It is the sender's own: nothing of it stands in the ring, receivers need not name it, and senders of one channel may differ. What was given up
/// is counted in the ring, where [`counters`](crate::Endpoint::counters) of every end reads it, and not as sent. Whatever the policy, a message that is too long and a
/// receiver that is gone are told as ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Waits for room, up to the deadline of the call.
    #[default]
    Block,
    /// Says [`Full`](crate::SendError::Full) at once, whatever the deadline. Of a batch goes what there is room for.
    Fail,
    /// Gives the new message up: the call returns as if it had been sent, and the message is counted as dropped. A reservation is lent from a
    /// buffer, since there may be no room for it in the ring.
    DropNewest,
    /// Gives up the oldest messages that nobody has received, as many as it takes, and counts them. What a receiver holds (peeked, or being
    /// copied) is not given up: if that is in the way for longer than 200 µs, the call says [`Full`](crate::SendError::Full). Only where several may
    /// receive: `shm+mpmc:` and `shm+lock:` (not with `lock=raw_sync`).
    DropOldest,
}

impl Overflow {
    /// The words that addresses use: `block`, `fail`, `drop-newest`, `drop-oldest`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "block" => Some(Self::Block),
            "fail" => Some(Self::Fail),
            "drop-newest" => Some(Self::DropNewest),
            "drop-oldest" => Some(Self::DropOldest),
            _ => None,
        }
    }

    /// Its word in an address.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Fail => "fail",
            Self::DropNewest => "drop-newest",
            Self::DropOldest => "drop-oldest",
        }
    }

    /// How long to wait for room, in a call with this deadline.
    pub(crate) fn patience(self, deadline: Deadline) -> Deadline {
        match self {
            Self::Block => deadline,
            Self::Fail | Self::DropNewest => Deadline::NOW,
            Self::DropOldest => Deadline::after(BRIEFLY),
        }
    }

    /// Whether messages may be given up.
    pub(crate) const fn is_lossy(self) -> bool {
        matches!(self, Self::DropNewest | Self::DropOldest)
    }
}
