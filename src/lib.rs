#![doc = include_str!("../README.md")]

mod address;
mod cache;
mod capability;
mod channel;
mod clock;
mod counters;
mod crash;
mod deadline;
mod endpoint;
mod error;
mod ext;
mod guard;
mod handoff;
mod lock;
mod peer;
mod presence;
mod registry;
mod robust;
mod sync;
mod tally;
mod trace;
mod wait;
mod watch;

#[allow(unsafe_code, reason = "system calls that neither std nor nix has")]
mod sys;

#[allow(unsafe_code, reason = "owns mappings")]
mod shm;

#[allow(unsafe_code, reason = "touches the bytes of a ring")]
mod ring;

pub mod inventory;
pub mod process;
pub mod transport;
pub mod typed;

#[cfg(feature = "conformance")]
pub mod conformance;

#[cfg(feature = "measure")]
pub mod choose;
#[cfg(feature = "measure")]
pub mod measure;

#[cfg(feature = "crash-points")]
#[doc(hidden)]
pub use crash::control as crash_points;

pub use address::{Address, AddressError, AddressProblem, Key};
pub use capability::{
    Capabilities, Depth, Fan, Fingerprint, Lifetime, Limits, SystemLimit, WaitStrategy,
};
pub use channel::{BoxChannel, Channel, DynChannel};
pub use counters::{Counters, Flow, Scope};
pub use deadline::Deadline;
pub use endpoint::{BoxReceiver, BoxSender, Endpoint, Receiver, Sender};
pub use error::{OpenError, OpenErrorKind, RecvError, SendError};
pub use ext::{ReceiverExt, SenderExt};
pub use guard::{Loan, Slot};
pub use handoff::{End, Handoff};
pub use peer::Peer;
pub use registry::{Driver, Registry, Transport, channel};
