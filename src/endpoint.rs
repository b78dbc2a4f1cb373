//! The two ends of an open channel: the core that every transport implements.

use std::{fmt, io, os::fd::BorrowedFd, task::Waker, time::Duration};

use crate::{
    Counters, Deadline, Depth, Fingerprint, Handoff, Limits, OpenError, Readiness, RecvError,
    SendError,
};

/// What both ends of a channel have in common.
pub trait Endpoint: fmt::Debug + Send {
    /// The numbers of this channel, as they were when it was opened.
    fn limits(&self) -> Limits;

    /// What is waiting in the channel. Fields that the transport cannot tell are `None`.
    ///
    /// # Errors
    /// What the system says when asked.
    ///
    /// # Staleness
    /// True when it was taken; others may have sent or received since.
    fn depth(&self) -> io::Result<Depth>;

    /// What has gone through the channel so far, or through this end of it: [`Counters::scope`] tells. `None` if the transport does not count.
    ///
    /// Does not wait. What the ends are just doing is counted when it is done, so the two sides need not fit each other to the message.
    fn counters(&self) -> Option<Counters> {
        None
    }

    /// Whether the other side was there and is gone. Nobody yet is not gone.
    ///
    /// # Staleness
    /// A new peer may open a named channel at any time.
    fn is_disconnected(&self) -> bool;

    /// Waits until the other side is there; `false` if it is not at the deadline.
    ///
    /// Opening never waits. A program that must not send into the void calls this first.
    ///
    /// # Errors
    /// What the system says when asked.
    fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool>;

    /// Declares the type of the messages, so that ends with another type are refused from now on.
    ///
    /// # Errors
    /// [`Incompatible`](crate::OpenErrorKind::Incompatible) if an open end declared another type.
    fn agree(&mut self, fingerprint: Fingerprint) -> Result<(), OpenError>;

    /// A descriptor that polls as ready when this end may be, if the transport has one.
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// How this end can be waited for together with others, by [`wait_any`](crate::wait_any()) or an async runtime.
    ///
    /// By its descriptor, if [`as_fd`](Self::as_fd) gives one; else a transport that can wake says so, and writes [`arm`](Self::arm).
    fn readiness(&self) -> Readiness {
        match self.as_fd() {
            Some(_) => Readiness::Descriptor,
            None => Readiness::Blocking,
        }
    }

    /// Has `waker` woken, once, when this end may be ready: at any time, also for nothing, and from any thread.
    ///
    /// Asked of an end whose [`readiness`](Self::readiness) is not [`Descriptor`](Readiness::Descriptor), after a call with [`Deadline::NOW`] has
    /// found nothing. [`Readiness::settle`] and one more such call must follow: only what comes after that call is certain
    /// to wake. Arming anew replaces the waker; dropping the end forgets it. Does not block.
    fn arm(&mut self, waker: &Waker) {
        let _ = waker;
    }

    /// How soon to look again all the same, since something that this end waits for wakes nobody. Asked after the last call that has
    /// found nothing; `None` if everything wakes.
    fn recheck(&self) -> Option<Duration> {
        None
    }

    /// All that another process needs to open this same end: see [`Handoff`].
    ///
    /// # Errors
    /// No descriptor left to duplicate.
    fn handoff(&self) -> io::Result<Handoff>;
}

/// The sending end of a channel.
///
/// One writer per handle is checked by the compiler (`&mut self`, as in rtrb); for more senders open
/// more handles. At most one reservation is outstanding; a new one aborts it, so a leaked guard is harmless.
///
/// # Crash behaviour
/// A message is sent wholly or not at all, whenever its sender dies. When the last receiver goes, or
/// dies, blocked senders wake with [`SendError::Disconnected`].
pub trait Sender: Endpoint {
    /// Takes room for a message of `len` bytes and lends it for writing. What it holds is unspecified.
    ///
    /// Waits for room up to the deadline. A transport that cannot lend in place lends a buffer,
    /// and waits in [`commit`](Self::commit) instead, up to this deadline.
    ///
    /// # Errors
    /// [`TooLarge`](SendError::TooLarge), [`Full`](SendError::Full) at the deadline, [`Disconnected`](SendError::Disconnected).
    #[doc(alias = "claim")]
    fn reserve(&mut self, len: usize, deadline: Deadline) -> Result<&mut [u8], SendError>;

