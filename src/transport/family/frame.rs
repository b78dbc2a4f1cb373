//! How messages lie in a pipe.
//!
//! ```text
//!   short:   | word u32 | message | padding |     up to PIPE_BUF in all, written at once
//!   long:    | len u32 | message | !len u32 | 0 or 4 bytes |
//!   packet:  | len u32 | message |                one write, one packet
//!
//!   word:    | 1 | following: 7 bits | padding: 12 bits | len: 12 bits |
//! ```
//!
//! What a receiver has taken from the kernel is lost with it, so it takes no more than it was asked for. To take that in
//! one call it must know how long the next message is before it has seen it. So a short frame pledges that the
//! `following` frames behind it are each at least as long as it is without its padding, and a frame that would
//! be shorter is padded. A frame as long as the last costs one read, a longer one two, and none is ever taken too early.
//!
//! Up to PIPE_BUF a write is atomic, so a sender that dies has sent a short frame or has not. A long one may be cut,
//! but never within its first four bytes: the kernel cuts between pages, counted from the end, and the bytes behind
//! the trailer see to it that the first part is no shorter than that.
//!
//! A short frame without the top bit, as a program that is not laneway may write, pledges nothing.

use crate::transport::family::pipe_options::{HEADER, PIPE_BUF, PipeMode, TRAILER};

/// The mark of a short frame.
const SHORT: u32 = 1 << 31;
/// The bits of a length, of a message or of its padding.
const LENGTH_BITS: u32 = 12;
const LENGTH_MASK: u32 = (1 << LENGTH_BITS) - 1;
/// The most frames that one frame can pledge.
const MOST_FOLLOWING: usize = 127;

/// How many frames are still to come that are at least so long.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pledge {
    following: usize,
    size: usize,
}

impl Pledge {
    /// The bytes that the next `frames` frames take at least.
    #[inline]
    pub(crate) fn least(self, frames: usize) -> usize {
        let sure = self.following.min(frames);
        let rest = (frames - sure).saturating_mul(HEADER);
        rest.saturating_add(sure * self.size)
    }
}

/// What stands in front of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The word itself.
    word: u32,
    /// The bytes of the message.
    pub(crate) len: usize,
    /// The bytes of the frame.
    pub(crate) total: usize,
    /// What the frame tells of those behind it.
    pub(crate) pledge: Pledge,
}

impl Head {
    /// Reads it; `None` if no sender writes that.
    #[inline]
    pub(crate) fn read(bytes: [u8; HEADER], mode: PipeMode) -> Option<Self> {
        let word = u32::from_le_bytes(bytes);
        if word & SHORT == 0 || mode == PipeMode::Packet {
            let len = usize::try_from(word).ok()?;
            return Some(Self {
                word,
                len,
                total: HEADER + len + trailing(len),
                pledge: Pledge::default(),
            });
        }
        let length = |bits: u32| usize::try_from(bits & LENGTH_MASK).ok();
        let len = length(word)?;
        let total = HEADER + len + length(word >> LENGTH_BITS)?;
        let pledge = Pledge {
            following: usize::try_from((word & !SHORT) >> (2 * LENGTH_BITS)).ok()?,
            size: HEADER + len,
        };
        (total <= PIPE_BUF).then_some(Self {
            word,
            len,
            total,
            pledge,
        })
    }

    /// Whether it is written at once, so that no death cuts it.
    pub(crate) const fn is_short(&self) -> bool {
        self.total <= PIPE_BUF
    }

    /// Whether it is a note between the two ends of a socket, and no message.
    pub(crate) const fn is_note(&self) -> bool {
        self.word & SHORT != 0 && (self.word & !SHORT) >> (2 * LENGTH_BITS) == 0
    }

    /// Whether this is the trailer of the frame, or none is needed.
    pub(crate) fn is_closed_by(&self, behind: &[u8]) -> bool {
        self.is_short() || behind.first_chunk() == Some(&(!self.word).to_le_bytes())
    }
}

/// The bytes behind a message that nothing was pledged about.
#[inline]
const fn trailing(len: usize) -> usize {
    let total = HEADER + len;
    if total <= PIPE_BUF {
        0
    } else if matches!((total + TRAILER) % PIPE_BUF, 1..HEADER) {
        TRAILER + HEADER
    } else {
        TRAILER
    }
}

