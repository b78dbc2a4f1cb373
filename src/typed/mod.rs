//! Messages that are values, over any sender and receiver.

mod pod;

pub use pod::{PodReceiver, PodSender};
