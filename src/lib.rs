//! Messages between processes on one machine.
//!
//! So far this crate holds the vocabulary that every transport will share: when a blocking call
//! gives up ([`Deadline`]) and why a message did not move ([`SendError`], [`RecvError`]).
//! docs/design.md says what stands on it next, and why.

mod deadline;
mod error;

pub use deadline::Deadline;
pub use error::{RecvError, SendError};
