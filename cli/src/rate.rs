//! How many messages a second, on the command line.

use std::{fmt, str::FromStr};

/// What stands behind a number, and how many times as much it is then.
const UNITS: [(&str, f64); 3] = [("k", 1e3), ("M", 1e6), ("G", 1e9)];
/// The most that is believed.
const MOST: f64 = 1e12;

/// How many messages a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rate {
    /// As many as go through.
    Max,
    /// So many.
    Fixed(f64),
}

impl Rate {
    /// Messages a second, if that is a number.
    pub(crate) const fn fixed(self) -> Option<f64> {
        match self {
            Self::Max => None,
            Self::Fixed(rate) => Some(rate),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Fixed(rate) => write!(f, "{rate}/s"),
        }
    }
}

/// Why a text is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateError;

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write messages a second, as in 500/s, 50k/s or 2.4M/s, or max")
    }
}

impl std::error::Error for RateError {}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let text = text.strip_suffix("/s").unwrap_or(text);
        let scaled = UNITS
            .iter()
            .find_map(|(unit, times)| Some((text.strip_suffix(unit)?, *times)));
        let (number, times) = scaled.unwrap_or((text, 1.0));
        let rate = number.parse::<f64>().map_err(|_| RateError)? * times;
        if rate > 0.0 && rate <= MOST {
            Ok(Self::Fixed(rate))
        } else {
            Err(RateError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_thousands_and_millions() {
        for (text, rate) in [
            ("50k/s", 5e4),
            ("50k", 5e4),
            ("2.5M/s", 2.5e6),
            ("60", 60.0),
        ] {
            assert_eq!(text.parse(), Ok(Rate::Fixed(rate)), "{text}");
        }
        assert_eq!("max".parse(), Ok(Rate::Max));
        for rate in [Rate::Max, Rate::Fixed(50_000.0), Rate::Fixed(0.5)] {
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
        for bad in [
            "", "k", "fast", "-1/s", "0", "nan", "inf", "50K/s", "9e99", "1/m",
        ] {
            assert_eq!(bad.parse::<Rate>(), Err(RateError), "{bad}");
        }
    }
}
