//! How long and how often to measure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::workload::Workload;

/// How long and how often to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// How often each figure is taken. The channels that are compared take turns: A B C A B C.
    pub rounds: u32,
    /// How long each closed-loop figure takes in each round. Short, since the distance between two virtual cores changes
    /// several times a second.
    pub time: Duration,
    /// How long messages arrive in each round, if the workload has a rate.
    pub open: Duration,
    /// Whether each process is kept to a core, where there are several. One producer and one consumer never share one;
    /// of more processes than cores some do.
    pub pin: bool,
    /// Whether the machine itself is measured too, about 20 ms a round: floors and hiccups.
    pub machine: bool,
}

impl Plan {
    /// Closed-loop figures that each channel gives in a round: throughput and round trip.
    const CLOSED: u32 = 2;
    /// The usual time of one.
    const SLICE: Duration = Duration::from_millis(20);
    /// Below this a slice of time says more about waking up than about the channel.
    const SHORTEST: Duration = Duration::from_millis(5);
    /// How much longer messages arrive than a closed-loop figure takes: tails are rare.
    const OPEN: u32 = 3;
    /// Messages that arrive in a round, if they arrive so seldom that their number decides how long that takes.
    const ARRIVALS: f64 = 50.0;
    /// More than that nobody reads.
    const MOST_ROUNDS: u32 = 999;

    /// So many rounds, so long for each closed-loop figure and three times as long for arrivals, each process kept to a core.
    #[must_use]
    pub const fn new(rounds: u32, time: Duration) -> Self {
        Self {
            rounds,
            time,
            open: time.saturating_mul(Self::OPEN),
            pin: true,
            machine: true,
        }
    }

    /// How many steps it takes to measure so many channels: a warm-up and the rounds of each.
    #[must_use]
    pub const fn steps(&self, channels: usize) -> usize {
        channels.saturating_mul(self.rounds as usize + 1)
    }

    /// Measures so many channels within about this time, warm-up included.
    #[must_use]
    pub fn within(total: Duration, channels: usize, workload: &Workload) -> Self {
        let channels = u32::try_from(channels.max(1)).unwrap_or(u32::MAX);
        let open = workload.arrivals().map_or(Duration::ZERO, |rate| {
            let enough = Duration::try_from_secs_f64(Self::ARRIVALS / rate);
            enough
                .unwrap_or(Duration::MAX)
                .max(Self::SLICE * Self::OPEN)
        });
        // What a channel takes in a round, and what it may take.
        let wanted = (Self::SLICE * Self::CLOSED).saturating_add(open);
        let turn = |rounds: u32| {
            // The warm-up is half a round.
            let halves = rounds.saturating_mul(2).saturating_add(1);
            total.saturating_mul(2) / halves.saturating_mul(channels)
        };
        let scale = |rounds| turn(rounds).as_secs_f64() / wanted.as_secs_f64();
        // 6 rounds are the fewest with an interval of 95 %; of 9 the worst two are not part of it.
        let short = Self::SLICE.mul_f64(scale(9)) < Self::SHORTEST;
        let mut rounds = if short { 6 } else { 9 };
        // More time means more rounds, not longer ones: what disturbs a machine lasts longer than a slice.
        while scale(rounds) > 1.0 && rounds < Self::MOST_ROUNDS {
            rounds += 1;
        }
        let turn = turn(rounds);
        let (time, open) = if open.is_zero() {
            (turn / Self::CLOSED, open)
        } else {
            // Rare arrivals do not make the closed loops shorter than they are of use.
            let least = Self::SHORTEST.min(turn / (Self::CLOSED + Self::OPEN));
            let time = Self::SLICE.mul_f64(scale(rounds)).max(least);
            (time, turn.saturating_sub(time * Self::CLOSED))
        };
        Self {
            rounds,
            time: time.max(Duration::from_millis(1)),
            open,
            pin: true,
            machine: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_keeps_to_its_time() {
        for (seconds, channels) in (1..40).flat_map(|n| [(9, n), (90, n)]) {
            let closed = Workload::new(64);
            for workload in [closed.clone(), closed.clone().rate(5e4), closed.rate(20.0)] {
                let total = Duration::from_secs(seconds);
                let plan = Plan::within(total, channels, &workload);
                let turn = plan.time * Plan::CLOSED + plan.open;
                let channels = u32::try_from(channels).expect("small");
                let planned = turn * channels * (plan.rounds * 2 + 1) / 2;
                assert!(planned <= total * 101 / 100, "{planned:?} for {channels}");
                assert!(planned * 11 / 10 >= total, "{planned:?} for {channels}");
                assert!(plan.rounds >= 6);
                assert_eq!(workload.rate.is_some(), !plan.open.is_zero());
            }
        }
    }
}
