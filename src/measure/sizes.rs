//! How long the messages of a workload are.

use std::{error::Error, fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Address, measure::trace::Trace};

/// How long messages are. The size of each message follows from its number, so both sides know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sizes {
    /// All have so many bytes.
    Fixed(usize),
    /// Every number of bytes in the range is as frequent as any other. The order looks random, and is the same each time.
    Range(RangeInclusive<usize>),
    /// As they were recorded, and again from the start when all were sent.
    Trace(Trace),
}

impl Sizes {
    /// The longest message that is measured: 64 MiB. A ring for it takes several times as much memory.
    pub const MOST: usize = 64 << 20;

    /// The size of message `number`, counted over all producers.
    #[inline]
    #[must_use]
    pub fn of(&self, number: u64) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Range(range) => {
                let span = (range.end().saturating_sub(*range.start()) as u64).saturating_add(1);
                let offset = (u128::from(scattered(number)) * u128::from(span)) >> 64;
                range.start() + usize::try_from(offset).unwrap_or_default()
            }
            Self::Trace(trace) => trace.size(number),
        }
    }

    /// The shortest.
    #[must_use]
    pub fn least(&self) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Range(range) => *range.start(),
            Self::Trace(trace) => trace.sizes().min().unwrap_or_default(),
        }
    }

    /// The longest.
    #[must_use]
    pub fn most(&self) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Range(range) => *range.end(),
            Self::Trace(trace) => trace.sizes().max().unwrap_or_default(),
        }
    }

    /// Bytes of a message on average.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Fixed(size) => *size as f64,
            Self::Range(range) => f64::midpoint(*range.start() as f64, *range.end() as f64),
            Self::Trace(trace) => {
                trace.sizes().map(|size| size as f64).sum::<f64>() / trace.len().max(1) as f64
            }
        }
    }

    /// The same with every size so many times as large, at least 1 byte and at most [`MOST`](Self::MOST).
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let scale = |size: usize| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped, and a cast saturates"
            )]
            let scaled = (size as f64 * factor) as usize;
            scaled.clamp(1, Self::MOST)
        };
        match self {
            Self::Fixed(size) => Self::Fixed(scale(*size)),
            Self::Range(range) => Self::Range(scale(*range.start())..=scale(*range.end())),
            Self::Trace(trace) => Self::Trace(trace.resized(scale)),
        }
    }
}

/// A number that looks as if it had nothing to do with `number`: the finishing steps of SplitMix64.
#[inline]
const fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size} B"),
            Self::Range(range) => write!(f, "{}..{} B", range.start(), range.end()),
            Self::Trace(trace) => trace.fmt(f),
        }
    }
}

/// Why a text is not a size or a range of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizesError;

impl fmt::Display for SizesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = Sizes::MOST;
        write!(
            f,
            "write 1 to {most} bytes, as in 64, 64KiB or 1MiB, or a range, as in 16..4KiB"
        )
    }
}

impl Error for SizesError {}

impl FromStr for Sizes {
    type Err = SizesError;

    /// A size, or a range whose both ends belong to it.
    fn from_str(text: &str) -> Result<Self, SizesError> {
        let size = |text: &str| {
            let address = Address::new("size", "").map_err(|_| SizesError)?;
            match address.with("size", text).size("size") {
                Ok(Some(size)) if size <= Self::MOST => Ok(size),
                _ => Err(SizesError),
            }
        };
        match text.split_once("..") {
            None => Ok(Self::Fixed(size(text)?)),
            Some((least, most)) => {
                let (least, most) = (size(least)?, size(most)?);
                if least > most {
                    return Err(SizesError);
                }
                Ok(Self::Range(least..=most))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_parse_and_print() {
        for (text, sizes, shown) in [
            ("64", Sizes::Fixed(64), "64 B"),
            ("4KiB", Sizes::Fixed(4096), "4096 B"),
            ("16..4KiB", Sizes::Range(16..=4096), "16..4096 B"),
        ] {
            let parsed: Sizes = text.parse().expect("sizes");
            assert_eq!(parsed, sizes);
            assert_eq!(parsed.to_string(), shown);
        }
        for bad in ["", "0", "x", "2..1", "1..", "..5", "1GiB", "1..2..3"] {
            assert_eq!(bad.parse::<Sizes>(), Err(SizesError), "{bad}");
        }
    }

    #[test]
    fn a_range_is_covered_evenly_from_end_to_end() {
        let sizes = Sizes::Range(10..=13);
        let mut seen = [0; 4];
        for number in 0..40_000 {
            seen[sizes.of(number) - 10] += 1;
        }
        assert!(seen.iter().all(|n| (9_000..11_000).contains(n)), "{seen:?}");
        let all = Sizes::Range(0..=usize::MAX);
        assert!((0..100).any(|number| all.of(number) > usize::MAX / 2));
    }

    #[test]
    fn scaling_keeps_within_what_can_be_sent() {
        assert_eq!(Sizes::Fixed(4).scaled(0.125), Sizes::Fixed(1));
        assert_eq!(Sizes::Fixed(64).scaled(8.0), Sizes::Fixed(512));
        let largest = Sizes::Fixed(Sizes::MOST).scaled(8.0);
        assert_eq!(largest, Sizes::Fixed(Sizes::MOST));
        assert_eq!(Sizes::Range(8..=80).scaled(0.5), Sizes::Range(4..=40));
    }
}
