//! Messages that are values, over any sender and receiver.

mod pod;
mod value;

pub use pod::{PodLoan, PodReceiver, PodSender, PodSlot};
pub use value::{Plain, Unencodable, Value, ValueReceiver, ValueSender};
