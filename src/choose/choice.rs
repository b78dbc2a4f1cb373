//! A whole choice: constraints, figures, and the answer.

use std::{
    ops::ControlFlow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{
    Address, Registry,
    choose::{
        ceiling::{Ceiling, ceilings},
        needs::Needs,
        neighbour::{Axis, Flip, Neighbour, flips},
        rank::{Recommendation, rank},
        refusal::Refused,
        shortlist::shortlist,
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

/// How a choice spends its time, in hundredths: on what was asked for, on the highest rates, and on the neighbours.
const PARTS: [u32; 3] = [50, 20, 30];

/// A part of a time.
fn part(time: Duration, hundredths: u32) -> Duration {
    time.saturating_mul(hundredths) / 100
}

/// A workload near the one that was asked for, and how it will be measured.
struct Nearby {
    axis: Axis,
    needs: Needs,
    fit: Vec<Address>,
    plan: Plan,
}

impl Nearby {
    /// All of them, measured within about `time`.
    fn all(needs: &Needs, registry: &Registry, machine: &Machine, time: Duration) -> Vec<Self> {
        let near = Axis::near(&needs.workload, machine);
        let each = time / u32::try_from(near.len().max(1)).unwrap_or(u32::MAX);
        let nearby = near.into_iter().map(|(axis, workload)| {
            let needs = Needs {
                workload,
                ..needs.clone()
            };
            let fit = shortlist(&needs, registry).fit;
            let mut plan = Plan::within(each, fit.len(), &needs.workload);
            // It is the same machine.
            plan.machine = false;
            Self {
                axis,
                needs,
                fit,
                plan,
            }
        });
        nearby.collect()
    }

    fn measure<B>(
        self,
        registry: &Registry,
        watch: &mut dyn FnMut(Progress<'_>) -> ControlFlow<B>,
    ) -> Result<Neighbour, B> {
        let workload = self.needs.workload.clone();
        let comparison = compare(registry, &self.fit, &workload, &self.plan, watch)?;
        Ok(Neighbour {
            axis: self.axis,
            workload,
            recommendation: rank(&self.needs, &comparison),
            comparison,
        })
    }
}

/// Draws up the shortlist, measures it and the workloads nearby within about `time`, and ranks. `watch` is told before each
/// step, and may end it.
///
/// # Errors
/// What `watch` breaks with. Nothing is left behind in any case.
pub fn choose<B>(
    needs: &Needs,
    registry: &Registry,
    time: Duration,
    watch: &mut dyn FnMut(Progress<'_>) -> ControlFlow<B>,
) -> Result<Choice, B> {
    let machine = Machine::this();
    let list = shortlist(needs, registry);
    let [here, rates, around] = PARTS;
    // Without a service level there is no rate to look for.
    let (here, rates) = match needs.slo {
        Some(_) => (here, rates),
        None => (here + rates, 0),
    };
    let plan = Plan::within(part(time, here), list.fit.len(), &needs.workload);
    let nearby = Nearby::all(needs, registry, &machine, part(time, around));
    let tries = if rates > 0 {
        Ceiling::TRIES as usize
    } else {
        0
    };
    let around = nearby.iter().map(|near| near.plan.steps(near.fit.len()));
    let total = plan.steps(list.fit.len()) + tries * list.fit.len() + around.sum::<usize>();
    let mut done = 0;
    let mut watch = |progress: Progress<'_>| {
        let progress = Progress {
            done,
            total,
            ..progress
        };
        done += 1;
        watch(progress)
    };
    let comparison = compare(registry, &list.fit, &needs.workload, &plan, &mut watch)?;
    let rates = part(time, rates);
    let ceilings = ceilings(needs, registry, &comparison, rates, &mut watch)?;
    let mut neighbours = Vec::new();
    for near in nearby {
        neighbours.push(near.measure(registry, &mut watch)?);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let recommendation = rank(needs, &comparison);
    Ok(Choice {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        taken: now.map_or(0, |now| now.as_secs()),
        warnings: machine.warnings(&needs.workload),
        machine,
        needs: needs.clone(),
        plan,
        flips: flips(&recommendation, &neighbours),
        recommendation,
        comparison,
        refused: list.refused,
        neighbours,
        ceilings,
    })
}

impl Choice {
    /// The same figures ranked again: of a saved choice, the same words.
    #[must_use]
    pub fn ranked_again(mut self) -> Self {
        self.recommendation = rank(&self.needs, &self.comparison);
        for near in &mut self.neighbours {
            let needs = Needs {
                workload: near.workload.clone(),
                ..self.needs.clone()
            };
            near.recommendation = rank(&needs, &near.comparison);
        }
        self.flips = flips(&self.recommendation, &self.neighbours);
        self
    }

    /// The address to open: the pick, under `word` where its transport has names.
    #[must_use]
    pub fn next(&self, registry: &Registry, word: &str) -> Option<Address> {
        let pick: Address = self.recommendation.pick.as_deref()?.parse().ok()?;
        let name = place::name(registry, &pick, word);
        Some(pick.renamed(&name.unwrap_or_default()))
    }
}
