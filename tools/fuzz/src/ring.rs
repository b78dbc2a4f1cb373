//! The rings, behind one face.

use fastrand::Rng;
use laneway::{
    BoxChannel, Channel,
    transport::{ShmLocked, ShmMpmc, ShmSpsc},
};

/// Words of a header, before the data; docs/layout.md tells what they are.
pub(crate) const HEADER: usize = 1024 / 8;
/// Bytes of data in each ring: small, so that it goes round often.
pub(crate) const CAPACITY: usize = 2048;
/// The longest message.
pub(crate) const MAX: usize = 512;

/// Which ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lock,
    Spsc,
    Mpmc,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Spsc, Self::Lock, Self::Mpmc];

    /// A channel of this kind, anonymous if the name is empty.
    pub(crate) fn channel(self, name: &str) -> BoxChannel {
        match self {
            Self::Lock => ShmLocked::new(name)
                .capacity(CAPACITY)
                .max_message(MAX)
                .boxed(),
            Self::Spsc => ShmSpsc::new(name)
                .capacity(CAPACITY)
                .max_message(MAX)
                .boxed(),
            Self::Mpmc => ShmMpmc::new(name)
                .capacity(CAPACITY)
                .max_message(MAX)
                .boxed(),
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Lock => "shm+lock:",
            Self::Spsc => "shm+spsc:",
            Self::Mpmc => "shm+mpmc:",
        }
    }
}

/// Offsets of the words that processes share in the header, in words; the first ones more often by their number here.
const HOT: &[usize] = &[128 / 8, 256 / 8, 392 / 8, 520 / 8];
/// Bells, and who came and went.
const WARM: &[usize] = &[56 / 8, 64 / 8, 136 / 8, 144 / 8, 264 / 8, 272 / 8];
/// The lock words: whoever finds one taken waits for a while.
const LOCKS: &[usize] = &[384 / 8, 512 / 8];

/// Which word to write over.
pub(crate) fn place(random: &mut Rng, kind: Kind, count: usize) -> usize {
    let states = HEADER + CAPACITY / 8..count;
    match random.u8(..) {
        0..64 => crate::corpus::any(random, HOT),
        64..80 => crate::corpus::any(random, WARM),
        80..82 => crate::corpus::any(random, LOCKS),
        // The last mutex word that glibc has is not ours to break: no ring here uses it.
        82..84 => random.usize(0..HEADER),
        84..192 if kind == Kind::Mpmc => random.usize(states),
        _ => random.usize(HEADER..HEADER + CAPACITY / 8),
    }
}

/// What to write there, if it held `old`.
pub(crate) fn value(random: &mut Rng, old: u64) -> u64 {
    match random.u8(0..12) {
        0 => 0,
        1 => u64::MAX,
        2 => random.u64(..),
        3..5 => old ^ 1 << random.u32(0..64),
        5 => old.wrapping_add(random.u64(0..=16).wrapping_sub(8).wrapping_mul(8)),
        6 => old.wrapping_add(random.u64(0..=16).wrapping_sub(8)),
        7 => random.u64(0..=2 * CAPACITY as u64),
        // A record's header.
        8 => (if random.bool() { 0x4d } else { 0x50 }) << 32 | length(random),
        // A state word: lap, phase, owner, length.
        9..11 => {
            let (lap, phase) = (random.u64(0..4), random.u64(0..8));
            let owner = corpus_owner(random);
            lap << 40 | phase << 37 | owner << 27 | length(random)
        }
        // As a lock: taken by an end that lives, or by nobody's.
        _ => random.u64(0..4) << 17 | random.u64(0..4),
    }
}

fn corpus_owner(random: &mut Rng) -> u64 {
    match random.u8(0..4) {
        0 => 1023,
        1 => random.u64(0..1024),
        _ => random.u64(0..3),
    }
}

/// A length that is right, nearly right, or not at all.
fn length(random: &mut Rng) -> u64 {
    match random.u8(0..4) {
        0 => random.u64(0..1 << 27),
        1 => CAPACITY as u64 - random.u64(0..64),
        _ => random.u64(0..MAX as u64 + 64),
    }
}
