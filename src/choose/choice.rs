//! A whole choice: constraints, figures, and the answer.

use std::{
    ops::ControlFlow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{
    Address, Registry,
    choose::{
        ceiling::Ceiling,
        needs::Needs,
        rank::{Recommendation, rank},
        refusal::Refused,
        shortlist::shortlist,
        sweep::{Flip, Neighbour},
    },
    measure::{Comparison, Machine, Plan, Progress, SCHEMA, Warning, compare, place},
};

/// All that there is to know about a choice; what `laneway choose --json` writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Choice {
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
    /// What was needed.
    pub needs: Needs,
    /// How it was measured.
    pub plan: Plan,
    /// What was measured, the simplest first.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// What was not, and why.
    pub refused: Vec<Refused>,
    /// Workloads near this one, measured in short.
    pub neighbours: Vec<Neighbour>,
    /// Which changes of the workload change the answer.
    pub flips: Vec<Flip>,
    /// The highest rate at which each channel keeps the service level, if there is one.
    pub ceilings: Vec<Ceiling>,
    /// The answer.
    pub recommendation: Recommendation,
}

/// Draws up the shortlist, measures it within about `time`, and ranks. `watch` is told before each step, and may end it.
///
/// # Errors
/// What `watch` breaks with. Nothing is left behind in any case.
pub fn choose<B>(
    needs: &Needs,
    registry: &Registry,
    time: Duration,
    watch: &mut dyn FnMut(Progress<'_>) -> ControlFlow<B>,
) -> Result<Choice, B> {
    let list = shortlist(needs, registry);
    let plan = Plan::within(time, list.fit.len(), &needs.workload);
    let comparison = compare(registry, &list.fit, &needs.workload, &plan, watch)?;
    let machine = Machine::this();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(Choice {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        taken: now.map_or(0, |now| now.as_secs()),
        warnings: machine.warnings(&needs.workload),
        machine,
        needs: needs.clone(),
        plan,
        recommendation: rank(needs, &comparison),
        comparison,
        neighbours: Vec::new(),
        flips: Vec::new(),
        ceilings: Vec::new(),
        refused: list.refused,
    })
}

impl Choice {
    /// The address to open: the pick, under `word` where its transport has names.
    #[must_use]
    pub fn next(&self, registry: &Registry, word: &str) -> Option<Address> {
        let pick: Address = self.recommendation.pick.as_deref()?.parse().ok()?;
        let name = place::name(registry, &pick, word);
        Some(pick.renamed(&name.unwrap_or_default()))
    }
}
