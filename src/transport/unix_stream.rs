//! `unix+stream:PATH` frames over Unix stream sockets.

use crate::transport::family::socket::{form::Form, place::Place, transport::socket_channel};

/// Frames over Unix stream sockets: many short messages in one call.
///
/// As [`UnixSeqpacket`](crate::transport::UnixSeqpacket), but that a socket pair takes one sender and one receiver, and that a sender which was handed
/// over makes a connection of its own, so what it sends may come before the last that its giver had sent.
///
/// # Crash behaviour
/// The same. A frame that its sender was writing when it died was never sent: it is the last of its connection. A receiver that is killed between the
/// two reads of a message leaves its successor, if it was handed over, out of step: that sees nonsense, and turns the sender away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixStream(Place);

socket_channel!(
    UnixStream,
    Form::Stream,
    "unix+stream",
    "frames over Unix stream sockets: the receiver listens, each sender connects",
    &[]
);
