//! A comparison with all that it takes to read it later.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::measure::{
    machine::{Machine, Warning},
    plan::Plan,
    report::{Comparison, SCHEMA},
    workload::Workload,
};

/// All that there is to know about a comparison; what `laneway measure --json` writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Survey {
    /// The form of this: [`SCHEMA`].
    pub schema: u32,
    /// The version of laneway that made it.
    pub version: String,
    /// When, in seconds since 1970.
    pub taken: u64,
    /// Where.
    pub machine: Machine,
    /// What speaks against the figures.
    pub warnings: Vec<Warning>,
    /// What was sent.
    pub workload: Workload,
    /// How it was measured.
    pub plan: Plan,
    /// What came out.
    #[serde(flatten)]
    pub comparison: Comparison,
}

impl Survey {
    /// A comparison that was made on this machine just now.
    #[must_use]
    pub fn new(workload: Workload, plan: Plan, comparison: Comparison) -> Self {
        let machine = Machine::this();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            taken: now.map_or(0, |now| now.as_secs()),
            warnings: machine.warnings(&workload),
            machine,
            workload,
            plan,
            comparison,
        }
    }
}
