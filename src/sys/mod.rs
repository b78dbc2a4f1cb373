//! System calls that neither std nor nix has, each behind one safe function.
//!
//! Invariants that the SAFETY comments cite:
//!
//! * S1. A pointer and a length handed to the kernel come from one live slice or reference, so they
//!   name memory that is valid for the whole call, and writable where the kernel writes.
//! * S2. Nothing is done with what the kernel wrote beyond the length that it returned.
//! * S3. A word in shared memory is reached as an atomic, by us and by the kernel.
//! * S4. A pthread mutex is initialised once, before its address is known to anybody else, and never
//!   moves; its memory stays mapped as long as a reference to it lives.
//! * S5. Between fork and exec only async-signal-safe calls are made, on memory made before the fork.
//! * S6. A number that the kernel has just given as a new descriptor is nobody else's.
//! * S7. A place is computed so that it lies within its mapping and is aligned to 256 bytes, and words that
//!   are reached through it all have that alignment or less.
//! * S8. What is in the list of guarded ranges was leaked, so it lives for ever, and is changed by atomics only.
//! * S9. A handler of signals makes async-signal-safe calls only: it walks a list, stores to atomics, and calls the kernel.
//! * S10. Pages are replaced only inside a range whose mapping outlives its guard, and every reference to them is to atomics, or
//!   to bytes that anybody may write.
//! * S11. A descriptor that a registration owns is lent for reading only, so it stays open, and keeps its number, as long as the runtime knows it.

pub(crate) mod ancillary;
pub(crate) mod fd;
pub(crate) mod futex;
pub(crate) mod inherit;
pub(crate) mod membarrier;
pub(crate) mod msg;
pub(crate) mod process;
pub(crate) mod raw_sync;
#[cfg(feature = "tokio")]
pub(crate) mod reactor;
pub(crate) mod report;
pub(crate) mod sigbus;
#[cfg(feature = "measure")]
pub(crate) mod words;
