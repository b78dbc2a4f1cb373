//! The figures of a channel: what its rounds come to.

use serde::{Deserialize, Serialize};

use crate::measure::{
    cost::{Costs, Prices},
    distance::{Distance, Shares},
    estimate::Estimate,
    latencies::{Latencies, Percentiles},
    quantile::Quantile,
    round::{Delay, Flow, Round},
};

/// The figures of a channel. The three groups answer three questions; a figure of one is never compared with one of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// Closed loop: as many messages as go through. Says nothing about how long one takes.
    pub throughput: ThroughputFigures,
    /// Closed loop: one message at a time, there and back. Says nothing about load.
    pub roundtrip: LatencyFigures,
    /// Open loop: messages at the times that the workload sets, each measured from when it was due, not from when
    /// it was sent; with answers until the answer came. `None` if the workload has no rate.
    pub arrivals: Option<LatencyFigures>,
    /// How far apart the cores were while these were taken.
    pub shares: Shares,
    /// What each round gave.
    pub rounds: Vec<Round>,
}

/// How much goes through: each figure the median of rounds at one distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ThroughputFigures {
    /// Messages a second.
    pub rate: Estimate,
    /// Bytes a second, without headers.
    pub bytes: Estimate,
    /// What a message costs.
    pub prices: Prices,
    /// The distance at which these were taken; `None` if at any, since there were no rounds at the one asked for.
    pub distance: Option<Distance>,
    /// How many rounds they are of.
    pub rounds: usize,
}

/// How long it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LatencyFigures {
    /// Of all messages of all rounds at any distance, in nanoseconds.
    pub percentiles: Percentiles,
    /// The median of the rounds' own percentile, in nanoseconds, at one distance, and how far to trust it.
    pub p50: Estimate,
    /// As above.
    pub p99: Estimate,
    /// Messages a second that went through.
    pub rate: Estimate,
    /// What a message costs, with its answer if it has one.
    pub prices: Prices,
    /// The distance at which the estimates were taken; `None` if at any.
    pub distance: Option<Distance>,
    /// How many rounds the estimates are of.
    pub rounds: usize,
}

/// Rounds at this distance, else all.
fn at<T>(
    all: &[T],
    wanted: Option<Distance>,
    distance: impl Fn(&T) -> Option<Distance>,
) -> (Option<Distance>, Vec<&T>) {
    let near: Vec<&T> = all
        .iter()
        .filter(|round| wanted.is_some() && distance(round) == wanted)
        .collect();
    if near.is_empty() {
        (None, all.iter().collect())
    } else {
        (wanted, near)
    }
}

fn estimate<T>(rounds: &[&T], figure: impl Fn(&T) -> f64) -> Option<Estimate> {
    let values: Vec<f64> = rounds.iter().map(|round| figure(round)).collect();
    Estimate::of(&values)
}

impl ThroughputFigures {
    /// `None` without a round.
    fn of(flows: &[Flow], distance: Option<Distance>) -> Option<Self> {
        let (distance, rounds) = at(flows, distance, |flow| flow.distance);
        let costs: Vec<(Costs, u64)> = rounds.iter().map(|f| (f.costs, f.messages)).collect();
        Some(Self {
            rate: estimate(&rounds, Flow::rate)?,
            bytes: estimate(&rounds, |flow| flow.bytes as f64 / flow.seconds.max(1e-9))?,
            prices: Prices::of(&costs)?,
            distance,
            rounds: rounds.len(),
        })
    }
}

impl LatencyFigures {
    /// `None` without a round.
    fn of(delays: &[&Delay], distance: Option<Distance>) -> Option<Self> {
        let (distance, rounds) = at(delays, distance, |delay| delay.distance);
        let costs: Vec<(Costs, u64)> = rounds
            .iter()
            .map(|delay| (delay.costs, delay.latencies.count()))
            .collect();
        let raw = |quantile| estimate(&rounds, |delay| delay.latencies.raw(quantile) as f64);
        Some(Self {
            percentiles: merged(delays).percentiles(),
            p50: raw(Quantile::P50)?,
            p99: raw(Quantile::P99)?,
            rate: estimate(&rounds, |delay| delay.rate())?,
            prices: Prices::of(&costs)?,
            distance,
            rounds: rounds.len(),
        })
    }
}

/// All together.
fn merged(delays: &[&Delay]) -> Latencies {
    let mut all = Latencies::new();
    for delay in delays {
        all.merge(&delay.latencies);
    }
    all
}

impl Figures {
    /// The figures of rounds, estimates at this distance where there are rounds at it. `None` without a round.
    #[must_use]
    pub fn of(rounds: Vec<Round>, distance: Option<Distance>) -> Option<Self> {
        let flows: Vec<Flow> = rounds.iter().map(|round| round.throughput).collect();
        let trips: Vec<&Delay> = rounds.iter().map(|round| &round.roundtrip).collect();
        let arrivals: Vec<&Delay> = rounds.iter().flat_map(|round| &round.arrivals).collect();
        let times = flows.iter().map(|flow| (flow.distance, flow.seconds));
        let delays = trips.iter().chain(&arrivals);
        let shares = Shares::of(times.chain(delays.map(|delay| (delay.distance, delay.seconds))));
        Some(Self {
            throughput: ThroughputFigures::of(&flows, distance)?,
            roundtrip: LatencyFigures::of(&trips, distance)?,
            arrivals: LatencyFigures::of(&arrivals, distance),
            shares,
            rounds,
        })
    }

    /// Every round trip of every round.
    #[must_use]
    pub fn roundtrip_latencies(&self) -> Latencies {
        let all: Vec<&Delay> = self.rounds.iter().map(|round| &round.roundtrip).collect();
        merged(&all)
    }

    /// Every arrival of every round; `None` if the workload has no rate.
    #[must_use]
    pub fn arrival_latencies(&self) -> Option<Latencies> {
        let all: Vec<&Delay> = self.rounds.iter().flat_map(|r| &r.arrivals).collect();
        (!all.is_empty()).then(|| merged(&all))
    }
}
