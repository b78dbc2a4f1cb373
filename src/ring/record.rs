//! How a message lies in a ring: a header of eight bytes, the message, and padding to eight.
//!
//! ```text
//!    0               4               8                          8 + len
//!   +---------------+---------------+----------------------------+-----+
//!   | len      u32  | kind     u32  | message                    | pad |
//!   +---------------+---------------+----------------------------+-----+
//! ```
//!
//! A record never crosses the end of the ring: what is left there is a padding record.

use crate::ring::{Data, OutOfBounds};

/// Bytes in front of each message.
pub(crate) const HEADER: usize = 8;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message.
    Message,
    /// Filler up to the end of the ring.
    Padding,
}

impl Kind {
    const fn word(self) -> u32 {
        match self {
            Self::Message => 0x4d,
            Self::Padding => 0x50,
        }
    }

    const fn of(word: u32) -> Option<Self> {
        match word {
            0x4d => Some(Self::Message),
            0x50 => Some(Self::Padding),
            _ => None,
        }
    }
}

/// The bytes that a message of `len` bytes takes.
pub(crate) const fn size(len: usize) -> usize {
    HEADER + len.next_multiple_of(8)
}

/// Writes a record's header.
#[inline]
pub(crate) fn write_header(
    data: Data<'_>,
    at: u64,
    kind: Kind,
    len: usize,
) -> Result<(), OutOfBounds> {
    let len = u32::try_from(len).map_err(|_| OutOfBounds)?;
    let word = u64::from(kind.word()) << 32 | u64::from(len);
    data.write(at, &word.to_le_bytes())
}

/// Reads a record's header, and checks that the record ends before the ring does.
#[inline]
pub(crate) fn read_header(data: Data<'_>, at: u64) -> Result<(Kind, usize), OutOfBounds> {
    let mut bytes = [0; HEADER];
    data.read(at, &mut bytes)?;
    let word = u64::from_le_bytes(bytes);
    let kind = u32::try_from(word >> 32).ok().and_then(Kind::of);
    let len = usize::try_from(word & u64::from(u32::MAX)).map_err(|_| OutOfBounds)?;
    let (_, left) = data.place(at);
    if len > left - HEADER.min(left) {
        return Err(OutOfBounds);
    }
    Ok((kind.ok_or(OutOfBounds)?, len))
}
