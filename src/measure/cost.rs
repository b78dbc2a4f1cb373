//! What moving messages costs the processors.

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde::{Deserialize, Serialize};

use crate::measure::estimate::Estimate;

/// What processes took from the processors while messages moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cost {
    /// Processor time, of their own and of the kernel for them, in nanoseconds.
    pub cpu: u64,
    /// How often they went to sleep; each sleep ends with a wake-up.
    pub voluntary: u64,
    /// How often another process took their core.
    pub involuntary: u64,
}

impl Cost {
    /// What this process has cost since it started, with all its threads.
    pub(super) fn so_far() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            return Self::default();
        };
        let cpu = usage.user_time() + usage.system_time();
        let count = |number: i64| number.unsigned_abs();
        Self {
            cpu: count(cpu.num_nanoseconds()),
            voluntary: count(usage.voluntary_context_switches()),
            involuntary: count(usage.involuntary_context_switches()),
        }
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            voluntary: self.voluntary.saturating_add(other.voluntary),
            involuntary: self.involuntary.saturating_add(other.involuntary),
        }
    }

    /// What was added since `before`.
    pub(super) const fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            voluntary: self.voluntary.saturating_sub(before.voluntary),
            involuntary: self.involuntary.saturating_sub(before.involuntary),
        }
    }
}

/// The costs of both sides in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Costs {
    /// Of all producers.
    pub producers: Cost,
    /// Of all consumers.
    pub consumers: Cost,
}

impl Costs {
    /// Of all processes.
    #[must_use]
    pub const fn all(&self) -> Cost {
        self.producers.and(self.consumers)
    }
}

/// What a message costs; each figure the median of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Price {
    /// Processor time, in nanoseconds.
    pub cpu: Estimate,
    /// Sleeps, each with a wake-up: per 1000 messages.
    pub voluntary: Estimate,
    /// Interruptions by other processes: per 1000 messages.
    pub involuntary: Estimate,
}

impl Price {
    /// Of costs, each with the number of messages that they were for. `None` without one.
    #[must_use]
    pub fn of(costs: &[(Cost, u64)]) -> Option<Self> {
        let estimate = |figure: fn(&Cost) -> u64, messages: f64| {
            let each = |(cost, count): &(Cost, u64)| {
                figure(cost) as f64 * messages / (*count).max(1) as f64
            };
            let values: Vec<f64> = costs.iter().map(each).collect();
            Estimate::of(&values)
        };
        Some(Self {
            cpu: estimate(|cost| cost.cpu, 1.0)?,
            voluntary: estimate(|cost| cost.voluntary, 1000.0)?,
            involuntary: estimate(|cost| cost.involuntary, 1000.0)?,
        })
    }
}

/// What a message costs its producers, its consumers, and all together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Prices {
    /// The producers.
    pub producers: Price,
    /// The consumers.
    pub consumers: Price,
    /// All of them.
    pub all: Price,
}

impl Prices {
    /// Of the costs of rounds, each with its number of messages. `None` without one.
    #[must_use]
    pub fn of(rounds: &[(Costs, u64)]) -> Option<Self> {
        let price = |side: fn(&Costs) -> Cost| {
            let costs: Vec<(Cost, u64)> = rounds.iter().map(|(c, n)| (side(c), *n)).collect();
            Price::of(&costs)
        };
        Some(Self {
            producers: price(|costs| costs.producers)?,
            consumers: price(|costs| costs.consumers)?,
            all: price(Costs::all)?,
        })
    }
}
