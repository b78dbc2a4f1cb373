//! What a program was seen to send: sizes and gaps.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Recorded messages, to be sent again as they were: never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Recorded>", into = "Vec<Recorded>")]
pub struct Trace {
    messages: Vec<Recorded>,
    /// When each was sent, in nanoseconds after the first gap began.
    times: Vec<u64>,
}

/// One recorded message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its bytes.
    pub size: usize,
    /// Nanoseconds since the one before it; of the first, those that pass after the last when all are sent again.
    pub gap: u64,
}

/// Why there is no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyTrace;

impl fmt::Display for EmptyTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trace has at least one message; record some")
    }
}

impl std::error::Error for EmptyTrace {}

impl Trace {
    /// From what was recorded.
    ///
    /// # Errors
    /// [`EmptyTrace`] if that is nothing.
    pub fn new(messages: Vec<Recorded>) -> Result<Self, EmptyTrace> {
        if messages.is_empty() {
            return Err(EmptyTrace);
        }
        let time = |passed: &mut u64, message: &Recorded| {
            *passed = passed.saturating_add(message.gap);
            Some(*passed)
        };
        let times = messages.iter().scan(0, time).collect();
        Ok(Self { messages, times })
    }

    /// What was recorded.
    #[must_use]
    pub fn messages(&self) -> &[Recorded] {
        &self.messages
    }

    /// How many messages.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.messages.len()
    }

    /// How long it takes to send them all, gaps before each included.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.times.last().copied().unwrap_or_default())
    }

    /// Messages a second; `None` if no gaps were recorded.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let time = self.time();
        (!time.is_zero()).then(|| self.len() as f64 / time.as_secs_f64())
    }

    /// The sizes, in order.
    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.messages.iter().map(|message| message.size)
    }

    /// The size of message `number`.
    #[inline]
    pub(super) fn size(&self, number: u64) -> usize {
        self.messages[self.place(number)].size
    }

    /// When message `number` is due, in nanoseconds, if it takes `times` times as long as it was recorded.
    #[inline]
    pub(super) fn due(&self, number: u64, times: f64) -> f64 {
        let turns = number / self.messages.len() as u64;
        let whole = self.time().as_nanos() as f64;
        (turns as f64 * whole + self.times[self.place(number)] as f64) * times
    }

    #[inline]
    fn place(&self, number: u64) -> usize {
        // Less than the length, which is a `usize`.
        usize::try_from(number % self.messages.len() as u64).unwrap_or_default()
    }

    /// The same with other sizes.
    pub(super) fn resized(&self, size: impl Fn(usize) -> usize) -> Self {
        let mut other = self.clone();
        for message in &mut other.messages {
            message.size = size(message.size);
        }
        other
    }
}

impl TryFrom<Vec<Recorded>> for Trace {
    type Error = EmptyTrace;

    fn try_from(messages: Vec<Recorded>) -> Result<Self, EmptyTrace> {
        Self::new(messages)
    }
}

impl From<Trace> for Vec<Recorded> {
    fn from(trace: Trace) -> Self {
        trace.messages
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.sizes().min().unwrap_or_default();
        let most = self.sizes().max().unwrap_or_default();
        write!(f, "{} recorded messages of {least}..{most} B", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sent_again_and_again() {
        let recorded = |size, gap| Recorded { size, gap };
        let trace = Trace::new(vec![recorded(8, 100), recorded(9, 300)]).expect("not empty");
        assert_eq!(trace.rate(), Some(5e6));
        let sizes: Vec<_> = (0..5).map(|number| trace.size(number)).collect();
        assert_eq!(sizes, [8, 9, 8, 9, 8]);
        let due: Vec<_> = (0..4).map(|number| trace.due(number, 2.0)).collect();
        assert_eq!(due, [200.0, 800.0, 1000.0, 1600.0]);
        assert_eq!(Trace::new(Vec::new()), Err(EmptyTrace));
        let silent = Trace::new(vec![recorded(8, 0)]).expect("not empty");
        assert_eq!(silent.rate(), None);
    }
}
