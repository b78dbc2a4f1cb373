//! How far an end trusts those across.

/// How far an end trusts the processes that share its ring.
///
/// All indices, lengths and states that a ring holds are checked either way: a peer that breaks the protocol makes
/// [`Corrupt`](crate::RecvError::Corrupt) or wrong bytes, and nothing outside of the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// They follow the protocol: messages are lent where they lie.
    #[default]
    Trusted,
    /// They may write what and when they like. Messages are copied out before anybody sees them, and copied in after they were written, so
    /// that nobody changes bytes that were checked. And a peer that makes a named segment shorter is survived: the process gets a handler of
    /// SIGBUS, which passes on what does not concern a ring, and the end gets [`Corrupt`](crate::RecvError::Corrupt) or
    /// [`Poisoned`](crate::SendError::Poisoned) when it next waits. Who sleeps looks every 20 ms, since such a peer need not ring.
    ///
    /// What such a peer can still do is to be silent: call with a deadline. And the handler cannot help a thread that blocks SIGBUS, nor a
    /// program that sets another in its place afterwards.
    Untrusted,
}

impl Peer {
    /// The words that addresses use: `trusted`, `untrusted`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "trusted" => Some(Self::Trusted),
            "untrusted" => Some(Self::Untrusted),
            _ => None,
        }
    }

    /// Its word in an address.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Untrusted => "untrusted",
        }
    }

    /// Whether they follow the protocol.
    pub(crate) const fn is_trusted(self) -> bool {
        matches!(self, Self::Trusted)
    }
}
