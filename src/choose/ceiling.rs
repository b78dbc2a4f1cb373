//! The highest rate at which a channel still keeps its bounds.

use serde::{Deserialize, Serialize};

/// The highest rate at which a channel still keeps the service level, found by halving the interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ceiling {
    /// The channel.
    pub address: String,
    /// The highest rate that was tried and kept, in messages a second; `None` if not even the lowest was.
    pub rate: Option<f64>,
    /// The lowest rate that was tried and not kept; `None` if every rate was kept that goes through.
    pub failed: Option<f64>,
    /// How many rates were tried.
    pub tried: u32,
}
