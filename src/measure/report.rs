//! What was measured of a channel, as data.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::measure::{
    estimate::Estimate,
    fault::{Fault, SessionError},
    session::{Roundtrip, Throughput},
};

/// The number of the form in which reports are saved. It changes when an old reader would misread a new report.
pub const SCHEMA: u32 = 1;

/// What became of one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Its address, without the name that it had while it was measured.
    pub address: String,
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
    Measured(Figures),
    /// It lost, altered or delayed what was sent, so it has no figures.
    Disqualified(Fault),
    /// It could not be measured.
    Failed {
        /// Why, in words.
        why: String,
    },
}

/// The figures of a channel: each the median of its rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// Messages a second.
    pub rate: Estimate,
    /// The round trip that half of all are faster than, in nanoseconds.
    pub p50: Estimate,
    /// The round trip that 99 of 100 are faster than, in nanoseconds.
    pub p99: Estimate,
    /// What each round gave.
    pub rounds: Vec<Round>,
}

/// What one round gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Round {
    /// Messages that went one way.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The seconds that they took.
    pub seconds: f64,
    /// Messages that went there and back.
    pub roundtrips: u64,
    /// Percentiles of these, in nanoseconds.
    pub p50: u64,
    /// As above.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
}

impl Round {
    /// From what a session measured.
    #[must_use]
    pub fn new(throughput: &Throughput, roundtrip: &Roundtrip) -> Self {
        let Throughput {
            messages,
            bytes,
            time,
        } = *throughput;
        let latencies: &Histogram<u64> = &roundtrip.latencies;
        Self {
            messages,
            bytes,
            seconds: time.max(Duration::from_nanos(1)).as_secs_f64(),
            roundtrips: latencies.len(),
            p50: latencies.value_at_quantile(0.5),
            p99: latencies.value_at_quantile(0.99),
            max: latencies.max(),
        }
    }
}

impl Figures {
    /// `None` without a round.
    #[must_use]
    pub fn of(rounds: Vec<Round>) -> Option<Self> {
        let estimate = |figure: fn(&Round) -> f64| {
            let values: Vec<f64> = rounds.iter().map(figure).collect();
            Estimate::of(&values)
        };
        Some(Self {
            rate: estimate(|round| round.messages as f64 / round.seconds)?,
            p50: estimate(|round| round.p50 as f64)?,
            p99: estimate(|round| round.p99 as f64)?,
            rounds,
        })
    }
}

impl Report {
    /// A report of rounds, or of what went wrong.
    #[must_use]
    pub fn new(address: String, measured: Result<Vec<Round>, SessionError>) -> Self {
        let failed = |why: String| Outcome::Failed { why };
        let outcome = match measured.map(Figures::of) {
            Ok(Some(figures)) => Outcome::Measured(figures),
            Ok(None) => failed("no round was measured".to_owned()),
            Err(SessionError::Fault(fault)) => Outcome::Disqualified(fault),
            Err(error) => failed(error.to_string()),
        };
        Self { address, outcome }
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
