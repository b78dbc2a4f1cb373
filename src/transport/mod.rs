//! One file a transport, and the table of them.
//!
//! A transport file holds a channel (the described, unopened thing), its sender and its receiver, and implements [`Transport`](crate::Transport)
//! for the channel. What it must provide: an address that parses back, its capabilities, opening as a pair, by name and from a handoff,
//! unlinking; for an end its limits, its depth, whether the other side is gone, waiting for it, agreeing on a type, handing over; for
//! the sender reserve, reserved, commit and abort; for the receiver peek, peeked and consume. Everything else is
//! written once on top, and may be overridden where the transport can do better.
//!
//! What it must promise is what the feature `conformance` checks. Adding one here is its file, its `mod` line and its line in the table.

pub(crate) mod family;
mod fifo;
mod pipe;
mod shm_broadcast;
mod shm_locked;
mod shm_mpmc;
mod shm_spsc;
mod sysv;
mod unix_seqpacket;
mod unix_stream;

pub use family::{
    pipe_options::PipeMode,
    socket::{receiver::SocketReceiver, sender::SocketSender},
    stream_receiver::StreamReceiver,
    stream_sender::StreamSender,
};
pub use fifo::Fifo;
pub use pipe::Pipe;
pub use shm_broadcast::{BroadcastReceiver, BroadcastSender, ShmBroadcast, Start};
pub use shm_locked::{LockChoice, LockedReceiver, LockedSender, ShmLocked};
pub use shm_mpmc::{MpmcReceiver, MpmcSender, ShmMpmc};
pub use shm_spsc::{ShmSpsc, SpscReceiver, SpscSender};
pub use sysv::{Select, Sysv, SysvReceiver, SysvSender};
pub use unix_seqpacket::UnixSeqpacket;
pub use unix_stream::UnixStream;

use crate::Driver;

/// The transports of this crate, simplest first.
pub(crate) const BUILTIN: &[Driver] = &[
    Driver::of::<Pipe>(),
    Driver::of::<Fifo>(),
    Driver::of::<UnixSeqpacket>(),
    Driver::of::<UnixStream>(),
    Driver::of::<Sysv>(),
    Driver::of::<ShmLocked>(),
    Driver::of::<ShmSpsc>(),
    Driver::of::<ShmMpmc>(),
    Driver::of::<ShmBroadcast>(),
];
