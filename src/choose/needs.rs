//! What somebody needs of a channel.

use std::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::measure::Workload;

/// What a channel is to be good at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Objective {
    /// Many messages a second, one way.
    #[default]
    Throughput,
    /// A quick answer: the round trip that half of all are faster than.
    Latency,
}

impl Objective {
    /// Its word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a text is not an objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectiveError;

impl fmt::Display for ObjectiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write throughput or latency")
    }
}

impl Error for ObjectiveError {}

impl FromStr for Objective {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let all = [Self::Throughput, Self::Latency];
        let found = all.into_iter().find(|objective| objective.word() == text);
        found.ok_or(ObjectiveError)
    }
}

/// What is needed of a channel. Constraints come first: what does not meet them is not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Needs {
    /// What is sent, and between how many.
    pub workload: Workload,
    /// Whether processes must find it by name, because none is a child of another.
    pub named: bool,
    /// What it is to be good at.
    pub objective: Objective,
}

impl Needs {
    /// A channel for `workload`, as many messages a second as may be.
    #[must_use]
    pub const fn new(workload: Workload) -> Self {
        Self {
            workload,
            named: false,
            objective: Objective::Throughput,
        }
    }

    /// It must have a name.
    #[must_use]
    pub const fn named(mut self) -> Self {
        self.named = true;
        self
    }

    /// It is to be good at this.
    #[must_use]
    pub const fn objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }
}
