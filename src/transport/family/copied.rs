//! The peeked message of a receiver that does not trust its senders: a copy, which nobody else can write.

use crate::Peer;

/// A message that was copied out, in a buffer that is made once and grows only for a longer message.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    bytes: Vec<u8>,
    len: Option<usize>,
}

impl Copied {
    /// What a receiver with this peer needs.
    pub(crate) fn from(peer: Peer) -> Option<Self> {
        (!peer.is_trusted()).then(Self::default)
    }

    /// The message of `len` bytes, which `copy` fetches unless that was done before.
    #[cold]
    pub(crate) fn fetch(&mut self, len: usize, copy: impl FnOnce(&mut [u8])) -> &[u8] {
        if self.len.is_none() {
            if self.bytes.len() < len {
                self.bytes.resize(len, 0);
            }
            copy(self.bytes.get_mut(..len).unwrap_or_default());
            self.len = Some(len);
        }
        self.bytes()
    }

    /// The message, empty if there is none.
    pub(crate) fn bytes(&self) -> &[u8] {
        let len = self.len.unwrap_or(0);
        self.bytes.get(..len).unwrap_or_default()
    }

    /// Forgets it.
    pub(crate) fn finish(&mut self) {
        self.len = None;
    }
}
