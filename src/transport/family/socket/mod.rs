//! Bodies of the transports over Unix sockets.
//!
//! Without a name a channel is a socket pair. With one, the receiver listens at a path and takes in any number of senders, each by a
//! connection of its own, so no sender can cut, mix or hold up what another sends. A connection carries messages and, rarely, notes
//! ([`note`]): who comes, of what type its messages are, and why one was turned away.

pub(crate) mod calls;
pub(crate) mod form;
pub(crate) mod hub;
pub(crate) mod inbox;
pub(crate) mod name;
pub(crate) mod note;
pub(crate) mod place;
pub(crate) mod receiver;
pub(crate) mod sender;
pub(crate) mod transport;
