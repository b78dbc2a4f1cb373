//! What somebody needs of a channel.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    choose::{need::Need, objective::Objective, slo::Slo},
    measure::Workload,
};

/// What is needed of a channel. What does not have what it must have is not measured; what does not keep a bound is not
/// taken; of the rest the objective decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Needs {
    /// What is sent, and between how many.
    pub workload: Workload,
    /// What it must be able to do.
    pub must: BTreeSet<Need>,
    /// The latency that it must keep: of arrivals if the workload has a rate, else of round trips.
    pub slo: Option<Slo>,
    /// The share of one core that producers and consumers together may take at the workload's rate.
    pub cpu_budget: Option<f64>,
    /// What it is to be good at; `None` for what follows from the rest, see [`objective`](Self::objective).
    pub objective: Option<Objective>,
}

impl Needs {
    /// A channel for `workload`.
    #[must_use]
    pub const fn new(workload: Workload) -> Self {
        Self {
            workload,
            must: BTreeSet::new(),
            slo: None,
            cpu_budget: None,
            objective: None,
        }
    }

    /// It must be able to do this too.
    #[must_use]
    pub fn must(mut self, need: Need) -> Self {
        self.must.insert(need);
        self
    }

    /// It must keep this latency.
    #[must_use]
    pub const fn slo(mut self, slo: Slo) -> Self {
        self.slo = Some(slo);
        self
    }

    /// All its processes together must take no more than this share of one core, as in 0.2.
    #[must_use]
    pub const fn cpu_budget(mut self, share: f64) -> Self {
        self.cpu_budget = Some(share);
        self
    }

    /// It is to be good at this.
    #[must_use]
    pub const fn by(mut self, objective: Objective) -> Self {
        self.objective = Some(objective);
        self
    }

    /// What it is to be good at: what was asked for; else little processor time a message if there is a latency to
    /// keep or a rate to keep up with; else many messages a second.
    #[must_use]
    pub fn objective(&self) -> Objective {
        self.objective.unwrap_or_else(|| {
            if self.slo.is_some() || self.workload.arrivals().is_some() {
                Objective::Cpu
            } else {
                Objective::Rate
            }
        })
    }
}
