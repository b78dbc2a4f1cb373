//! Choosing a transport: constraints first, then figures of this machine, then one answer with its margin.
//!
//! [`shortlist`] drops what cannot do it, each with the reason and the remedy; [`compare`](crate::measure::compare) measures the rest
//! between real processes; [`rank`] answers, or says that it is too close to call and takes the simplest. [`choose`] does all
//! three. Simple means first in the registry.

mod ceiling;
mod choice;
mod explain;
mod judge;
mod need;
mod needs;
mod neighbour;
mod objective;
mod rank;
mod refusal;
mod shortlist;
mod slo;
mod standing;
mod verdict;
mod words;

pub use ceiling::Ceiling;
pub use choice::{Choice, choose};
pub use need::{Need, NeedError};
pub use needs::Needs;
pub use neighbour::{Axis, Flip, Neighbour, flips};
pub use objective::{Objective, ObjectiveError};
pub use rank::{Alternative, Bound, Recommendation, Relax, rank};
pub use refusal::{Refusal, Refused, Setting};
pub use shortlist::{Shortlist, shortlist};
pub use slo::{Slo, SloError};
pub use standing::{Judgement, Standing};
pub use verdict::Verdict;
pub use words::{Bytes, Count, Share, Time};
