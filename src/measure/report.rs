//! What was measured, as data.

use serde::{Deserialize, Serialize};

use crate::{
    WaitStrategy,
    measure::{
        distance::{Distance, Shares},
        fault::{Fault, SessionError},
        figures::Figures,
        floors::Floors,
        hiccups::Hiccups,
        round::Round,
        wait,
    },
};

/// The number of the form in which reports are saved. It changes when an old reader would misread a new report.
pub const SCHEMA: u32 = 2;

/// Several channels that were measured in turns, and what the machine itself did meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The channels, in the order of their addresses.
    pub reports: Vec<Report>,
    /// What no channel can beat here.
    pub floors: Floors,
    /// How long the machine stood still by itself.
    pub hiccups: Hiccups,
    /// The distance between cores at which figures are compared: that of which every channel has the most rounds. `None` if
    /// it could not be measured, or no distance came up with every channel.
    pub distance: Option<Distance>,
    /// How far apart the cores were, over all channels.
    pub shares: Shares,
}

/// What became of one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Its address, without the name that it had while it was measured.
    pub address: String,
    /// How its processes waited; `None` if its transport gives no choice: they slept in the kernel.
    #[serde(with = "wait")]
    pub wait: Option<WaitStrategy>,
    /// What came out.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came out of measuring a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Figures.
    Measured(Box<Figures>),
    /// It lost, altered or delayed what was sent, so it has no figures.
    Disqualified(Fault),
    /// It could not be measured.
    Failed {
        /// Why, in words.
        why: String,
    },
}

impl Report {
    /// A report of rounds, or of what went wrong; estimates at this distance between cores where there are rounds at it.
    #[must_use]
    pub fn new(
        address: String,
        wait: Option<WaitStrategy>,
        measured: Result<Vec<Round>, SessionError>,
        distance: Option<Distance>,
    ) -> Self {
        let failed = |why: String| Outcome::Failed { why };
        let outcome = match measured.map(|rounds| Figures::of(rounds, distance)) {
            Ok(Some(figures)) => Outcome::Measured(Box::new(figures)),
            Ok(None) => failed("no round was measured".to_owned()),
            Err(SessionError::Fault(fault)) => Outcome::Disqualified(fault),
            Err(error) => failed(error.to_string()),
        };
        Self {
            address,
            wait,
            outcome,
        }
    }

    /// Its figures, if it has some.
    #[must_use]
    pub const fn figures(&self) -> Option<&Figures> {
        match &self.outcome {
            Outcome::Measured(figures) => Some(figures),
            _ => None,
        }
    }
}
