//! Sending and receiving from tasks of tokio: any [`Sender`](crate::Sender) in an [`AsyncSender`], any [`Receiver`](crate::Receiver) in
//! an [`AsyncReceiver`].
//!
//! Nothing is spent on a channel before somebody has to wait. Then a pipe, a FIFO or whatever has a descriptor is registered with the
//! runtime (one descriptor more for each end). A ring is heard by one thread, `laneway-watch`, that all rings of the process share: whoever
//! sends has the kernel report on the ring, and only while somebody waits, so calls that do not wait are as fast as without tokio. No
//! channel has a thread of its own.
//!
//! A **System V queue** tells nobody of its messages. A task that waits for one occupies a thread of tokio's blocking pool (512 at most,
//! unless the runtime is built with more), which only looks and takes nothing from this end; one that waits for room
//! asks every millisecond.
//!
//! # Cancel safety
//! Every future here may be dropped at any time, as `select!` and `timeout` do. A message is received when the future is ready, and else is
//! still there; it was sent when the future is ready, and else nothing of it was sent. What was given to the `Sink` and not yet flushed stays
//! with the sender, and goes before anything else is sent.
//!
//! # Panics
//! As tokio's own types, these panic in a runtime that was built without `enable_io` or `enable_time`. Outside of a runtime they give an error.

mod receiver;
mod sender;
mod source;

pub use receiver::AsyncReceiver;
pub use sender::AsyncSender;