/// Writes the word in front of a packet.
pub(crate) fn put_packet(frames: &mut Vec<u8>, message: &[u8]) {
    frames.extend_from_slice(&word(message.len()).to_le_bytes());
    frames.extend_from_slice(message);
}

/// What goes in front of and behind a long message.
pub(crate) fn around_long(message: &[u8]) -> ([u8; HEADER], [u8; TRAILER + HEADER], usize) {
    let word = word(message.len());
    let mut behind = [0; TRAILER + HEADER];
    let (trailer, _) = behind.split_at_mut(TRAILER);
    trailer.copy_from_slice(&(!word).to_le_bytes());
    (word.to_le_bytes(), behind, trailing(message.len()))
}

fn word(len: usize) -> u32 {
    // No pipe holds 4 GiB, and longer messages were refused.
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// What a sender has pledged and not yet kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pledged {
    /// The next frame has at least these bytes, ...
    last: usize,
    /// ... and each of so many at least `size`.
    following: usize,
    size: usize,
}

impl Pledged {
    /// Nothing: the pipe is new.
    pub(crate) const NOTHING: Self = Self {
        last: 0,
        following: 0,
        size: 0,
    };

    /// There may have been a sender before: one frame as long as all that it can have pledged settles it.
    pub(crate) const UNKNOWN: Self = Self {
        last: PIPE_BUF,
        following: 0,
        size: 0,
    };

    /// The bytes that a message of `len` bytes takes next.
    #[inline]
    pub(crate) fn total(&self, len: usize) -> usize {
        let pledged = if self.following > 0 { self.size } else { 0 };
        (HEADER + len).max(self.last).max(pledged)
    }

    /// Writes a short frame behind `frames`.
    #[inline]
    pub(crate) fn put(&mut self, frames: &mut Vec<u8>, message: &[u8]) {
        let own = HEADER + message.len();
        let total = self.total(message.len());
        let end = frames.len() + total;
        let left = if total == PIPE_BUF {
            0
        } else {
            self.following.saturating_sub(1)
        };
        let following = if left > 1 && own <= self.size {
            left.min(PIPE_BUF / own)
        } else {
            1
        };
        let padding = word(total - own) << LENGTH_BITS;
        let word = mark(following) | padding | word(message.len());
        frames.extend_from_slice(&word.to_le_bytes());
        frames.extend_from_slice(message);
        frames.resize(end, 0);
        self.last = own;
        self.following = left;
    }

    /// Writes the first of `messages` behind nothing, as many as one atomic write holds, and tells how many those are, and
    /// how many bytes they have.
    pub(crate) fn gather(
        &mut self,
        frames: &mut Vec<u8>,
        messages: &[&[u8]],
        max: usize,
    ) -> (usize, usize) {
        let mut gathered = 0;
        let mut alike = true;
        let mut size = None;
        for message in messages {
            let total = self.total(message.len());
            if frames.len() + total > PIPE_BUF || message.len() > max {
                break;
            }
            alike &= total == HEADER + message.len() && *size.get_or_insert(total) == total;
            self.put(frames, message);
            gathered += 1;
        }
        if gathered > 1 && alike {
            self.put_run(frames, gathered);
        }
        // Without padding there is no need to look at each.
        let bytes = match alike {
            true => frames.len() - gathered * HEADER,
            false => messages.iter().take(gathered).map(|m| m.len()).sum(),
        };
        (gathered, bytes)
    }

    /// Writes a note behind `frames`, which pledges nothing; every message pledges at least the next.
    pub(crate) fn put_note(&mut self, frames: &mut Vec<u8>, note: &[u8]) {
        let start = frames.len();
        self.put(frames, note);
        if let Some(head) = frames.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            let word = u32::from_le_bytes(*head) & !(mark(MOST_FOLLOWING) & !SHORT);
            *head = word.to_le_bytes();
        }
        self.last = 0;
    }

    /// Pledges, in each of these `count` frames of one size, those behind it and as many again.
    pub(crate) fn put_run(&mut self, frames: &mut [u8], count: usize) {
        let size = frames.len() / count;
        let again = count.max(self.following);
        let again = again.min(PIPE_BUF / size).min(MOST_FOLLOWING);
        for (index, frame) in frames.chunks_exact_mut(size).enumerate() {
            if let Some(head) = frame.first_chunk_mut() {
                let following = (count - 1 - index + again).min(MOST_FOLLOWING);
                *head = (mark(following) | word(size - HEADER)).to_le_bytes();
            }
        }
        self.following = self.following.max(again);
        self.size = size;
    }

    /// After a long frame, which is longer than all that can have been pledged and pledges nothing.
    pub(crate) fn settle(&mut self) {
        *self = Self::NOTHING;
    }
}

