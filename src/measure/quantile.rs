//! The percentiles that are told.

use std::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A share of all messages that took no longer than a latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Quantile {
    /// Half.
    P50,
    /// 9 of 10.
    P90,
    /// 99 of 100.
    #[default]
    P99,
    /// 999 of 1000.
    P999,
    /// 9999 of 10,000.
    P9999,
}

impl Quantile {
    /// All, from the middle out.
    pub const ALL: [Self; 5] = [Self::P50, Self::P90, Self::P99, Self::P999, Self::P9999];
    /// A percentile above which fewer messages than this were seen is not told: it would be chance.
    pub const LEAST_ABOVE: u64 = 100;

    /// Of so many messages one lies above it, on average.
    #[must_use]
    pub const fn one_in(self) -> u64 {
        match self {
            Self::P50 => 2,
            Self::P90 => 10,
            Self::P99 => 100,
            Self::P999 => 1000,
            Self::P9999 => 10_000,
        }
    }

    /// The share of messages at or below it, between 0 and 1.
    #[must_use]
    pub const fn share(self) -> f64 {
        1.0 - 1.0 / self.one_in() as f64
    }

    /// How many messages it takes until it is told.
    #[must_use]
    pub const fn messages(self) -> u64 {
        self.one_in() * Self::LEAST_ABOVE
    }

    /// As people write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::P9999 => "p99.99",
        }
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Why a text is not a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantileError;

impl fmt::Display for QuantileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write p50, p90, p99, p99.9 or p99.99")
    }
}

impl Error for QuantileError {}

impl FromStr for Quantile {
    type Err = QuantileError;

    fn from_str(text: &str) -> Result<Self, QuantileError> {
        let mut all = Self::ALL.into_iter();
        all.find(|quantile| quantile.word() == text)
            .ok_or(QuantileError)
    }
}

impl Serialize for Quantile {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.word().serialize(to)
    }
}

impl<'a> Deserialize<'a> for Quantile {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        word.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        for quantile in Quantile::ALL {
            assert_eq!(quantile.to_string().parse(), Ok(quantile));
            let above = quantile.messages() as f64 * (1.0 - quantile.share());
            assert!((above - 100.0).abs() < 1e-6, "{quantile}: {above}");
        }
        assert_eq!("p98".parse::<Quantile>(), Err(QuantileError));
    }
}