    /// The outstanding reservation, empty if there is none.
    fn reserved(&mut self) -> &mut [u8];

    /// Sends the first `len` bytes of the reservation.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by); [`TooLarge`](SendError::TooLarge) if `len` exceeds the
    /// reservation. After an error the reservation stands.
    #[doc(alias = "publish")]
    fn commit(&mut self, len: usize) -> Result<(), SendError>;

    /// Gives the reservation back, if there is one. Nothing was sent.
    fn abort(&mut self);

    /// Sends a message, waiting for room up to the deadline.
    ///
    /// # Errors
    /// [`TooLarge`](SendError::TooLarge) before a byte moves, [`Full`](SendError::Full) at the deadline,
    /// [`Disconnected`](SendError::Disconnected). After any error nothing was sent.
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.reserve(message.len(), deadline)?
            .copy_from_slice(message);
        let sent = self.commit(message.len());
        if sent.is_err() {
            self.abort();
        }
        sent
    }

    /// Sends messages in order, as many as have gone by the deadline, and tells how many that was.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by), if the first could not be sent.
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        for (sent, message) in messages.iter().enumerate() {
            match self.send_by(message, deadline) {
                Ok(()) => {}
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
            }
        }
        Ok(messages.len())
    }

    /// Sends a message, waiting for room as long as it takes.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by), never [`Full`](SendError::Full).
    fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.send_by(message, Deadline::NEVER)
    }

    /// Sends a message if there is room now.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by).
    fn try_send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.send_by(message, Deadline::NOW)
    }

    /// Sends a message, waiting for room up to `timeout`.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by).
    fn send_timeout(&mut self, message: &[u8], timeout: Duration) -> Result<(), SendError> {
        self.send_by(message, Deadline::after(timeout))
    }
}

/// The receiving end of a channel.
///
/// At most one message is peeked at a time; it stays until it is consumed.
///
/// # Crash behaviour
/// What was sent before a sender died is received. When the last sender goes, or dies, receivers
/// drain what is left, then get [`RecvError::Disconnected`]. What happens to a message that was
/// taken by a receiver that died differs by transport: see docs/design.md.
pub trait Receiver: Endpoint {
    /// Lends the next message, waiting for one up to the deadline. The same until
    /// [`consume`](Self::consume).
    ///
    /// # Errors
    /// [`Empty`](RecvError::Empty) at the deadline, [`Disconnected`](RecvError::Disconnected).
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError>;

    /// The peeked message, empty if there is none.
    fn peeked(&self) -> &[u8];

    /// Finishes the peeked message, if there is one.
    #[doc(alias = "release")]
    fn consume(&mut self);

