//! A run as data, so that tables and plots are made of the same figures.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use laneway::measure::Machine;
use serde::{Deserialize, Serialize};

use crate::{row::Label, slices::Slice};

/// The number of this form. It changes when an old reader would misread a new file.
const SCHEMA: u32 = 1;

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Slices.
    Measured(Vec<Slice>),
    /// Something is missing here: what to do about it.
    NotRun(String),
    /// It lost or tore a message, hung or died.
    Failed(String),
}

impl Outcome {
    /// Nothing yet, if a row has what it needs.
    pub(crate) fn of(need: Result<(), String>) -> Self {
        match need {
            Ok(()) => Self::Measured(Vec::new()),
            Err(why) => Self::NotRun(why),
        }
    }
}

/// A row and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// What it is called.
    #[serde(flatten)]
    pub(crate) label: Label,
    /// What became of it.
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// All rows of a run, in the order in which they were played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The form of this: [`SCHEMA`].
    schema: u32,
    /// When, in seconds since 1970.
    pub(crate) taken: u64,
    /// Where.
    pub(crate) machine: Machine,
    /// Slices of a row in each round.
    pub(crate) slices: u32,
    /// How often the rows took turns.
    pub(crate) rounds: u32,
    /// The rows.
    pub(crate) lines: Vec<Line>,
}

impl Saved {
    /// A run that ends now, on this machine.
    pub(crate) fn new(slices: u32, rounds: u32, lines: Vec<Line>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            schema: SCHEMA,
            taken: now.map_or(0, |now| now.as_secs()),
            machine: Machine::this(),
            slices,
            rounds,
            lines,
        }
    }

    /// What was saved to a file.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("reads the file");
        let saved: Self = serde_json::from_str(&text).expect("a saved run");
        assert_eq!(saved.schema, SCHEMA, "saved by another version");
        saved
    }
}
