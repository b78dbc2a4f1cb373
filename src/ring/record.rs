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
#[inline]
pub(crate) const fn size(len: usize) -> usize {
    // No message is so long that this could wrap.
    len.wrapping_add(HEADER + 7) & !7
}

/// A record's header as a word. `len` fits: no message is longer than 2 GiB.
#[inline]
pub(crate) const fn header(kind: Kind, len: usize) -> u64 {
    (kind.word() as u64) << 32 | len as u64 & 0xffff_ffff
}

/// The length in a header, whatever it is worth.
#[inline]
pub(crate) const fn length(word: u64) -> u64 {
    word & 0xffff_ffff
}

/// The length of the message that a header tells of, if the record ends before the `left` bytes do that there are from its start.
#[inline]
pub(crate) fn message(word: u64, left: usize) -> Option<usize> {
    let len = usize::try_from(length(word)).ok()?;
    let fits = word >> 32 == Kind::Message.word() as u64 && len <= left.wrapping_sub(HEADER);
    (fits && left >= HEADER).then_some(len)
}

/// What a header says, if the record ends before the `left` bytes do that there are from its start.
#[inline]
pub(crate) fn parse(word: u64, left: usize) -> Result<(Kind, usize), OutOfBounds> {
    let kind = u32::try_from(word >> 32).ok().and_then(Kind::of);
    let len = usize::try_from(length(word)).map_err(|_| OutOfBounds)?;
    if len > left - HEADER.min(left) {
        return Err(OutOfBounds);
    }
    Ok((kind.ok_or(OutOfBounds)?, len))
}

/// Writes a record's header.
#[inline]
pub(crate) fn write_header(
    data: Data<'_>,
    at: u64,
    kind: Kind,
    len: usize,
) -> Result<(), OutOfBounds> {
    data.write(at, &header(kind, len).to_ne_bytes())
}

/// Reads a record's header, and checks that the record ends before the ring does.
#[inline]
pub(crate) fn read_header(data: Data<'_>, at: u64) -> Result<(Kind, usize), OutOfBounds> {
    let mut bytes = [0; HEADER];
    data.read(at, &mut bytes)?;
    let (_, left) = data.place(at);
    parse(u64::from_ne_bytes(bytes), left)
}
