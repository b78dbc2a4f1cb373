//! Guards over the core, for every sender and receiver, boxed ones too. Safe code only.

use std::{fmt, ops::Deref};

use crate::{Receiver, SendError, Sender};

/// A reserved message, to be written and committed; dropping it sends nothing.
#[must_use = "a slot sends nothing until it is committed"]
pub struct Slot<'a, S: Sender + ?Sized> {
    sender: &'a mut S,
}

impl<'a, S: Sender + ?Sized> Slot<'a, S> {
    /// Guards the reservation that `sender` has.
    pub(crate) fn new(sender: &'a mut S) -> Self {
        Self { sender }
    }

    /// The message, for writing. What it holds at first is unspecified.
    #[inline]
    pub fn bytes(&mut self) -> &mut [u8] {
        self.sender.reserved()
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// As for [`Sender::commit`]; nothing was sent.
    #[inline]
    pub fn commit(self) -> Result<(), SendError> {
        let len = self.sender.reserved().len();
        self.sender.commit(len)
    }

    /// Sends its first `len` bytes.
    ///
    /// # Errors
    /// As for [`Sender::commit`]; nothing was sent.
    #[inline]
    pub fn commit_len(self, len: usize) -> Result<(), SendError> {
        self.sender.commit(len)
    }
}

impl<S: Sender + ?Sized> Drop for Slot<'_, S> {
    /// After a commit there is nothing left to abort.
    #[inline]
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl<S: Sender + ?Sized> fmt::Debug for Slot<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// A received message, lent; dropping it finishes the message.
#[must_use = "dropping a loan finishes the message"]
pub struct Loan<'a, R: Receiver + ?Sized> {
    receiver: &'a mut R,
    finish: bool,
}

impl<'a, R: Receiver + ?Sized> Loan<'a, R> {
    /// Guards the message that `receiver` has peeked.
    pub(crate) fn new(receiver: &'a mut R) -> Self {
        Self {
            receiver,
            finish: true,
        }
    }

    /// Leaves the message where it is: the next receive gets it again.
    #[inline]
    pub fn leave(mut self) {
        self.finish = false;
    }
}

impl<R: Receiver + ?Sized> Deref for Loan<'_, R> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.receiver.peeked()
    }
}

impl<R: Receiver + ?Sized> Drop for Loan<'_, R> {
    #[inline]
    fn drop(&mut self) {
        if self.finish {
            self.receiver.consume();
        }
    }
}

impl<R: Receiver + ?Sized> fmt::Debug for Loan<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loan").field(&&**self).finish()
    }
}
