//! Where a measured channel stands in a choice.

use serde::{Deserialize, Serialize};

use crate::measure::Estimate;

/// Where one channel stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Standing {
    /// Its address.
    pub address: String,
    /// Whether it may be taken.
    pub judgement: Judgement,
    /// Its figure of the objective: messages a second, or nanoseconds. `None` if it has none, or for simplicity.
    pub figure: Option<Estimate>,
}

/// Whether a measured channel may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "judgement", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Judgement {
    /// It keeps every bound that was set.
    Meets,
    /// It did not keep the service level in every round.
    Late {
        /// Rounds in which it did not.
        rounds: usize,
        /// The percentile in the worst round, in nanoseconds.
        worst: u64,
        /// The percentile over all rounds, in nanoseconds.
        overall: u64,
    },
    /// Fewer messages went through than arrived.
    Behind {
        /// How many a second went through.
        rate: f64,
    },
    /// It took more processor time than it may.
    Dear {
        /// The share of one core that it took.
        share: f64,
    },
    /// It has no figures.
    Unmeasured,
}

impl Judgement {
    /// Whether it may be taken.
    #[must_use]
    pub const fn is_eligible(&self) -> bool {
        matches!(self, Self::Meets)
    }
}
