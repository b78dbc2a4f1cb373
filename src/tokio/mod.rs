//! Sending and receiving from tasks of tokio: any [`Sender`](crate::Sender) in an [`AsyncSender`], any [`Receiver`](crate::Receiver) in
//! an [`AsyncReceiver`].
//!
//! Nothing is spent on a channel before somebody has to wait. Then a pipe, a FIFO or whatever has a descriptor is registered with the
//! runtime (one descriptor more for each end). A ring is heard by one thread, `laneway-watch`, that all rings of the process share: whoever
//! sends has the kernel report on the ring, and only while somebody waits, so calls that do not wait are as fast as without tokio. No
//! channel has a thread of its own.
//!
//! A **System V queue** tells nobody what programs without laneway do with it. Whoever sends or receives by laneway wakes a waiting task as
//! with a ring, by the memory beside the queue; for the others' sake a task that waits looks every 20 ms. It takes no thread of the blocking
//! pool: one would have to take messages for a task that may have given up, and there are 512 at most.
//!
//! # Runtimes
//! An end belongs to no runtime. Whoever waits is woken by the one in which the future is polled: if the one before has ended, or is not driven
//! any more, the next call registers with another. A wait in a runtime that has ended is an error, as is one outside of a runtime (a ring may do without).
//!
//! # Cancel safety
//! Every future here may be dropped at any time, as `select!` and `timeout` do. A message is received when the future is ready, and else is
//! still there; it was sent when the future is ready, and else nothing of it was sent. What was given to the `Sink` and not yet flushed stays
//! with the sender, and goes before anything else is sent.
//!
//! # Panics
//! As tokio's own types, these panic in a runtime that was built without `enable_io` or `enable_time`.

mod nap;
mod receiver;
mod sender;
mod source;

pub use receiver::AsyncReceiver;
pub use sender::AsyncSender;
