//! Messages that are values, over any sender and receiver.

#[cfg(feature = "serde")]
mod bounded;
mod pod;
#[cfg(feature = "serde")]
mod schema;
#[cfg(feature = "serde")]
mod serde;
mod value;

pub use pod::{PodLoan, PodReceiver, PodSender, PodSlot};
#[cfg(feature = "serde")]
pub use serde::{SerdeReceiver, SerdeSender};
pub use value::{Plain, Unencodable, Value, ValueReceiver, ValueSender};
