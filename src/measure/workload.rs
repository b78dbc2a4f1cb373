//! What is asked of a channel, and how it is measured.

use std::{error::Error, fmt, num::NonZeroU16, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// How many processes send and how many receive: `producers x consumers`, as in `1x1` or `4x4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Processes that send.
    pub producers: NonZeroU16,
    /// Processes that receive. Each message goes to one of them.
    pub consumers: NonZeroU16,
}

impl Shape {
    /// One producer, one consumer.
    pub const ONE_TO_ONE: Self = Self {
        producers: NonZeroU16::MIN,
        consumers: NonZeroU16::MIN,
    };
    /// The most processes at each end.
    pub const MOST: u16 = 64;

    /// How many processes that is.
    #[must_use]
    pub const fn processes(&self) -> usize {
        self.producers.get() as usize + self.consumers.get() as usize
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.producers, self.consumers)
    }
}

/// Why a text is not a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeError;

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = Shape::MOST;
        write!(
            f,
            "write producers x consumers, 1 to {most} each, as in 1x1 or 4x4"
        )
    }
}

impl Error for ShapeError {}

impl FromStr for Shape {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let number = |digits: &str| {
            let number: NonZeroU16 = digits.parse().ok()?;
            (number.get() <= Self::MOST).then_some(number)
        };
        let (producers, consumers) = text.split_once('x').ok_or(ShapeError)?;
        Ok(Self {
            producers: number(producers).ok_or(ShapeError)?,
            consumers: number(consumers).ok_or(ShapeError)?,
        })
    }
}

/// What the processes of a session send to each other: numbered messages of one size, one message a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Workload {
    /// Bytes of each message.
    pub size: usize,
    /// How many send and receive.
    pub shape: Shape,
}

impl Workload {
    /// The longest message that is measured: 64 MiB. A ring for it takes several times as much memory.
    pub const MOST_BYTES: usize = 64 << 20;

    /// Messages of `size` bytes from one process to one other.
    #[must_use]
    pub const fn new(size: usize) -> Self {
        Self {
            size,
            shape: Shape::ONE_TO_ONE,
        }
    }

    /// The same between so many processes.
    #[must_use]
    pub const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }
}

/// How long and how often to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// How often each figure is taken. The channels that are compared take turns: A B C A B C.
    pub rounds: u32,
    /// How long each figure takes in each round.
    pub time: Duration,
    /// Whether each process is kept to a core, where there are several. One producer and one consumer never share one;
    /// of more processes than cores some do.
    pub pin: bool,
}

impl Plan {
    /// Figures that each process takes in a round: throughput and round trip.
    const FIGURES: u32 = 2;
    /// Below this a slice of time says more about waking up than about the channel.
    const SHORTEST: Duration = Duration::from_millis(20);
    /// Above this more rounds say more than longer ones.
    const LONGEST: Duration = Duration::from_millis(250);
    /// More than that nobody reads.
    const MOST_ROUNDS: u32 = 999;

    /// So many rounds, so long for each figure, each process kept to a core.
    #[must_use]
    pub const fn new(rounds: u32, time: Duration) -> Self {
        Self {
            rounds,
            time,
            pin: true,
        }
    }

    /// Measures so many channels within about this time, warm-up included.
    #[must_use]
    pub fn within(total: Duration, channels: usize) -> Self {
        let channels = u32::try_from(channels.max(1)).unwrap_or(u32::MAX);
        let slices = |rounds: u32| {
            // The warm-up is half a round.
            let halves = rounds.saturating_mul(2).saturating_add(1);
            halves
                .saturating_mul(channels)
                .saturating_mul(Self::FIGURES)
        };
        let slice = |rounds| total.saturating_mul(2) / slices(rounds);
        // 6 rounds are the fewest with an interval of 95 %; of 9 the worst two are not part of it.
        let mut rounds = if slice(9) < Self::SHORTEST { 6 } else { 9 };
        // More time means more rounds, not longer ones: what disturbs a machine lasts longer than a slice.
        while slice(rounds) > Self::LONGEST && rounds < Self::MOST_ROUNDS {
            rounds += 1;
        }
        Self::new(rounds, slice(rounds).max(Duration::from_millis(1)))
    }
}

/// When a measurement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// After so many messages.
    Messages(u64),
    /// After this time.
    Time(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_parse_and_print() {
        let shape: Shape = "4x16".parse().expect("a shape");
        assert_eq!((shape.producers.get(), shape.consumers.get()), (4, 16));
        assert_eq!(shape.to_string(), "4x16");
        for bad in ["", "1", "x", "0x1", "1x65", "1x1x1", "-1x1", "a x b"] {
            assert_eq!(bad.parse::<Shape>(), Err(ShapeError), "{bad}");
        }
    }

    #[test]
    fn a_plan_keeps_to_its_time() {
        for (seconds, channels) in (1..40).flat_map(|n| [(9, n), (90, n)]) {
            let total = Duration::from_secs(seconds);
            let plan = Plan::within(total, channels);
            let halves = plan.rounds * 2 + 1;
            let channels = u32::try_from(channels).expect("small");
            let planned = plan.time * halves * channels * Plan::FIGURES / 2;
            assert!(planned <= total, "{planned:?} for {channels}");
            assert!(planned * 11 / 10 >= total, "{planned:?} for {channels}");
        }
    }
}
