//! What happens beside the flow of messages, told to whoever collects what the crate `tracing` is told. Nothing without the feature of that
//! name, and nothing while data flow.
//!
//! The spans are `open`, within which a channel is found or made, and `close`, within which an end is given up; the events are `opened`, and
//! `recovered`, which says what was done because somebody died. Each names the channel by its `address`. All have the target `laneway`.

/// What is done because somebody died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// A lock was taken over from its dead holder.
    Lock,
    /// A stale segment was removed.
    Segment,
    /// A message that a dead receiver had taken was taken over.
    Message,
    /// The number of a dead end was taken back, so that what it has left can be seen to.
    Number,
    /// The other side went without saying so.
    Side,
}

#[cfg(feature = "tracing")]
mod told {
    use super::Recovery;
    use crate::{Address, End};

    /// A span, while it lasts.
    pub(crate) type Span = tracing::span::EnteredSpan;

    /// The channel that something is told of later.
    #[derive(Debug)]
    pub(crate) struct Place(Address);

    /// A channel is about to be opened.
    pub(crate) fn opening(address: &Address) -> Span {
        tracing::debug_span!(target: "laneway", "open", %address).entered()
    }

    /// An end is open.
    pub(crate) fn opened(address: &Address, end: End) {
        let end = match end {
            End::Sender => "sender",
            End::Receiver => "receiver",
        };
        tracing::debug!(target: "laneway", %address, end, "opened");
    }

    /// Something was done because somebody died.
    #[cold]
    pub(crate) fn recovered(address: &Address, what: Recovery) {
        let what = match what {
            Recovery::Lock => "took a lock over from its dead holder",
            Recovery::Segment => "removed a stale segment",
            Recovery::Message => "took a message over from a dead receiver",
            Recovery::Number => "took the number of a dead end",
            Recovery::Side => "found the other side gone",
        };
        tracing::info!(target: "laneway", %address, what, "recovered");
    }

    impl Place {
        pub(crate) fn new(address: &Address) -> Self {
            Self(address.clone())
        }

        /// An end is about to be given up.
        pub(crate) fn closing(&self) -> Span {
            tracing::debug_span!(target: "laneway", "close", address = %self.0).entered()
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod told {
    use super::Recovery;
    use crate::{Address, End};

    #[derive(Debug)]
    pub(crate) struct Span;

    #[derive(Debug)]
    pub(crate) struct Place;

    pub(crate) const fn opening(_: &Address) -> Span {
        Span
    }

    pub(crate) const fn opened(_: &Address, _: End) {}

    pub(crate) const fn recovered(_: &Address, _: Recovery) {}

    impl Place {
        pub(crate) const fn new(_: &Address) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as the other one has it")]
        pub(crate) const fn closing(&self) -> Span {
            Span
        }
    }
}

pub(crate) use told::{Place, opened, opening, recovered};
