//! Messages that are values, over any sender and receiver.

mod pod;

pub use pod::{PodLoan, PodReceiver, PodSender, PodSlot};
