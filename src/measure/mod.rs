//! Measuring channels between real processes.
//!
//! A [`Session`] opens a channel, starts peers (this same program, run again: see [`serve`]), and lets them move messages.
//! Every byte of each message is written by its sender and read by its receiver, which knows from the message's number
//! what each must be; counts and order are checked too. So a channel that loses, cuts, alters or reorders messages is
//! [disqualified](Fault), never fast. Peers wait for orders asleep in a pipe, and time what they do themselves on the clock that all
//! processes share, so the session takes no part in what is measured.
//!
//! Messages are sent one a call, written in place where the channel lends room; each is read where it is lent. One
//! clock read (some 25 ns) is part of each round trip. [`compare`] measures several channels in turns.

mod arrive;
mod compare;
mod control;
mod cores;
mod cost;
mod distance;
mod estimate;
mod fault;
mod figures;
mod floor;
mod floors;
mod hiccups;
mod latencies;
mod lifeline;
mod link;
mod machine;
mod message;
mod peer;
pub(crate) mod place;
mod plan;
mod quantile;
mod recorder;
mod report;
mod round;
mod running;
mod schedule;
mod session;
mod sizes;
mod survey;
mod trace;
pub(crate) mod wait;
mod work;
mod workload;

pub use compare::{Progress, compare};
pub use cost::{Cost, Costs, Price, Prices};
pub use distance::{Distance, Shares};
pub use estimate::Estimate;
pub use fault::{Fault, SessionError, Trouble};
pub use figures::{Figures, LatencyFigures, ThroughputFigures};
pub use floors::Floors;
pub use hiccups::Hiccups;
pub use latencies::{Latencies, Percentiles};
pub use machine::{Machine, Warning};
pub use peer::serve;
pub use plan::Plan;
pub use quantile::{Quantile, QuantileError};
pub use report::{Comparison, Outcome, Report, SCHEMA};
pub use round::{Delay, Flow, Round};
pub use session::Session;
pub use sizes::{Sizes, SizesError};
pub use survey::Survey;
pub use trace::{EmptyTrace, Recorded, Trace};
pub use workload::{Amount, Shape, ShapeError, Workload};
