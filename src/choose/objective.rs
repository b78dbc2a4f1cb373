//! What a channel is to be good at.

use std::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::measure::Quantile;

/// What a channel is to be good at, among those that meet all constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Objective {
    /// Many messages a second, one way, or answered if the workload has answers: closed loop.
    Rate,
    /// A short latency: of arrivals if the workload has a rate, else of round trips.
    Latency(Quantile),
    /// Little processor time a message, of producers and consumers together: of arrivals if the workload has a rate, else
    /// where as many messages as go through do.
    Cpu,
    /// The transport that stands first in the registry.
    Simplicity,
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => f.pad("rate"),
            Self::Latency(quantile) => quantile.fmt(f),
            Self::Cpu => f.pad("cpu"),
            Self::Simplicity => f.pad("simplicity"),
        }
    }
}

/// Why a text is not an objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectiveError;

impl fmt::Display for ObjectiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write rate, latency, a percentile as in p99.9, cpu or simplicity")
    }
}

impl Error for ObjectiveError {}

impl FromStr for Objective {
    type Err = ObjectiveError;

    /// `latency` is short for `p99`.
    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        match text {
            "rate" => Ok(Self::Rate),
            "cpu" => Ok(Self::Cpu),
            "simplicity" => Ok(Self::Simplicity),
            "latency" => Ok(Self::Latency(Quantile::default())),
            percentile => {
                let quantile = percentile.parse().map_err(|_| ObjectiveError)?;
                Ok(Self::Latency(quantile))
            }
        }
    }
}

impl Serialize for Objective {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'a> Deserialize<'a> for Objective {
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
        for word in ["rate", "p50", "p99.9", "cpu", "simplicity"] {
            let objective: Objective = word.parse().expect("an objective");
            assert_eq!(objective.to_string(), word);
        }
        let latency = "latency".parse();
        assert_eq!(latency, Ok(Objective::Latency(Quantile::P99)));
        assert_eq!("taste".parse::<Objective>(), Err(ObjectiveError));
    }
}
