//! What one round gave.

use serde::{Deserialize, Serialize};

use crate::measure::{cost::Costs, distance::Distance, latencies::Latencies};

/// What one round gave: each figure is taken by itself, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Round {
    /// As many messages as go through: closed loop.
    pub throughput: Flow,
    /// One message at a time, there and back: closed loop.
    pub roundtrip: Delay,
    /// Messages at times fixed beforehand: open loop. `None` if the workload has no rate.
    pub arrivals: Option<Delay>,
}

/// Messages that went through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flow {
    /// How many.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The seconds that they took.
    pub seconds: f64,
    /// What they cost.
    pub costs: Costs,
    /// How far apart the cores were; `None` if that changed meanwhile.
    pub distance: Option<Distance>,
}

impl Flow {
    /// Messages a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds.max(1e-9)
    }
}

/// How long messages took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Delay {
    /// Each of them, in nanoseconds.
    pub latencies: Latencies,
    /// The seconds that all took.
    pub seconds: f64,
    /// What they cost.
    pub costs: Costs,
    /// How far apart the cores were; `None` if that changed meanwhile.
    pub distance: Option<Distance>,
}

impl Delay {
    /// Messages a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.latencies.count() as f64 / self.seconds.max(1e-9)
    }
}
