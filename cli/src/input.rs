//! What is sent, cut into messages.

use memchr::{memchr, memchr_iter};

use crate::{exit::Failure, framing::PREFIX, source::Source, stop::Stop};

/// How much is read at once, at least.
const CHUNK: usize = 256 << 10;
/// Where reads land is a multiple of it: a line of the cache. What allocators return for so much is 16 bytes behind a page, and there
/// many processors copy a file several times slower: see "Copies" in docs/design.md.
const LINE: usize = 64;

/// Where one message ends and the next begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// At each newline, which belongs to none.
    Lines {
        /// The longest line that can be sent.
        max: usize,
    },
    /// After so many bytes as the four in front of it say.
    Lengths {
        /// The longest message that can be sent.
        max: usize,
    },
    /// After so many bytes.
    Blocks(usize),
    /// After so many bytes, or fewer if no more have come.
    Chunks(usize),
}

/// What comes next is no message that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is too long.
    TooLong {
        /// Which message it is, from 1.
        number: u64,
        /// How long it is, if that is known.
        len: Option<u32>,
    },
    /// The input ends within it.
    Torn {
        /// Which message it is, from 1.
        number: u64,
        /// How many bytes there are of it, with its length.
        found: usize,
        /// How many there should be, as far as that is known.
        needed: usize,
    },
}

/// What is read lies in one buffer, and messages are lent from it.
#[derive(Debug)]
pub(crate) struct Input {
    source: Source,
    pieces: Pieces,
}

impl Input {
    /// A source, cut like this.
    pub(crate) fn new(source: Source, cut: Cut) -> Self {
        let pieces = Pieces::new(cut);
        Self { source, pieces }
    }

    /// The messages that are there, waiting for one; none at the end.
    ///
    /// # Errors
    /// [`Bad`], inside, once what came before it was given.
    pub(crate) fn next(&mut self, stop: &Stop) -> Result<Result<Vec<&[u8]>, Bad>, Failure> {
        while self.pieces.is_wanting() {
            let read = self.source.read(self.pieces.room(), stop)?;
            self.pieces.came(read);
        }
        Ok(self.pieces.take())
    }
}

/// Bytes that come in pieces of any length and leave as messages.
#[derive(Debug)]
struct Pieces {
    cut: Cut,
    buffer: Vec<u8>,
    /// What of the buffer has come and was not given.
    start: usize,
    end: usize,
    /// Up to here there is no newline.
    searched: usize,
    given: u64,
    ended: bool,
}

impl Pieces {
    fn new(cut: Cut) -> Self {
        let room = match cut {
            Cut::Lines { .. } | Cut::Lengths { .. } => CHUNK,
            Cut::Blocks(size) | Cut::Chunks(size) => CHUNK.max(size),
        };
        Self {
            cut,
            buffer: vec![0; room + LINE],
            start: 0,
            end: 0,
            searched: 0,
            given: 0,
            ended: false,
        }
    }

    /// Whether more must come before there is a message, or the end.
    fn is_wanting(&mut self) -> bool {
        let tail = self.end - self.start;
        !self.ended
            && match self.cut {
                Cut::Chunks(_) => tail == 0,
                Cut::Blocks(size) => tail < size,
                Cut::Lengths { max } => {
                    let bytes = self.buffer.get(self.start..self.end).unwrap_or_default();
                    let needed = total(bytes);
                    needed.is_none_or(|needed| needed <= PREFIX + max && tail < needed)
                }
                Cut::Lines { max } => {
                    let fresh = self.buffer.get(self.searched..self.end).unwrap_or_default();
                    match memchr(b'\n', fresh) {
                        Some(at) => self.searched += at,
                        None => self.searched = self.end,
                    }
                    self.searched == self.end && tail <= max
                }
            }
    }

