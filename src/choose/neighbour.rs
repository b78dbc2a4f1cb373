//! Workloads near the one that was asked for, and which of them change the answer.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use crate::{
    Address, WaitStrategy,
    choose::{
        rank::Recommendation,
        standing::{Judgement, Standing},
        verdict::Verdict,
        words::{self, Bytes},
    },
    measure::{Comparison, Machine, Shape, Sizes, Workload, wait},
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
        #[serde(with = "wait")]
        wait: Option<WaitStrategy>,
    },
    /// More processes send.
    Producers {
        /// How many.
        producers: u16,
    },
}

impl Axis {
    /// How much shorter and longer messages are tried.
    const TIMES: [f64; 2] = [0.125, 8.0];
    /// How many times as many producers are tried.
    const MORE: u16 = 4;
    /// The ways to wait that differ most.
    const WAITS: [WaitStrategy; 3] = [
        WaitStrategy::Spin,
        WaitStrategy::DEFAULT,
        WaitStrategy::Park,
    ];

    /// Those along which there is a workload near this one that can be told about on this machine.
    pub(super) fn near(workload: &Workload, machine: &Machine) -> Vec<(Self, Workload)> {
        let mut near: Vec<(Self, Workload)> = Vec::new();
        for times in Self::TIMES {
            let sizes = workload.sizes.scaled(times);
            let longest = workload.sizes.most() as f64 * times;
            if sizes != workload.sizes && longest <= Sizes::MOST as f64 {
                near.push((
                    Self::Size { times },
                    Workload {
                        sizes,
                        ..workload.clone()
                    },
                ));
            }
        }
        let now = workload.wait.unwrap_or(WaitStrategy::DEFAULT);
        let crowded = workload.shape.processes() > machine.cores;
        for wait in Self::WAITS {
            // Who spins where cores are shared keeps the others from working: no answer for anybody.
            if wait != now && !(crowded && wait == WaitStrategy::Spin) {
                let other = workload.clone().wait(wait);
                near.push((Self::Wait { wait: Some(wait) }, other));
            }
        }
        let producers = workload.shape.producers.get().saturating_mul(Self::MORE);
        if producers <= Shape::MOST
            && let Some(count) = NonZeroU16::new(producers)
        {
            let shape = Shape {
                producers: count,
                ..workload.shape
            };
            near.push((Self::Producers { producers }, workload.clone().shape(shape)));
        }
        near
    }

    /// What is different, in words.
    fn told(&self, workload: &Workload) -> String {
        match self {
            Self::Size { .. } => match &workload.sizes {
                Sizes::Fixed(size) => format!("messages of {}", Bytes(*size)),
                sizes => format!(
                    "messages of {} to {}",
                    Bytes(sizes.least()),
                    Bytes(sizes.most())
                ),
            },
            Self::Wait { wait: Some(wait) } => format!("wait={}", wait.word()),
            Self::Wait { wait: None } => "another way to wait".to_owned(),
            Self::Producers { producers } => format!("{producers} producers"),
        }
    }
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
    /// What to take then; `None` if nothing keeps the bounds then.
    pub pick: Option<String>,
    /// That in words.
    pub words: String,
}

/// Whether two addresses name the same kind of channel, however large it is and however its ends wait.
fn is_same(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<Address>(), b.parse::<Address>()) else {
        return a == b;
    };
    a.scheme() == b.scheme() && a.value("mode") == b.value("mode")
}

/// Which neighbours change the answer: those whose answer is none that could be taken here. Pure.
#[must_use]
pub fn flips(here: &Recommendation, neighbours: &[Neighbour]) -> Vec<Flip> {
    neighbours
        .iter()
        .filter_map(|neighbour| flip(here, neighbour))
        .collect()
}

fn flip(here: &Recommendation, neighbour: &Neighbour) -> Option<Flip> {
    let Neighbour {
        axis,
        workload,
        recommendation: there,
        ..
    } = neighbour;
    // What could be taken, here and there.
    let candidates = |recommendation: &Recommendation| match recommendation.verdict {
        Verdict::Tie => recommendation.tied.clone(),
        _ => recommendation.pick.iter().cloned().collect(),
    };
    let ours = candidates(here);
    let theirs = candidates(there);
    let is_ours = |address: &String| ours.iter().any(|other| is_same(other, address));
    // Neighbours are measured in short: one round that was disturbed proves nothing.
    let once =
        |standing: &&Standing| matches!(standing.judgement, Judgement::Late { rounds: 1, .. });
    let late_once = there.standings.iter().filter(once);
    let mut unproven = late_once.map(|standing| &standing.address);
    if ours.is_empty() && theirs.is_empty() || theirs.iter().any(is_ours) || unproven.any(is_ours) {
        return None;
    }
    let change = axis.told(workload);
    let words = match (&there.pick, &there.margin) {
        (None, _) => format!("{change}: nothing keeps the bounds"),
        (Some(pick), Some(margin)) if there.verdict == Verdict::Answer => {
            format!("{change}: {pick}, {} as good", words::times(margin))
        }
        (Some(pick), _) => format!("{change}: {pick}"),
    };
    Some(Flip {
        axis: *axis,
        pick: there.pick.clone(),
        words,
    })
}
