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

mod compare;
mod control;
mod cores;
mod estimate;
mod fault;
mod lifeline;
mod machine;
mod message;
mod peer;
pub(crate) mod place;
mod report;
mod running;
mod session;
mod work;
mod workload;

pub use compare::{Progress, compare};
pub use estimate::Estimate;
pub use fault::{Fault, SessionError, Trouble};
pub use machine::{Machine, Warning};
pub use peer::serve;
pub use report::{Figures, Outcome, Report, Round, SCHEMA};
pub use session::{Roundtrip, Session, Throughput};
pub use workload::{Amount, Plan, Shape, ShapeError, Workload};
