//! Processes, and handing them the ends of channels.
//!
//! [`Process`] starts one and [`Child`] holds it; [`give`](give()) hands an end of a channel to any program. docs/from-python.md sets
//! this beside Python's `multiprocessing`.

mod child;
mod courier;
mod duplex;
mod entry;
#[allow(
    unsafe_code,
    reason = "one function that only its caller can use soundly"
)]
mod fork;
mod give;
mod launch;
mod lines;
pub mod pipeline;
mod pool;
mod queue;
mod shared;
mod start_error;
mod stray;
mod wait;

pub use child::Child;
pub use courier::{Courier, CourierError};
pub use duplex::{Duplex, duplex, simplex};
pub use entry::Entries;
pub use fork::{Fork, ForkError, fork, fork_anyway};
pub use give::{Give, give, inherited_receiver, inherited_sender, take};
pub use launch::Process;
pub use pipeline::Pipeline;
pub use pool::{Imap, ImapUnordered, Job, JobError, Pool, PoolBuilder, SubmitError};
pub use queue::{Consumer, Iter, Producer, Queue};
pub use shared::{Shared, SharedGuard};
pub use start_error::StartError;
pub use wait::{wait_all, wait_any};
