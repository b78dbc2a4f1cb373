//! What a connection carries besides messages.
//!
//! ```text
//!   packet:  | 0 | message |            a message
//!            | tag | a u32 | b u32 |    a note
//!   stream:  frames as in a pipe; a short one that pledges nothing is a note: | tag | a u32 | b u32 |
//! ```
//!
//! A sender's first words are a greeting. Whoever connects and does not greet is no sender, and is not counted as one.

use crate::Fingerprint;

/// In front of a message that travels as a packet.
pub(crate) const MESSAGE: u8 = 0;
/// The bytes of a note.
pub(crate) const LEN: usize = 9;

const GREETING: u8 = 1;
const TYPE: u8 = 2;
const REFUSAL: u8 = 3;

/// A note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// From a sender, first: the longest message that it may send, and their type.
    Greeting {
        /// In bytes.
        max: u32,
        /// Untyped if it has declared none yet.
        of: Fingerprint,
    },
    /// From a sender: of what type its messages are from now on.
    Type(Fingerprint),
    /// From a receiver, before it closes a connection.
    Refusal(Refusal),
}

/// Why a receiver turned a sender away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It runs as this user, who is not among those allowed.
    User(u32),
    /// Its messages are of another type than this.
    Type(Fingerprint),
    /// It wrote what no sender writes.
    Nonsense,
}

impl Note {
    /// As bytes.
    pub(crate) fn bytes(self) -> [u8; LEN] {
        let (tag, a, b) = match self {
            Self::Greeting { max, of } => (GREETING, max, of.bits()),
            Self::Type(of) => (TYPE, of.bits(), 0),
            Self::Refusal(Refusal::User(uid)) => (REFUSAL, 1, uid),
            Self::Refusal(Refusal::Type(of)) => (REFUSAL, 2, of.bits()),
            Self::Refusal(Refusal::Nonsense) => (REFUSAL, 3, 0),
        };
        let mut bytes = [tag; LEN];
        let (_, words) = bytes.split_at_mut(1);
        let (first, second) = words.split_at_mut(4);
        first.copy_from_slice(&a.to_le_bytes());
        second.copy_from_slice(&b.to_le_bytes());
        bytes
    }

    /// From bytes; `None` if nobody writes these.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let &[tag, a0, a1, a2, a3, b0, b1, b2, b3] = bytes else {
            return None;
        };
        let a = u32::from_le_bytes([a0, a1, a2, a3]);
        let b = u32::from_le_bytes([b0, b1, b2, b3]);
        Some(match (tag, a) {
            (GREETING, max) => Self::Greeting {
                max,
                of: Fingerprint::from_bits(b),
            },
            (TYPE, of) => Self::Type(Fingerprint::from_bits(of)),
            (REFUSAL, 1) => Self::Refusal(Refusal::User(b)),
            (REFUSAL, 2) => Self::Refusal(Refusal::Type(Fingerprint::from_bits(b))),
            (REFUSAL, 3) => Self::Refusal(Refusal::Nonsense),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_as_they_were_and_nothing_else_is_one() {
        let of = Fingerprint::of::<u64>().expect("small");
        let notes = [
            Note::Greeting { max: 70_000, of },
            Note::Type(of),
            Note::Refusal(Refusal::User(1000)),
            Note::Refusal(Refusal::Type(of)),
            Note::Refusal(Refusal::Nonsense),
        ];
        for note in notes {
            assert_eq!(Note::read(&note.bytes()), Some(note));
            assert_eq!(Note::read(&note.bytes()[1..]), None);
        }
        assert_eq!(Note::read(&[MESSAGE; LEN]), None);
        assert_eq!(Note::read(&[9; LEN]), None);
    }
}
