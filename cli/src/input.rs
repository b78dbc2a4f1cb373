//! Standard input, cut into messages.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    os::fd::AsFd,
};

use nix::poll::PollFlags;

use crate::{exit::Failure, stop::Stop};

/// How much is read at once, at least.
const CHUNK: usize = 64 << 10;

/// Where one message ends and the next begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// At each newline, which belongs to none.
    Lines {
        /// The longest line that can be sent.
        max: usize,
    },
    /// After so many bytes.
    Blocks(usize),
}

/// The next message is longer than can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// Which line it is, from 1.
    pub(crate) line: u64,
}

/// Standard input. What is read lies in one buffer, and messages are lent from it.
#[derive(Debug)]
pub(crate) struct Input {
    file: File,
    pieces: Pieces,
}

impl Input {
    /// Standard input, cut like this.
    pub(crate) fn new(cut: Cut) -> io::Result<Self> {
        Ok(Self {
            file: File::from(io::stdin().as_fd().try_clone_to_owned()?),
            pieces: Pieces::new(cut),
        })
    }

    /// The messages that are there, waiting for one; none at the end.
    ///
    /// # Errors
    /// [`TooLong`], inside, once what came before it was given.
    pub(crate) fn next(&mut self, stop: &Stop) -> Result<Result<Vec<&[u8]>, TooLong>, Failure> {
        while self.pieces.is_wanting() {
            stop.wait(&self.file, PollFlags::POLLIN, Failure::Input)?;
            match self.file.read(self.pieces.room()) {
                Ok(read) => self.pieces.came(read),
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(Failure::Input(error)),
            }
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
            Cut::Lines { .. } => CHUNK,
            Cut::Blocks(size) => CHUNK.max(size),
        };
        Self {
            cut,
            buffer: vec![0; room],
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
                Cut::Blocks(size) => tail < size,
                Cut::Lines { max } => {
                    let fresh = self.buffer.get(self.searched..self.end).unwrap_or_default();
                    match fresh.iter().position(|&byte| byte == b'\n') {
                        Some(at) => self.searched += at,
                        None => self.searched = self.end,
                    }
                    self.searched == self.end && tail <= max
                }
            }
    }

    /// Room for what comes next.
    fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.searched -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            // A long line. It stops growing at the longest that can be sent.
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
    fn take(&mut self) -> Result<Vec<&[u8]>, TooLong> {
        let (start, ended) = (self.start, self.ended);
        let bytes = self.buffer.get(start..self.end).unwrap_or_default();
        let (messages, taken) = match self.cut {
            Cut::Lines { max } => lines(bytes, max, ended),
            Cut::Blocks(size) => blocks(bytes, size, ended),
        };
        if messages.is_empty() && !bytes.is_empty() {
            return Err(TooLong {
                line: self.given + 1,
            });
        }
        self.start += taken;
        self.searched = self.start;
        self.given += messages.len() as u64;
        Ok(messages)
    }
}

/// The whole lines that `bytes` starts with, and how many bytes these take with their newlines. A line that is too
/// long ends them.
fn lines(bytes: &[u8], max: usize, ended: bool) -> (Vec<&[u8]>, usize) {
    let mut found = Vec::new();
    let mut taken = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let message = match line.strip_suffix(b"\n") {
            Some(message) => message,
            None if ended => line,
            None => break,
        };
        if message.len() > max {
            break;
        }
        found.push(message);
        taken += line.len();
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
    fn cut(text: &[u8], piece: usize, cut: Cut) -> Result<Vec<Vec<u8>>, TooLong> {
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

    #[test]
    fn lines_are_whole_however_they_come() {
        let long = vec![b'x'; 3 * CHUNK];
        let text = [b"\nab\n\0\r\n", &long[..], b"\nlast"].concat();
        let expected: Vec<&[u8]> = vec![b"", b"ab", b"\0\r", &long, b"last"];
        for piece in [1, 7, CHUNK, usize::MAX] {
            let found = cut(&text, piece, Cut::Lines { max: long.len() });
            assert_eq!(
                found.as_deref(),
                Ok(&expected.iter().map(|m| m.to_vec()).collect::<Vec<_>>()[..])
            );
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
                assert_eq!(found, Err(TooLong { line: 2 }));
            }
        }
    }

    #[test]
    fn blocks_are_full_but_for_the_last() {
        for piece in [1, 2, 5, CHUNK] {
            let found = cut(b"abcdefg", piece, Cut::Blocks(3));
            assert_eq!(
                found,
                Ok(vec![b"abc".to_vec(), b"def".to_vec(), b"g".to_vec()])
            );
            assert_eq!(cut(b"", piece, Cut::Blocks(3)), Ok(Vec::new()));
        }
    }
}
