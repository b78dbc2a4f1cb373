//! How long messages took, all of them.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use hdrhistogram::serialization::{
    Deserializer as Reader, Serializer as Writer, V2DeflateSerializer,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::measure::{quantile::Quantile, recorder::Recorder};

/// How long messages took, in nanoseconds: how often which latency occurred, three digits each. Longer ones than an hour
/// count as an hour.
///
/// Saved as HdrHistogram's own tools read it: version 2, deflated, in base64.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Which, in order, and how often.
    steps: Vec<(u64, u64)>,
    /// How often all.
    count: u64,
}

impl FromIterator<u64> for Latencies {
    /// Of nanoseconds.
    fn from_iter<T: IntoIterator<Item = u64>>(nanos: T) -> Self {
        let mut recorder = Recorder::new();
        nanos.into_iter().for_each(|nanos| recorder.record(nanos));
        Self::from(&recorder)
    }
}

impl From<&Recorder> for Latencies {
    fn from(recorder: &Recorder) -> Self {
        Self {
            steps: recorder.steps().collect(),
            count: recorder.histogram().len(),
        }
    }
}

impl Latencies {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            steps: Vec::new(),
            count: 0,
        }
    }

    /// Counts a step of a recorder so often.
    pub(super) fn add(&mut self, nanos: u64, times: u64) {
        match self.steps.binary_search_by_key(&nanos, |step| step.0) {
            Ok(place) => {
                if let Some(step) = self.steps.get_mut(place) {
                    step.1 = step.1.saturating_add(times);
                }
            }
            Err(place) => self.steps.insert(place, (nanos, times)),
        }
        self.count = self.count.saturating_add(times);
    }

    /// Counts all of `other` too.
    pub fn merge(&mut self, other: &Self) {
        for (nanos, times) in other.steps() {
            self.add(nanos, times);
        }
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The longest; 0 if there are none.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.0)
    }

    /// Their mean; 0 if there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.steps().map(|(n, times)| n as f64 * times as f64).sum();
        sum / self.count.max(1) as f64
    }

    /// The percentile, however few lie above it; 0 if there are none. For comparing rounds with each other, which shows how
    /// much of it is chance.
    #[must_use]
    pub fn raw(&self, quantile: Quantile) -> u64 {
        let above = self.count / quantile.one_in();
        let mut left = self.count;
        let at = self.steps().find(|(_, times)| {
            left = left.saturating_sub(*times);
            left <= above
        });
        at.map_or(0, |(nanos, _)| nanos)
    }

    /// The percentile, if at least [`LEAST_ABOVE`](Quantile::LEAST_ABOVE) messages lie above it.
    #[must_use]
    pub fn at(&self, quantile: Quantile) -> Option<u64> {
        (self.count >= quantile.messages()).then(|| self.raw(quantile))
    }

    /// How many took longer than `nanos`, as far as three digits tell.
    #[must_use]
    pub fn over(&self, nanos: u64) -> u64 {
        // A step is the longest of the latencies that it stands for.
        let shortest = |step: u64| step - step / 1024;
        let longer = self.steps().filter(|(step, _)| shortest(*step) > nanos);
        longer.map(|(_, times)| times).sum()
    }

    /// Each latency that occurred, from the shortest to the longest, and how often: what a plot is drawn from.
    pub fn steps(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.steps.iter().copied()
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

impl fmt::Debug for Latencies {
    /// In short: there may be thousands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.percentiles().fmt(f)
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut recorder = Recorder::new();
        for (nanos, times) in self.steps() {
            recorder.record_times(nanos, times);
        }
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(recorder.histogram(), &mut bytes);
        written.map_err(ser::Error::custom)?;
        BASE64_STANDARD.encode(bytes).serialize(to)
    }
}

impl<'a> Deserialize<'a> for Latencies {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(de::Error::custom)?;
        let read = Reader::new().deserialize::<u64, _>(&mut bytes.as_slice());
        let mut recorder = Recorder::new();
        recorder.record_all(&read.map_err(de::Error::custom)?);
        Ok(Self::from(&recorder))
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
        (1..=count).collect()
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
    fn it_tells_what_the_histogram_tells() {
        let mut recorder = Recorder::new();
        (0..100_000_u64).for_each(|n| recorder.record(n * n % 7_654_321));
        let latencies = Latencies::from(&recorder);
        for quantile in Quantile::ALL {
            let theirs = recorder.histogram().value_at_quantile(quantile.share());
            assert_eq!(latencies.raw(quantile), theirs, "{quantile}");
        }
        assert_eq!(latencies.max(), recorder.histogram().max());
        let theirs = recorder.histogram().mean();
        assert!((latencies.mean() / theirs - 1.0).abs() < 1e-3);
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
        let latencies: Latencies = (1..=5000).chain([u64::MAX; 3]).collect();
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
