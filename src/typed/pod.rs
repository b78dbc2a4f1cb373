//! Values that are plain bytes, by bytemuck.

use std::{fmt, marker::PhantomData, ops::Deref, time::Duration};

use bytemuck::{AnyBitPattern, NoUninit, Pod};

use crate::{
    Address, Deadline, Endpoint, Fingerprint, OpenError, OpenErrorKind, Receiver, RecvError,
    SendError, Sender,
};

/// Declares the type, and checks that the channel carries it.
pub(super) fn declare<T>(endpoint: &mut impl Endpoint, address: Address) -> Result<(), OpenError> {
    let expected = size_of::<T>() as u64;
    let max = endpoint.limits().max_message as u64;
    let Some(fingerprint) = Fingerprint::of::<T>().filter(|_| expected <= max) else {
        let kind = OpenErrorKind::Shape {
            what: "a longest message of",
            expected,
            found: max,
        };
        return Err(OpenError::new(address, kind));
    };
    endpoint.agree(fingerprint)
}

/// The address of an end, for errors.
pub(super) fn address(endpoint: &impl Endpoint) -> Result<Address, OpenError> {
    endpoint
        .handoff()
        .map(|handoff| handoff.address)
        .map_err(|error| {
            // Only a process without descriptors gets here, and it has no address to tell.
            OpenError::os(Address::of("unknown", "".as_ref()), error)
        })
}

/// Sends values of `T` over any sender.
pub struct PodSender<T, S> {
    sender: S,
    _values: PhantomData<fn(T)>,
}

impl<T: NoUninit, S: Sender> PodSender<T, S> {
    pub(crate) fn new(mut sender: S) -> Result<Self, OpenError> {
        let address = address(&sender)?;
        declare::<T>(&mut sender, address)?;
        Ok(Self {
            sender,
            _values: PhantomData,
        })
    }

    /// Sends a value, waiting for room as long as it takes.
    ///
    /// # Errors
    /// As for [`Sender::send`].
    #[inline]
    pub fn send(&mut self, value: &T) -> Result<(), SendError> {
        self.send_by(value, Deadline::NEVER)
    }

    /// Sends a value if there is room now.
    ///
    /// # Errors
    /// As for [`Sender::try_send`].
    #[inline]
    pub fn try_send(&mut self, value: &T) -> Result<(), SendError> {
        self.send_by(value, Deadline::NOW)
    }

    /// Sends a value, waiting for room up to `timeout`.
    ///
    /// # Errors
    /// As for [`Sender::send_timeout`].
    #[inline]
    pub fn send_timeout(&mut self, value: &T, timeout: Duration) -> Result<(), SendError> {
        self.send_by(value, Deadline::after(timeout))
    }

    /// Sends a value, waiting for room up to the deadline.
    ///
    /// # Errors
    /// As for [`Sender::send_by`].
    #[inline]
    pub fn send_by(&mut self, value: &T, deadline: Deadline) -> Result<(), SendError> {
        self.sender.send_by(bytemuck::bytes_of(value), deadline)
    }

    /// Reserves a value, waiting for room as long as it takes. On rings it is written where it will be read.
    ///
    /// # Errors
    /// As for [`Sender::reserve`].
    ///
    /// ```
    /// use laneway::{Channel, ReceiverExt, SenderExt};
    ///
    /// let (tx, rx) = laneway::channel("shm+spsc:")?.pair()?;
    /// let (mut tx, mut rx) = (tx.pod::<[u64; 512]>()?, rx.pod::<[u64; 512]>()?);
    /// let mut slot = tx.slot()?;
    /// slot.value()[511] = 7;
    /// slot.commit()?;
    /// assert_eq!(rx.loan()?[511], 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn slot(&mut self) -> Result<PodSlot<'_, T, S>, SendError>
    where
        T: Pod,
    {
        let room = self.sender.reserve(size_of::<T>(), Deadline::NEVER)?;
        let aside = bytemuck::try_from_bytes_mut::<T>(room)
            .is_err()
            .then(T::zeroed);
        Ok(PodSlot {
            sender: &mut self.sender,
            aside,
        })
    }

    /// The sender below.
    pub fn into_inner(self) -> S {
        self.sender
    }
}

/// A reserved value, to be written and committed; dropping it sends nothing.
#[must_use = "a slot sends nothing until it is committed"]
pub struct PodSlot<'a, T: Pod, S: Sender> {
    sender: &'a mut S,
    /// The value, where the transport lends bytes that are not aligned for it.
    aside: Option<T>,
}