    /// Room for what comes next.
    fn room(&mut self) -> &mut [u8] {
        let tail = self.end - self.start;
        if tail == 0 || self.start >= LINE {
            // To the front, but for what aligns its end.
            let start = self.buffer.get(tail..).unwrap_or_default();
            let start = start.as_ptr().align_offset(LINE).min(LINE);
            self.buffer.copy_within(self.start..self.end, start);
            self.searched = start + self.searched.saturating_sub(self.start);
            (self.start, self.end) = (start, start + tail);
        }
        if self.end == self.buffer.len() {
            // A long message. It stops growing at the longest that can be sent.
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes came; none is the end.
    fn came(&mut self, read: usize) {
        self.ended = read == 0;
        self.end += read;
    }

    /// Gives every message that is whole; at the end also the rest.
    fn take(&mut self) -> Result<Vec<&[u8]>, Bad> {
        let (start, ended) = (self.start, self.ended);
        let bytes = self.buffer.get(start..self.end).unwrap_or_default();
        let (messages, taken) = match self.cut {
            Cut::Lines { max } => lines(bytes, max, ended),
            Cut::Lengths { max } => lengths(bytes, max),
            Cut::Blocks(size) => blocks(bytes, size, ended),
            Cut::Chunks(size) => blocks(bytes, size, true),
        };
        if messages.is_empty() && !bytes.is_empty() {
            return Err(self.fault(bytes));
        }
        self.start += taken;
        self.searched = self.start;
        self.given += messages.len() as u64;
        Ok(messages)
    }

    /// What is wrong with a message that `bytes` start with.
    fn fault(&self, bytes: &[u8]) -> Bad {
        let number = self.given + 1;
        let found = bytes.len();
        let needed = total(bytes);
        match self.cut {
            Cut::Lengths { max } if needed.is_none_or(|needed| needed <= PREFIX + max) => {
                Bad::Torn {
                    number,
                    found,
                    needed: needed.unwrap_or(PREFIX),
                }
            }
            Cut::Lengths { .. } => Bad::TooLong {
                number,
                len: bytes.first_chunk().copied().map(u32::from_le_bytes),
            },
            _ => Bad::TooLong { number, len: None },
        }
    }
}

/// How many bytes a message takes with its length in front, if that is there.
fn total(bytes: &[u8]) -> Option<usize> {
    let prefix = bytes.first_chunk::<PREFIX>()?;
    let len = usize::try_from(u32::from_le_bytes(*prefix)).ok()?;
    PREFIX.checked_add(len)
}

/// The whole lines that `bytes` starts with, and how many bytes these take with their newlines. A line that is too
/// long ends them.
fn lines(bytes: &[u8], max: usize, ended: bool) -> (Vec<&[u8]>, usize) {
    let mut found = Vec::new();
    let mut taken = 0;
    for end in memchr_iter(b'\n', bytes) {
        let line = bytes.get(taken..end).unwrap_or_default();
        if line.len() > max {
            return (found, taken);
        }
        found.push(line);
        taken = end + 1;
    }
    let rest = bytes.get(taken..).unwrap_or_default();
    if ended && !rest.is_empty() && rest.len() <= max {
        found.push(rest);
        taken = bytes.len();
    }
    (found, taken)
}

/// The whole messages that `bytes` starts with, and how many bytes these take with their lengths. One that is too long ends
/// them.
fn lengths(bytes: &[u8], max: usize) -> (Vec<&[u8]>, usize) {
    let mut found = Vec::new();
    let mut taken = 0;
    while let Some(rest) = bytes.get(taken..)
        && let Some(total) = total(rest).filter(|total| *total <= PREFIX + max)
        && let Some(message) = rest.get(PREFIX..total)
    {
        found.push(message);
        taken += total;
    }
    (found, taken)
}

/// The blocks that `bytes` starts with, and how many bytes these take.
fn blocks(bytes: &[u8], size: usize, ended: bool) -> (Vec<&[u8]>, usize) {
    let whole = bytes.len() - bytes.len() % size;
    let taken = if ended { bytes.len() } else { whole };
    let found = bytes
        .get(..taken)
        .unwrap_or_default()
        .chunks(size)
        .collect();
    (found, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when `text` comes in pieces of `piece` bytes.
    fn cut(text: &[u8], piece: usize, cut: Cut) -> Result<Vec<Vec<u8>>, Bad> {
        let mut pieces = Pieces::new(cut);
        let mut text = text;
        let mut all = Vec::new();
        loop {
            while pieces.is_wanting() {
                let room = pieces.room();
                let read = piece.min(text.len()).min(room.len());
                room[..read].copy_from_slice(&text[..read]);
                text = &text[read..];
                pieces.came(read);
            }
            let messages = pieces.take()?;
            if messages.is_empty() {
                return Ok(all);
            }
            all.extend(messages.into_iter().map(<[u8]>::to_vec));
        }
    }

    fn owned(messages: &[&[u8]]) -> Vec<Vec<u8>> {
        messages.iter().map(|message| message.to_vec()).collect()
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let long = vec![b'x'; 3 * CHUNK];
        let text = [b"\nab\n\0\r\n", &long[..], b"\nlast"].concat();
        let expected: Vec<&[u8]> = vec![b"", b"ab", b"\0\r", &long, b"last"];
        for piece in [1, 7, CHUNK, usize::MAX] {
            let found = cut(&text, piece, Cut::Lines { max: long.len() });
            assert_eq!(found, Ok(owned(&expected)));
        }
        let found = cut(b"ab\n", 1, Cut::Lines { max: 2 });
        assert_eq!(
            found,
            Ok(vec![b"ab".to_vec()]),
            "no line after the last newline"
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_told_before_its_end_comes() {
        for piece in [1, CHUNK] {
            for text in [&b"ab\nabc\n"[..], b"ab\nabc", b"ab\nabcdefgh"] {
                let found = cut(text, piece, Cut::Lines { max: 2 });
                let (number, len) = (2, None);
                assert_eq!(found, Err(Bad::TooLong { number, len }));
            }
        }
    }

    #[test]
    fn lengths_are_believed_however_they_come() {
        let long = vec![b'\n'; 3 * CHUNK];
        let expected: Vec<&[u8]> = vec![b"", b"ab", &long, b""];
        let mut text = Vec::new();
        for message in &expected {
            let len = u32::try_from(message.len()).expect("short");
            text.extend_from_slice(&len.to_le_bytes());
            text.extend_from_slice(message);
        }
        for piece in [1, 7, CHUNK, usize::MAX] {
            let found = cut(&text, piece, Cut::Lengths { max: long.len() });
            assert_eq!(found, Ok(owned(&expected)));
        }
    }

    #[test]
    fn a_torn_message_and_one_that_is_too_long_are_told_apart() {
        for piece in [1, CHUNK] {
            let lengths = |text: &[u8]| cut(text, piece, Cut::Lengths { max: 8 });
            let torn = |number, found, needed| {
                Err(Bad::Torn {
                    number,
                    found,
                    needed,
                })
            };
            assert_eq!(lengths(b"\x01\0\0\0a\x02\0"), torn(2, 2, 4));
            assert_eq!(lengths(b"\x03\0\0\0ab"), torn(1, 6, 7));
            let (number, len) = (1, Some(9));
            let long = Err(Bad::TooLong { number, len });
            assert_eq!(lengths(b"\x09\0\0\0"), long);
            assert_eq!(lengths(b"\x09\0\0\0abcdefghi"), long);
        }
        let vast = cut(b"\xff\xff\xff\xff", 4, Cut::Lengths { max: 1 << 31 });
        let len = Some(0xffff_ffff);
        assert_eq!(vast, Err(Bad::TooLong { number: 1, len }));
    }

    #[test]
    fn blocks_are_full_but_for_the_last() {
        for piece in [1, 2, 5, CHUNK] {
            let found = cut(b"abcdefg", piece, Cut::Blocks(3));
            assert_eq!(found, Ok(owned(&[b"abc", b"def", b"g"])));
            assert_eq!(cut(b"", piece, Cut::Blocks(3)), Ok(Vec::new()));
        }
    }

    #[test]
    fn chunks_go_as_they_come() {
        assert_eq!(
            cut(b"abcdefg", 2, Cut::Chunks(3)),
            Ok(owned(&[b"ab", b"cd", b"ef", b"g"]))
        );
        assert_eq!(
            cut(b"abcdefg", CHUNK, Cut::Chunks(3)),
            Ok(owned(&[b"abc", b"def", b"g"]))
        );
    }
}
