//! Counting latencies while messages move.

use hdrhistogram::Histogram;

/// Significant digits of a latency.
const DIGITS: u8 = 3;
/// The longest latency that is told apart, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// A histogram of nanoseconds, three digits each, up to an hour; longer ones count as an hour. Quick to count in, and large;
/// [`Latencies`](super::latencies::Latencies) are what is kept of it.
#[derive(Debug)]
pub(super) struct Recorder(Histogram<u64>);

impl Recorder {
    /// None yet.
    pub(super) fn new() -> Self {
        // Not one that grows: that one cuts what is too large for it instead, if it is asked to saturate.
        let histogram = Histogram::new_with_max(LONGEST, DIGITS);
        Self(histogram.unwrap_or_else(|_| unreachable!("0 to 5 digits are allowed")))
    }

    /// Counts one.
    #[inline]
    pub(super) fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// Counts the same one so often.
    pub(super) fn record_times(&mut self, nanos: u64, times: u64) {
        self.0.saturating_record_n(nanos, times);
    }

    /// Counts those of another histogram, whatever its form.
    pub(super) fn record_all(&mut self, other: &Histogram<u64>) {
        for step in other.iter_recorded() {
            self.record_times(step.value_iterated_to(), step.count_at_value());
        }
    }

    /// The histogram.
    pub(super) const fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// Each latency that occurred, from the shortest to the longest, and how often.
    pub(super) fn steps(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let recorded = self.0.iter_recorded();
        recorded.map(|step| (step.value_iterated_to(), step.count_at_value()))
    }
}
