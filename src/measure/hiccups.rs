//! How long the machine stands still by itself.

use serde::{Deserialize, Serialize};

use crate::measure::{latencies::Latencies, quantile::Quantile};

/// Interruptions of threads that do nothing but read the clock, on the cores of the peers while these sleep. Any message may
/// be late by as much, on any transport.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hiccups {
    /// How late a message would be that is due at any moment, in nanoseconds.
    pub late: Latencies,
    /// Nanoseconds of listening, of all cores together.
    pub time: u64,
}

impl Hiccups {
    /// Of 1000 moments one is later than that, in nanoseconds; `None` if they were too few.
    #[must_use]
    pub fn p999(&self) -> Option<u64> {
        self.late.at(Quantile::P999)
    }

    /// The longest, in nanoseconds.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.late.max()
    }
}