    /// Receives the next message into `buf`, waiting for one up to the deadline, and tells its length.
    ///
    /// # Errors
    /// [`TooSmall`](RecvError::TooSmall), and the message stays; [`Empty`](RecvError::Empty) at the
    /// deadline; [`Disconnected`](RecvError::Disconnected).
    fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        let message = self.peek(deadline)?;
        let needed = message.len();
        let Some(room) = buf.get_mut(..needed) else {
            return Err(RecvError::TooSmall { needed });
        };
        room.copy_from_slice(message);
        self.consume();
        Ok(needed)
    }

    /// Waits for a message up to the deadline, then gives what is there, `max` messages at most, to
    /// `each`, and tells how many that was.
    ///
    /// # Crash behaviour
    /// Of a receiver that dies inside `each`, `shm+spsc:` and `shm+mpmc:` give again what was not finished, up to 64 messages that
    /// `each` has seen among them. Elsewhere up to `max` messages that were taken together are lost with it (`shm+lock:`: 256 at most): ask for
    /// less at a time where that matters.
    ///
    /// # Errors
    /// As for [`peek`](Self::peek), if there was no message.
    #[inline]
    fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        let mut deadline = deadline;
        for drained in 0..max {
            match self.peek(deadline) {
                Ok(message) => each(message),
                Err(error) if drained == 0 => return Err(error),
                Err(_) => return Ok(drained),
            }
            self.consume();
            deadline = Deadline::NOW;
        }
        Ok(max)
    }

    /// Receives the next message, waiting for one as long as it takes.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by), never [`Empty`](RecvError::Empty).
    fn recv(&mut self, buf: &mut [u8]) -> Result<usize, RecvError> {
        self.recv_by(buf, Deadline::NEVER)
    }

    /// Receives the next message if it is there now.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by).
    fn try_recv(&mut self, buf: &mut [u8]) -> Result<usize, RecvError> {
        self.recv_by(buf, Deadline::NOW)
    }

    /// Receives the next message, waiting for one up to `timeout`.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by).
    fn recv_timeout(&mut self, buf: &mut [u8], timeout: Duration) -> Result<usize, RecvError> {
        self.recv_by(buf, Deadline::after(timeout))
    }
}

/// A sender of a transport chosen at run time.
pub type BoxSender = Box<dyn Sender>;
/// A receiver of a transport chosen at run time.
pub type BoxReceiver = Box<dyn Receiver>;

/// Forwards every method, the provided ones too: a transport may have better ones.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Endpoint + ?Sized> Endpoint for $pointer {
            fn limits(&self) -> Limits { (**self).limits() }
            fn depth(&self) -> io::Result<Depth> { (**self).depth() }
            fn counters(&self) -> Option<Counters> { (**self).counters() }
            fn is_disconnected(&self) -> bool { (**self).is_disconnected() }
            fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool> { (**self).wait_peer(deadline) }
            fn agree(&mut self, fingerprint: Fingerprint) -> Result<(), OpenError> { (**self).agree(fingerprint) }
            fn as_fd(&self) -> Option<BorrowedFd<'_>> { (**self).as_fd() }
            fn readiness(&self) -> Readiness { (**self).readiness() }
            fn arm(&mut self, waker: &Waker) { (**self).arm(waker) }
            fn recheck(&self) -> Option<Duration> { (**self).recheck() }
            fn handoff(&self) -> io::Result<Handoff> { (**self).handoff() }
        }
        impl<T: Sender + ?Sized> Sender for $pointer {
            #[inline]
            fn reserve(&mut self, len: usize, deadline: Deadline) -> Result<&mut [u8], SendError> { (**self).reserve(len, deadline) }
            #[inline]
            fn reserved(&mut self) -> &mut [u8] { (**self).reserved() }
            #[inline]
            fn commit(&mut self, len: usize) -> Result<(), SendError> { (**self).commit(len) }
            #[inline]
            fn abort(&mut self) { (**self).abort() }
            #[inline]
            fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> { (**self).send_by(message, deadline) }
            #[inline]
            fn send_batch_by(&mut self, messages: &[&[u8]], deadline: Deadline) -> Result<usize, SendError> { (**self).send_batch_by(messages, deadline) }
        }
        impl<T: Receiver + ?Sized> Receiver for $pointer {
            #[inline]
            fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> { (**self).peek(deadline) }
            #[inline]
            fn peeked(&self) -> &[u8] { (**self).peeked() }
            #[inline]
            fn consume(&mut self) { (**self).consume() }
            #[inline]
            fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> { (**self).recv_by(buf, deadline) }
            #[inline]
            fn drain_by(&mut self, max: usize, deadline: Deadline, each: &mut dyn FnMut(&[u8])) -> Result<usize, RecvError> { (**self).drain_by(max, deadline, each) }
        }
    )*};
}

forward!(Box<T>, &mut T);
