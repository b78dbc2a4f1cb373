//! Messages between processes on one machine.
//!
//! So far this crate holds the vocabulary that every transport will share: when a blocking call
//! gives up ([`Deadline`]), where a channel is ([`Address`]) and why a message did not move ([`SendError`], [`RecvError`]).
//! docs/design.md says what stands on it next, and why.

mod address;
mod capability;
mod deadline;
mod error;

pub use address::{Address, AddressError, AddressProblem, Key};
pub use capability::{
    Capabilities, Depth, Fan, Fingerprint, Lifetime, Limits, SystemLimit, WaitStrategy,
};
pub use deadline::Deadline;
pub use error::{OpenError, OpenErrorKind, RecvError, SendError};