impl<T: Pod, S: Sender> PodSlot<'_, T, S> {
    /// The value. What it holds at first is unspecified, and valid.
    #[inline]
    pub fn value(&mut self) -> &mut T {
        match &mut self.aside {
            Some(value) => value,
            // Aligned and as long when it was reserved, and it has not moved.
            None => bytemuck::from_bytes_mut(self.sender.reserved()),
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// As for [`Sender::commit`]; nothing was sent.
    #[inline]
    pub fn commit(self) -> Result<(), SendError> {
        if let Some(value) = &self.aside {
            self.sender
                .reserved()
                .copy_from_slice(bytemuck::bytes_of(value));
        }
        self.sender.commit(size_of::<T>())
    }
}

impl<T: Pod, S: Sender> Drop for PodSlot<'_, T, S> {
    /// After a commit there is nothing left to abort.
    #[inline]
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl<T: Pod, S: Sender> fmt::Debug for PodSlot<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PodSlot")
    }
}

impl<T, S: fmt::Debug> fmt::Debug for PodSender<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PodSender").field(&self.sender).finish()
    }
}

/// Receives values of `T` over any receiver.
pub struct PodReceiver<T, R> {
    receiver: R,
    _values: PhantomData<fn() -> T>,
}

impl<T: AnyBitPattern, R: Receiver> PodReceiver<T, R> {
    pub(crate) fn new(mut receiver: R) -> Result<Self, OpenError> {
        let address = address(&receiver)?;
        declare::<T>(&mut receiver, address)?;
        Ok(Self {
            receiver,
            _values: PhantomData,
        })
    }

    /// Receives the next value, waiting for one as long as it takes.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by), never [`Empty`](RecvError::Empty).
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        self.recv_by(Deadline::NEVER)
    }

    /// Receives the next value if it is there now.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by).
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, RecvError> {
        self.recv_by(Deadline::NOW)
    }

    /// Receives the next value, waiting for one up to `timeout`.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by).
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_by(Deadline::after(timeout))
    }

    /// Receives the next value, waiting for one up to the deadline.
    ///
    /// # Errors
    /// [`Mistyped`](RecvError::Mistyped) if an untyped sender sent another length, and the message
    /// stays; else as for [`Receiver::peek`].
    #[inline]
    pub fn recv_by(&mut self, deadline: Deadline) -> Result<T, RecvError> {
        let message = self.receiver.peek(deadline)?;
        let value = bytemuck::try_pod_read_unaligned(message).map_err(|_| RecvError::Mistyped {
            found: message.len(),
        })?;
        self.receiver.consume();
        Ok(value)
    }

    /// Lends the next value, waiting for one as long as it takes. On rings it is read where it was written.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by), never [`Empty`](RecvError::Empty).
    #[inline]
    pub fn loan(&mut self) -> Result<PodLoan<'_, T, R>, RecvError> {
        let message = self.receiver.peek(Deadline::NEVER)?;
        let found = message.len();
        let aside = match bytemuck::try_from_bytes::<T>(message) {
            Ok(_) => None,
            Err(_) => match bytemuck::try_pod_read_unaligned(message) {
                Ok(value) => Some(value),
                Err(_) => return Err(RecvError::Mistyped { found }),
            },
        };
        Ok(PodLoan {
            receiver: &mut self.receiver,
            aside,
        })
    }

    /// Waits for a value as long as it takes, then gives what is there, `max` values at most, to `each`,
    /// and tells how many that was.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by), if there was no value.
    pub fn drain(&mut self, max: usize, mut each: impl FnMut(&T)) -> Result<usize, RecvError> {
        let mut deadline = Deadline::NEVER;
        for drained in 0..max {
            match self.recv_by(deadline) {
                Ok(value) => each(&value),
                Err(error) if drained == 0 => return Err(error),
                Err(_) => return Ok(drained),
            }
            deadline = Deadline::NOW;
        }
        Ok(max)
    }

    /// The receiver below, with all its messages.
    pub fn into_inner(self) -> R {
        self.receiver
    }
}

/// A received value, lent; dropping it finishes the message.
#[must_use = "dropping a loan finishes the message"]
pub struct PodLoan<'a, T: AnyBitPattern, R: Receiver> {
    receiver: &'a mut R,
    /// The value, where the transport lends bytes that are not aligned for it.
    aside: Option<T>,
}

impl<T: AnyBitPattern, R: Receiver> Deref for PodLoan<'_, T, R> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.aside {
            Some(value) => value,
            // Aligned and as long when it was peeked, and it has not moved.
            None => bytemuck::from_bytes(self.receiver.peeked()),
        }
    }
}

impl<T: AnyBitPattern, R: Receiver> Drop for PodLoan<'_, T, R> {
    #[inline]
    fn drop(&mut self) {
        self.receiver.consume();
    }
}

impl<T: AnyBitPattern + fmt::Debug, R: Receiver> fmt::Debug for PodLoan<'_, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PodLoan").field(&**self).finish()
    }
}

impl<T, R: fmt::Debug> fmt::Debug for PodReceiver<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PodReceiver").field(&self.receiver).finish()
    }
}
