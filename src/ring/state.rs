//! The state word of a slot: whose it is, how far it has come, how long, and in which lap of the ring.

/// Bytes of a slot.
pub(crate) const SLOT: usize = 64;
/// The owner that nobody is.
pub(crate) const NOBODY: u16 = (1 << OWNER_BITS) - 1;

const LEN_BITS: u32 = 27;
const OWNER_BITS: u32 = 10;
const PHASE_BITS: u32 = 3;
const LAP_BITS: u32 = 24;

/// The longest message and the largest ring that the words can tell.
pub(crate) const MOST: usize = 1 << (LEN_BITS - 1);

/// Where a record is in its life. No word says 0, which is what the ring is born with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(u64);

impl Phase {
    /// Not the first slot of a record.
    pub(super) const INSIDE: Self = Self(1);
    /// A producer writes it.
    pub(super) const CLAIMED: Self = Self(2);
    /// A message.
    pub(super) const READY: Self = Self(3);
    /// A consumer reads it.
    pub(super) const TAKEN: Self = Self(4);
    /// Over, or never was.
    pub(super) const DONE: Self = Self(5);
}

/// A state word: lap, phase, owner, length, from the top down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(pub(super) u64);

pub(super) const LEN_MASK: u64 = (1 << LEN_BITS) - 1;
pub(super) const OWNER_MASK: u64 = (1 << OWNER_BITS) - 1;
pub(super) const PHASE_MASK: u64 = (1 << PHASE_BITS) - 1;
pub(super) const LAP_MASK: u64 = (1 << LAP_BITS) - 1;

impl State {
    #[inline]
    pub(super) const fn new(lap: u64, phase: Phase, owner: u16, len: usize) -> Self {
        let word = lap << PHASE_BITS | phase.0;
        let word = word << OWNER_BITS | owner as u64;
        Self(word << LEN_BITS | len as u64 & LEN_MASK)
    }

    #[inline]
    pub(super) const fn lap(self) -> u64 {
        self.0 >> (LEN_BITS + OWNER_BITS + PHASE_BITS)
    }

    #[inline]
    pub(super) const fn phase(self) -> Phase {
        Phase(self.0 >> (LEN_BITS + OWNER_BITS) & PHASE_MASK)
    }

    #[inline]
    pub(super) fn owner(self) -> u16 {
        u16::try_from(self.0 >> LEN_BITS & OWNER_MASK).unwrap_or(NOBODY)
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        usize::try_from(self.0 & LEN_MASK).unwrap_or(0)
    }

    #[inline]
    pub(super) const fn in_phase(self, phase: Phase, owner: u16) -> Self {
        let rest = self.0 & !((PHASE_MASK << OWNER_BITS | OWNER_MASK) << LEN_BITS);
        Self(rest | (phase.0 << OWNER_BITS | owner as u64) << LEN_BITS)
    }

    #[inline]
    pub(super) fn slots(self) -> u64 {
        slots(self.len())
    }
}

/// How many slots a message takes; an empty one takes one.
#[inline]
pub(super) const fn slots(len: usize) -> u64 {
    let bytes = if len == 0 { 1 } else { len };
    bytes.div_ceil(SLOT) as u64
}
