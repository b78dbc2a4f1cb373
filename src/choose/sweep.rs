//! What would be taken if one thing were different.

use serde::{Deserialize, Serialize};

use crate::{
    WaitStrategy,
    choose::rank::Recommendation,
    measure::{Comparison, Workload},
};

/// One thing that is different.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "axis", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Axis {
    /// Messages are so many times as long.
    Size {
        /// How many times.
        times: f64,
    },
    /// Processes wait in another way.
    Wait {
        /// How, as addresses have it.
        #[serde(with = "crate::measure::wait")]
        wait: Option<WaitStrategy>,
    },
    /// More processes send.
    Producers {
        /// How many.
        producers: u16,
    },
}

/// A workload near the one that was asked for, measured in short, and what to take for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Neighbour {
    /// What is different.
    #[serde(flatten)]
    pub axis: Axis,
    /// All of it.
    pub workload: Workload,
    /// What was measured.
    pub comparison: Comparison,
    /// What to take.
    pub recommendation: Recommendation,
}

/// A change of the workload that changes the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flip {
    /// What changes.
    #[serde(flatten)]
    pub axis: Axis,
    /// What to take then.
    pub pick: String,
    /// That in words.
    pub words: String,
}
