//! When each message of an open loop is due.

use std::time::Duration;

use crate::measure::{message::Lengths, sizes::Sizes};

/// The times of messages that arrive at a rate, whether or not they go through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule<'a> {
    lengths: &'a Lengths,
    /// When it begins, in nanoseconds on the monotonic clock.
    start: u64,
    /// Nanoseconds between two messages of all producers; of a trace with gaps, how many times as long they are.
    pace: f64,
}

impl<'a> Schedule<'a> {
    /// So many messages a second, of all producers together.
    pub(super) fn new(lengths: &'a Lengths, start: u64, rate: f64) -> Self {
        let pace = match lengths.sizes() {
            Sizes::Trace(trace) => trace.rate().map(|own| own / rate),
            _ => None,
        };
        Self {
            lengths,
            start,
            pace: pace.unwrap_or(1e9 / rate),
        }
    }

    /// The longest time between two messages.
    pub(super) fn longest_gap(&self) -> Duration {
        let nanos = match self.lengths.sizes() {
            Sizes::Trace(trace) if trace.rate().is_some() => {
                let gaps = trace.messages().iter().map(|message| message.gap);
                gaps.max().unwrap_or_default() as f64 * self.pace
            }
            _ => self.pace,
        };
        Duration::try_from_secs_f64(nanos / 1e9).unwrap_or(Duration::MAX)
    }

    /// When message `number` is due.
    #[inline]
    pub(super) fn due(&self, number: u64) -> u64 {
        let place = self.lengths.place(number);
        let after = match self.lengths.sizes() {
            Sizes::Trace(trace) if trace.rate().is_some() => trace.due(place, self.pace),
            _ => place as f64 * self.pace,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a cast saturates"
        )]
        let after = after as u64;
        self.start.saturating_add(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{
        message::SEQUENCE_BITS,
        trace::{Recorded, Trace},
    };

    #[test]
    fn producers_take_turns() {
        let lengths = Lengths::new(Sizes::Fixed(8), 2);
        let schedule = Schedule::new(&lengths, 1000, 1e6);
        let second = 1 << SEQUENCE_BITS;
        let due = [0, second, 1, second + 1].map(|number| schedule.due(number));
        assert_eq!(due, [1000, 2000, 3000, 4000]);
    }

    #[test]
    fn gaps_are_stretched_to_the_rate() {
        let gaps = [100, 300].map(|gap| Recorded { size: 8, gap });
        let trace = Trace::new(gaps.to_vec()).expect("not empty");
        let lengths = Lengths::new(Sizes::Trace(trace), 1);
        // It was recorded at 5 million a second.
        let schedule = Schedule::new(&lengths, 0, 5e5);
        let due = [0, 1, 2].map(|number| schedule.due(number));
        assert_eq!(due, [1000, 4000, 5000]);
    }
}
