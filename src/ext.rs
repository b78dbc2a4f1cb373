//! What every sender and receiver can do besides, written once.

use bytemuck::{AnyBitPattern, NoUninit};

use crate::{
    Deadline, Loan, OpenError, Receiver, RecvError, SendError, Sender, Slot,
    typed::{PodReceiver, PodSender, Value, ValueReceiver, ValueSender},
};

/// Sending through guards, closures and types.
pub trait SenderExt: Sender {
    /// Reserves a message of `len` bytes, waiting for room as long as it takes.
    ///
    /// # Errors
    /// As for [`Sender::reserve`].
    ///
    /// ```
    /// use laneway::{Channel, ReceiverExt, SenderExt};
    ///
    /// let (mut tx, mut rx) = laneway::channel("shm+lock:")?.pair()?;
    /// let mut slot = tx.slot(5)?;
    /// slot.bytes().copy_from_slice(b"hello");
    /// slot.commit()?;
    /// assert_eq!(&*rx.loan()?, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    fn slot(&mut self, len: usize) -> Result<Slot<'_, Self>, SendError> {
        self.slot_by(len, Deadline::NEVER)
    }

    /// Reserves a message of `len` bytes, waiting for room up to the deadline.
    ///
    /// # Errors
    /// As for [`Sender::reserve`].
    #[inline]
    fn slot_by(&mut self, len: usize, deadline: Deadline) -> Result<Slot<'_, Self>, SendError> {
        self.reserve(len, deadline)?;
        Ok(Slot::new(self))
    }

    /// Sends what `fill` writes into `max` bytes; it tells how many it wrote.
    ///
    /// # Errors
    /// As for [`Sender::reserve`] and [`Sender::commit`].
    #[inline]
    fn send_with<F: FnOnce(&mut [u8]) -> usize>(
        &mut self,
        max: usize,
        fill: F,
    ) -> Result<(), SendError> {
        let mut slot = self.slot(max)?;
        let len = fill(slot.bytes());
        slot.commit_len(len)
    }

    /// Sends values of `T` from now on.
    ///
    /// # Errors
    /// [`Incompatible`](crate::OpenErrorKind::Incompatible) if an open end has a type of another size
    /// or alignment; [`Shape`](crate::OpenErrorKind::Shape) if `T` is longer than the longest message.
    ///
    /// ```
    /// use laneway::{Channel, ReceiverExt, SenderExt};
    ///
    /// let (tx, rx) = laneway::channel("shm+lock:")?.pair()?;
    /// let (mut tx, mut rx) = (tx.pod::<[f64; 3]>()?, rx.pod::<[f64; 3]>()?);
    /// tx.send(&[1.0, 2.0, 3.0])?;
    /// assert_eq!(rx.recv()?, [1.0, 2.0, 3.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn pod<T: NoUninit>(self) -> Result<PodSender<T, Self>, OpenError>
    where
        Self: Sized,
    {
        PodSender::new(self)
    }

    /// Sends values of `T` from now on: any that serde can write, or [`Plain`](crate::typed::Plain) ones.
    ///
    /// # Errors
    /// As for [`pod`](Self::pod); types that serde writes are compared by name.
    fn values<T: Value>(self) -> Result<ValueSender<T, Self>, OpenError>
    where
        Self: Sized,
    {
        ValueSender::new(self)
    }

    /// Sends values of `T` from now on, as postcard writes them, straight into what [`Sender::reserve`] lends.
    ///
    /// ```
    /// use laneway::{Channel, ReceiverExt, SenderExt};
    ///
    /// let (tx, rx) = laneway::channel("shm:")?.pair()?;
    /// let (mut tx, mut rx) = (tx.serde::<(String, u32)>()?, rx.serde::<(String, u32)>()?);
    /// tx.send(&("tea".to_owned(), 3))?;
    /// assert_eq!(rx.recv()?, ("tea".to_owned(), 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Incompatible`](crate::OpenErrorKind::Incompatible) if an open end has declared a type of another name.
    #[cfg(feature = "serde")]
    fn serde<T>(self) -> Result<crate::typed::SerdeSender<T, Self>, OpenError>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + 'static,
        Self: Sized,
    {
        ValueSender::new(self)
    }
}

impl<S: Sender + ?Sized> SenderExt for S {}

/// Receiving through guards, closures and types.
pub trait ReceiverExt: Receiver {
    /// Lends the next message, waiting for one as long as it takes.
    ///
    /// # Errors
    /// As for [`Receiver::peek`].
    #[inline]
    fn loan(&mut self) -> Result<Loan<'_, Self>, RecvError> {
        self.loan_by(Deadline::NEVER)
    }

    /// Lends the next message, waiting for one up to the deadline.
    ///
    /// # Errors
    /// As for [`Receiver::peek`].
    #[inline]
    fn loan_by(&mut self, deadline: Deadline) -> Result<Loan<'_, Self>, RecvError> {
        self.peek(deadline)?;
        Ok(Loan::new(self))
    }

    /// Waits for a message as long as it takes, then gives what is there, `max` messages at most,
    /// to `each`, and tells how many that was.
    ///
    /// # Errors
    /// As for [`Receiver::drain_by`].
    #[inline]
    fn drain<F: FnMut(&[u8])>(&mut self, max: usize, mut each: F) -> Result<usize, RecvError> {
        self.drain_by(max, Deadline::NEVER, &mut each)
    }

    /// Receives values of `T` from now on.
    ///
    /// # Errors
    /// As for [`SenderExt::pod`].
    fn pod<T: AnyBitPattern>(self) -> Result<PodReceiver<T, Self>, OpenError>
    where
        Self: Sized,
    {
        PodReceiver::new(self)
    }

    /// Receives values of `T` from now on: any that serde can read, or [`Plain`](crate::typed::Plain) ones.
    ///
    /// # Errors
    /// As for [`SenderExt::values`].
    fn values<T: Value>(self) -> Result<ValueReceiver<T, Self>, OpenError>
    where
        Self: Sized,
    {
        ValueReceiver::new(self)
    }

    /// Receives values of `T` from now on, read by postcard where the message lies.
    ///
    /// # Errors
    /// As for [`SenderExt::serde`].
    #[cfg(feature = "serde")]
    fn serde<T>(self) -> Result<crate::typed::SerdeReceiver<T, Self>, OpenError>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + 'static,
        Self: Sized,
    {
        ValueReceiver::new(self)
    }
}

impl<R: Receiver + ?Sized> ReceiverExt for R {}
