//! What passes an endpoint on to another process.

use std::os::fd::OwnedFd;

use crate::Address;

/// One end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The sending end.
    Sender,
    /// The receiving end.
    Receiver,
}

impl End {
    /// The end across.
    #[must_use]
    pub const fn across(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }
}

/// All that another process needs to open an end that is open here: its address, and descriptors.
///
/// As long as it lives the end counts as open, here or in whoever inherits the descriptors, so
/// nobody sees a gap between giving and taking. [`give`](crate::process::give) carries one into a
/// child; [`Channel::adopt_sender`](crate::Channel::adopt_sender) turns it into an endpoint. On a
/// channel that takes one sender, giving the end away means no longer using it here, as with a pipe.
#[derive(Debug)]
pub struct Handoff {
    /// The channel.
    pub address: Address,
    /// Which end of it.
    pub end: End,
    /// What the transport needs, in its own order. All are close-on-exec.
    pub fds: Vec<OwnedFd>,
}
