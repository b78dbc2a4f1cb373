//! What no transport can beat here.

use serde::{Deserialize, Serialize};

use crate::measure::estimate::Estimate;

/// What the machine itself takes, measured in the same run between two processes on the cores of the first producer and
/// the first consumer. `None` where they could not be measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Floors {
    /// A cache line there and back while both spin, in nanoseconds.
    pub cache_line: Option<Estimate>,
    /// Copying memory in one process, in bytes a second.
    pub memcpy: Option<Estimate>,
    /// A wake-up by futex there and back, in nanoseconds: both sleep.
    pub futex: Option<Estimate>,
    /// A byte there and back through two pipes, in nanoseconds: both sleep.
    pub pipe: Option<Estimate>,
}
