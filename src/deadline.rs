//! The one way to say how long a call may wait.

use std::time::{Duration, Instant};

/// The moment at which a blocking call gives up.
///
/// Measured on the monotonic clock, so setting the wall clock has no effect.
///
/// ```
/// use laneway::Deadline;
/// use std::time::Duration;
///
/// assert!(Deadline::NOW.has_passed());
/// assert_eq!(Deadline::NEVER.remaining(), None);
/// assert!(!Deadline::after(Duration::from_secs(60)).has_passed());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Moment);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Now,
    At(Instant),
    Never,
}

impl Deadline {
    /// Already passed: the call tries once and never blocks.
    pub const NOW: Self = Self(Moment::Now);
    /// Never passes: the call blocks until it succeeds or the other side is gone.
    pub const NEVER: Self = Self(Moment::Never);

    /// Passes at `instant`.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self(Moment::At(instant))
    }

    /// Passes `timeout` from now; one that the clock cannot express never passes.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        if timeout.is_zero() {
            return Self::NOW;
        }
        Instant::now()
            .checked_add(timeout)
            .map_or(Self::NEVER, Self::at)
    }

    /// The time left: zero once passed, `None` if it never passes.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        match self.0 {
            Moment::Now => Some(Duration::ZERO),
            Moment::At(instant) => Some(instant.saturating_duration_since(Instant::now())),
            Moment::Never => None,
        }
    }

    /// Whether the call should give up now.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.remaining() == Some(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_now_and_overflow_is_never() {
        assert_eq!(Deadline::after(Duration::ZERO), Deadline::NOW);
        assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
    }

    #[test]
    fn is_never_early() {
        let start = Instant::now();
        let timeout = Duration::from_millis(5);
        let deadline = Deadline::after(timeout);
        while !deadline.has_passed() {
            std::hint::spin_loop();
        }
        assert!(start.elapsed() >= timeout);
    }

    #[test]
    fn an_instant_in_the_past_has_passed() {
        assert!(Deadline::at(Instant::now()).has_passed());
    }
}
