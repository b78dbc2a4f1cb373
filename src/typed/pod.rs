//! Values that are plain bytes, by bytemuck.

use std::{fmt, marker::PhantomData, time::Duration};

use bytemuck::{AnyBitPattern, NoUninit};

use crate::{
    Address, Deadline, Endpoint, Fingerprint, OpenError, OpenErrorKind, Receiver, RecvError,
    SendError, Sender,
};

/// Declares the type, and checks that the channel carries it.
fn declare<T>(endpoint: &mut impl Endpoint, address: Address) -> Result<(), OpenError> {
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
fn address(endpoint: &impl Endpoint) -> Result<Address, OpenError> {
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

    /// The sender below.
    pub fn into_inner(self) -> S {
        self.sender
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

    /// The receiver below, with all its messages.
    pub fn into_inner(self) -> R {
        self.receiver
    }
}

impl<T, R: fmt::Debug> fmt::Debug for PodReceiver<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PodReceiver").field(&self.receiver).finish()
    }
}
