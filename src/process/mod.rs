//! Processes, and handing them the ends of channels.

mod give;

pub use give::{give, inherited_receiver, inherited_sender, take};
