//! Choosing a transport: constraints first, then figures of this machine, then one answer with its margin.
//!
//! [`shortlist`] drops what cannot do it, each with the reason and the remedy; [`compare`](crate::measure::compare) measures the rest
//! between real processes; [`rank`] answers, or says that it is too close to call and takes the simplest. [`choose`] does all
//! three. Simple means first in the registry.

mod choice;
mod needs;
mod rank;
mod refusal;
mod shortlist;
mod words;

pub use choice::{Choice, choose};
pub use needs::{Needs, Objective, ObjectiveError};
pub use rank::{Recommendation, Verdict, rank};
pub use refusal::{Refusal, Refused, Setting};
pub use shortlist::{Shortlist, shortlist};
pub use words::{Count, Time};
