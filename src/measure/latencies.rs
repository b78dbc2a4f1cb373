//! How long messages took, all of them.

use base64::{Engine, prelude::BASE64_STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer as Reader, Serializer as Writer, V2DeflateSerializer},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::measure::quantile::Quantile;

/// Significant digits of a latency.
const DIGITS: u8 = 3;
/// The longest latency that is told apart, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// How long messages took, in nanoseconds, three digits each: a histogram. Longer ones than an hour count as an hour.
///
/// Saved as HdrHistogram's own tools read it: version 2, deflated, in base64.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Latencies {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        // Not one that grows: that one cuts what is too large for it instead, if it is asked to saturate.
        let histogram = Histogram::new_with_max(LONGEST, DIGITS);
        Self(histogram.unwrap_or_else(|_| unreachable!("0 to 5 digits are allowed")))
    }

    /// Counts one.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// Counts the same one so often.
    pub fn record_times(&mut self, nanos: u64, times: u64) {
        self.0.saturating_record_n(nanos, times);
    }

    /// Counts all of `other` too.
    pub fn merge(&mut self, other: &Self) {
        for (nanos, times) in other.steps() {
            self.record_times(nanos, times);
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The longest; 0 if there are none.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.0.max()
    }

    /// Their mean; 0 if there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// The percentile, however few lie above it. For comparing rounds with each other, which shows how much of it is chance.
    #[must_use]
    pub fn raw(&self, quantile: Quantile) -> u64 {
        self.0.value_at_quantile(quantile.share())
    }

    /// The percentile, if at least [`LEAST_ABOVE`](Quantile::LEAST_ABOVE) messages lie above it.
    #[must_use]
    pub fn at(&self, quantile: Quantile) -> Option<u64> {
        (self.count() >= quantile.messages()).then(|| self.raw(quantile))
    }

    /// How many took longer than `nanos`, as far as three digits tell.
    #[must_use]
    pub fn over(&self, nanos: u64) -> u64 {
        let steps = self.steps();
        let longer = steps.filter(|(value, _)| *value > self.0.highest_equivalent(nanos));
        longer.map(|(_, times)| times).sum()
    }

    /// Each latency that occurred, from the shortest to the longest, and how often: what a plot is drawn from.
    pub fn steps(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let recorded = self.0.iter_recorded();
        recorded.map(|step| (step.value_iterated_to(), step.count_at_value()))
    }

    /// Those that are told.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            count: self.count(),
            p50: self.at(Quantile::P50),
            p90: self.at(Quantile::P90),
            p99: self.at(Quantile::P99),
            p999: self.at(Quantile::P999),
            p9999: self.at(Quantile::P9999),
            max: self.max(),
        }
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        written.map_err(ser::Error::custom)?;
        BASE64_STANDARD.encode(bytes).serialize(to)
    }
}

impl<'a> Deserialize<'a> for Latencies {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(de::Error::custom)?;
        let read = Reader::new().deserialize::<u64, _>(&mut bytes.as_slice());
        let mut latencies = Self::new();
        // Of whatever form it was saved in, so that merging and comparing are the same again.
        latencies.merge(&Self(read.map_err(de::Error::custom)?));
        Ok(latencies)
    }
}

/// Percentiles of latencies, in nanoseconds; `None` where fewer than [`LEAST_ABOVE`](Quantile::LEAST_ABOVE) messages lie above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Percentiles {
    /// How many messages they are of.
    pub count: u64,
    /// Half took no longer.
    pub p50: Option<u64>,
    /// 9 of 10 took no longer.
    pub p90: Option<u64>,
    /// 99 of 100 took no longer.
    pub p99: Option<u64>,
    /// 999 of 1000 took no longer.
    pub p999: Option<u64>,
    /// 9999 of 10,000 took no longer.
    pub p9999: Option<u64>,
    /// The longest; 0 if there are none.
    pub max: u64,
}

impl Percentiles {
    /// One of them.
    #[must_use]
    pub const fn at(&self, quantile: Quantile) -> Option<u64> {
        match quantile {
            Quantile::P50 => self.p50,
            Quantile::P90 => self.p90,
            Quantile::P99 => self.p99,
            Quantile::P999 => self.p999,
            Quantile::P9999 => self.p9999,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(count: u64) -> Latencies {
        let mut latencies = Latencies::new();
        (1..=count).for_each(|nanos| latencies.record(nanos));
        latencies
    }

    #[test]
    fn a_percentile_with_few_above_it_is_not_told() {
        let told = |count| up_to(count).percentiles();
        let few = told(1999);
        assert_eq!((few.p50, few.p90, few.p99), (Some(1000), Some(1800), None));
        assert_eq!(few.p999, None);
        assert_eq!(told(199).p50, None);
        assert_eq!(told(200).p50, Some(100));
        let many = told(99_999);
        assert!(many.p99.is_some() && many.p999.is_none());
        assert!(told(100_000).p999.is_some());
        assert_eq!(told(0).max, 0);
    }

    #[test]
    fn what_is_over_a_bound_is_counted() {
        let latencies = up_to(1000);
        assert_eq!(latencies.over(0), 1000);
        assert_eq!(latencies.over(990), 10);
        assert_eq!(latencies.over(1000), 0);
        assert_eq!(up_to(0).over(0), 0);
    }

    #[test]
    fn saved_and_read_again_it_is_the_same() {
        let mut latencies = up_to(5000);
        latencies.record_times(u64::MAX, 3);
        let saved = serde_json::to_string(&latencies).expect("saves");
        assert!(saved.starts_with("\"HISTFAAA"), "{saved}");
        let read: Latencies = serde_json::from_str(&saved).expect("reads");
        assert_eq!(read, latencies);
        assert_eq!(serde_json::to_string(&read).expect("saves"), saved);
        for bad in ["\"\"", "\"!\"", "\"SGVsbG8=\"", "7"] {
            assert!(serde_json::from_str::<Latencies>(bad).is_err(), "{bad}");
        }
    }
}
