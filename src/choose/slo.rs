//! A bound on latency that must be kept.

use std::{error::Error, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    choose::words::Time,
    measure::{Latencies, Quantile},
};

/// A service level: a percentile and the latency that it must not exceed, as in `p99.9<50us`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slo {
    /// The percentile.
    pub quantile: Quantile,
    /// The longest that it may be, in nanoseconds.
    pub bound: u64,
}

impl Slo {
    /// How many of so many messages may take longer. At least one, so that few messages do not condemn by chance.
    #[must_use]
    pub const fn tolerated(&self, messages: u64) -> u64 {
        messages.div_ceil(self.quantile.one_in())
    }

    /// Whether these messages keep it.
    #[must_use]
    pub fn is_met_by(&self, latencies: &Latencies) -> bool {
        latencies.count() > 0 && latencies.over(self.bound) <= self.tolerated(latencies.count())
    }

    /// Whether so many messages can tell that it is kept: a hundred of them may be over it.
    #[must_use]
    pub const fn can_be_judged_by(&self, messages: u64) -> bool {
        messages >= self.quantile.messages()
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<{}", self.quantile, Exact(self.bound))
    }
}

/// A time as it parses back.
struct Exact(u64);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000)];
        let fits = units
            .into_iter()
            .find(|(_, nanos)| self.0.is_multiple_of(*nanos));
        let (unit, nanos) = fits.unwrap_or(("ns", 1));
        write!(f, "{}{unit}", self.0 / nanos)
    }
}

/// Why a text is not a service level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SloError;

impl fmt::Display for SloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write a percentile and a bound, as in p99.9<50us or p50<2ms")
    }
}

impl Error for SloError {}

impl FromStr for Slo {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let (quantile, bound) = text.split_once('<').ok_or(SloError)?;
        let units = [
            ("ns", 1),
            ("us", 1000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
        ];
        let (number, nanos) = units
            .into_iter()
            .find_map(|(unit, nanos)| Some((bound.trim().strip_suffix(unit)?, nanos)))
            .ok_or(SloError)?;
        let number: f64 = number.trim_end().parse().map_err(|_| SloError)?;
        let bound = Duration::try_from_secs_f64(number * f64::from(nanos) / 1e9);
        let bound = bound
            .ok()
            .and_then(|time| u64::try_from(time.as_nanos()).ok());
        Ok(Self {
            quantile: quantile.trim().parse().map_err(|_| SloError)?,
            bound: bound.filter(|nanos| *nanos > 0).ok_or(SloError)?,
        })
    }
}

impl Serialize for Slo {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'a> Deserialize<'a> for Slo {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Slo {
    /// As people read it in a sentence.
    pub(super) fn told(&self) -> String {
        format!("{} under {}", self.quantile, Time(self.bound as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        for (text, nanos) in [
            ("p99.9<50us", 50_000),
            ("p50<2ms", 2_000_000),
            ("p99<1s", 1_000_000_000),
        ] {
            let slo: Slo = text.parse().expect("a service level");
            assert_eq!(slo.bound, nanos);
            assert_eq!(slo.to_string(), text);
        }
        assert_eq!(
            "p90 < 1.5us".parse::<Slo>().map(|slo| slo.to_string()),
            Ok("p90<1500ns".to_owned())
        );
        for bad in [
            "", "p99", "p99<", "p99<0us", "p98<1us", "p99<1", "p99<-1us", "p99<1min",
        ] {
            assert_eq!(bad.parse::<Slo>(), Err(SloError), "{bad}");
        }
    }

    #[test]
    fn it_is_kept_up_to_its_share_of_late_ones() {
        let slo: Slo = "p90<1us".parse().expect("a service level");
        let late = |late: usize| {
            let all = [500].repeat(90).into_iter().chain([5000].repeat(late));
            all.collect::<Latencies>()
        };
        assert!(!slo.is_met_by(&Latencies::new()), "nothing keeps nothing");
        assert!(slo.is_met_by(&late(10)));
        assert!(slo.is_met_by(&late(11)), "11 of 101");
        assert!(!slo.is_met_by(&late(12)), "12 of 102");
        assert!(!slo.can_be_judged_by(999) && slo.can_be_judged_by(1000));
    }
}
