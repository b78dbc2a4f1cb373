//! The rules of the tree that no compiler checks: who may import whom, where `unsafe` and atomics live and what stands
//! above them, how long a file may be, that every transport is in the table, that README's table is the registry's, that nobody asks the
//! wall clock, and that every fault in docs/failures.md has a test.
//!
//! Each rule is a function over text, so that each is also shown to fail on text that breaks it.

#[path = "architecture/clocks.rs"]
mod clocks;
#[path = "architecture/edges.rs"]
mod edges;
#[path = "architecture/failures.rs"]
mod failures;
#[path = "architecture/habits.rs"]
mod habits;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/transports.rs"]
mod transports;
