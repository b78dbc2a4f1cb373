//! `unix+seqpacket:PATH` packets over Unix sockets.

use crate::transport::family::socket::{form::Form, place::Place, transport::socket_channel};

/// Packets over Unix sockets: each message whole, in one call.
///
/// With a path the receiver listens there, and each sender has a connection of its own; messages of one sender come in their order. A sender
/// that comes first waits: until a receiver has come a send is [`Full`](crate::SendError::Full) at its deadline. One whose receiver has gone is told
/// [`Disconnected`](crate::SendError::Disconnected) once, and then goes to whoever listens by then. Without a path it is a
/// socket pair, whose ends any number of processes may share.
///
/// Who is across is told by the kernel (`SO_PEERCRED`): processes of this user, and of those that [`allow_uid`](Self::allow_uid) names. A sender
/// of another is turned away with [`Stranger`](crate::OpenErrorKind::Stranger), at the latest by its next send after the receiver has seen it.
///
/// # Crash behaviour
/// The kernel sees a death at once and wakes the other side. What a dead sender had sent is received. What waits in the sockets of a receiver goes
/// with it. A path that a crash left, and the lock `PATH.lock` beside it, are healed by the next to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSeqpacket(Place);

socket_channel!(
    UnixSeqpacket,
    Form::Packet,
    "unix+seqpacket",
    "packets over Unix sockets: the receiver listens, each sender connects",
    &["unix"]
);
