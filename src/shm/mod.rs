//! One object of shared memory: its layout, and its life from birth to the last one out.
//!
//! Invariants that the SAFETY comments cite:
//!
//! * M1. A mapping stays where it is until its `Segment` is dropped, and is as long as it says:
//!   the space was reserved at birth, anonymous segments are sealed against shrinking, and a named
//!   one is ours by owner and mode. `proof` sees to the same where another process hands one over.
//! * M2. Everything behind a reference to a [`layout::Header`] is an atomic, a lock, or never changes once the
//!   segment can be seen by others.
//! * M3. The mapping is page-aligned, and longer than a header.
//! * M4. Until a segment has a name or its descriptor has left, nobody else can reach it.
//! * M5. The counters that a meter points to lie in what its home keeps mapped, and are atomics.

mod bells;
pub(crate) mod board;
pub(crate) mod layout;
pub(crate) mod meter;
pub(crate) mod name;
pub(crate) mod object;
pub(crate) mod plan;
mod proof;
pub(crate) mod reading;
pub(crate) mod segment;