/// The upper bits of a short frame's word.
const fn mark(following: usize) -> u32 {
    // No more than MOST_FOLLOWING, which fits.
    #[expect(clippy::cast_possible_truncation, reason = "as above")]
    let following = following as u32;
    SHORT | following << (2 * LENGTH_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(frames: &[u8]) -> Head {
        let bytes = *frames.first_chunk().expect("a head");
        Head::read(bytes, PipeMode::Stream).expect("sound")
    }

    #[test]
    fn a_shorter_frame_is_padded_and_a_longer_is_not() {
        let mut pledged = Pledged::NOTHING;
        let totals = [60, 4, 4, 90, 0].map(|len| {
            let mut frame = Vec::new();
            pledged.put(&mut frame, &vec![7; len]);
            let head = read(&frame);
            assert_eq!((head.len, head.total), (len, frame.len()));
            assert_eq!(head.pledge.least(1), HEADER + len);
            head.total
        });
        assert_eq!(totals, [64, 64, 8, 94, 94]);
    }

    #[test]
    fn a_run_is_pledged_and_kept() {
        let mut pledged = Pledged::NOTHING;
        let mut frames = Vec::new();
        for _ in 0..10 {
            pledged.put(&mut frames, &[1; 28]);
        }
        pledged.put_run(&mut frames, 10);
        assert_eq!(read(&frames).pledge.least(9), 9 * 32);
        assert_eq!(read(&frames[9 * 32..]).pledge.least(20), 10 * 32 + 10 * 4);
        let short = [(); 11].map(|()| {
            let mut frame = Vec::new();
            pledged.put(&mut frame, b"x");
            frame.len()
        });
        assert_eq!(short, [32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 5]);
    }

    #[test]
    fn a_note_is_told_from_messages_and_keeps_what_was_pledged() {
        let mut pledged = Pledged::NOTHING;
        let mut frames = Vec::new();
        pledged.put(&mut frames, &[1; 60]);
        assert!(!read(&frames).is_note());
        pledged.put_note(&mut frames, b"a note");
        let note = read(&frames[64..]);
        assert!(note.is_note() && note.len == 6 && note.total == 64);
        pledged.put(&mut frames, b"x");
        assert_eq!(read(&frames[128..]).total, 5);
    }

    #[test]
    fn a_sender_who_comes_later_settles_first() {
        let mut pledged = Pledged::UNKNOWN;
        let mut frames = Vec::new();
        pledged.put(&mut frames, b"x");
        assert_eq!(read(&frames).total, PIPE_BUF);
        pledged.put(&mut frames, b"y");
        assert_eq!(frames.len(), PIPE_BUF + 5);
    }

    #[test]
    fn no_long_frame_is_cut_within_its_head() {
        for len in PIPE_BUF - HEADER + 1..3 * PIPE_BUF {
            let (before, behind, trailing) = around_long(&vec![0; len]);
            let head = read(&before);
            assert_eq!(head.total, HEADER + len + trailing);
            assert!(!matches!(head.total % PIPE_BUF, 1..HEADER), "{len}");
            assert!(head.is_closed_by(&behind[..trailing]) && !head.is_short());
            assert!(!head.is_closed_by(&before));
        }
    }

    #[test]
    fn any_word_is_read_or_refused() {
        for word in (0..=u32::MAX).step_by(4093) {
            if let Some(head) = Head::read(word.to_le_bytes(), PipeMode::Stream) {
                assert!(head.total >= HEADER + head.len);
                assert!(head.pledge.least(200) <= 200 * PIPE_BUF);
            }
        }
        let beyond = SHORT | 4000 << LENGTH_BITS | 100;
        assert!(Head::read(beyond.to_le_bytes(), PipeMode::Stream).is_none());
    }
}
