//! laneway's rings, locks and bells, under loom.
//!
//! The files of the library are compiled here with loom's atomics in place of the processor's (see build.rs): loom then tries every
//! order of their steps, and every value that a load may see, two threads without bound, three with a bound on preemptions. What
//! stands for the world around them is here: memory that tells a race (`ring`), a futex (`sys`), a barrier in every process (`sync`).
//!
//! A model panics if an outcome is not among those that it names, if bytes are touched by two at once, or if everybody sleeps.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a tool whose faults are panics"
)]
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::absurd_extreme_comparisons,
    clippy::needless_ifs,
    clippy::needless_return,
    clippy::cast_possible_truncation,
    reason = "the library's files are here whole"
)]

/// A file of the library.
macro_rules! library {
    ($name:ident, $file:literal) => {
        pub(crate) mod $name {
            include!(concat!(env!("OUT_DIR"), "/", $file));
        }
    };
}

pub mod models;
pub mod mutants;

mod clock;
mod ring;
mod sync;
mod sys;
mod tally;

library!(deadline, "deadline.rs");
library!(lock, "lock.rs");
library!(robust, "robust.rs");
library!(wait, "wait.rs");

pub(crate) use deadline::Deadline;

/// The library's, as far as waiting asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitStrategy {
    Spin,
    Yield,
    Adaptive,
    Park,
}

/// What tools/crash can leave out is not left out here.
pub(crate) const fn never() -> bool {
    false
}
