//! Values that move to another process, whichever way they become bytes.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    time::Duration,
};

use bytemuck::Pod;

use crate::{
    Deadline, Endpoint, OpenError, Receiver, RecvError, SendError, Sender,
    typed::pod::{address, declare},
};

/// How many values a batch hands to the channel at once.
const BATCH: usize = 64;
/// How many bytes more than the last value took the next one may take, without being measured first.
const SLACK: usize = 64;

/// A value that can move to another process.
///
/// With the feature `serde` that is every type that implements `Serialize` and `Deserialize`, in the format of postcard: compact, and
/// not self-describing, so a type that asks what comes next (`serde_json::Value`, untagged enums) is not read back. Neither is a value that is
/// nested more than 128 deep, or has more than 65,536 items that take no bytes (`Vec<()>`) and as many more as it has bytes: a receiver says
/// [`Mistyped`](RecvError::Mistyped), so that a peer can neither use up its stack nor keep it busy for ever. Without it, and where speed
/// counts, it is a [`Plain`] one, whose bytes are sent as they lie.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value that laneway moves to another process",
    note = "wrap a type of plain bytes in `laneway::typed::Plain`, or derive serde's `Serialize` and `Deserialize` and enable the feature `serde`"
)]
pub trait Value: Sized + 'static {
    /// Whether it is written by [`write_in_place`](Self::write_in_place).
    const IN_PLACE: bool = false;

    /// Its bytes, if they can be sent as they lie.
    fn plain(&self) -> Option<&[u8]> {
        None
    }

    /// Writes its bytes at the start of `room`, which is the channel's own, and tells how many; `None` if they do not fit there.
    fn write_in_place(&self, room: &mut [u8]) -> Option<usize> {
        let _ = room;
        None
    }

    /// How many bytes it takes, found out without writing it; `None` if only writing tells.
    fn size(&self) -> Option<usize> {
        None
    }

    /// Writes its bytes behind what is in `bytes`.
    ///
    /// # Errors
    /// [`Unencodable`], with nothing written that counts, if its own serialisation refuses.
    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unencodable>;

    /// The value that has these bytes; `None` if none has.
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Declares the type at an end of a channel: plain ones by size and alignment, others by their name, and with serde by what they ask it
    /// for: structures by their fields, these fields' types too, enums by their variants, each by name and in order. So a field that is renamed, or
    /// a variant that is added, makes another type. Types of one name that differ only in what a variant or the value of a map holds, or in a later
    /// item of a tuple, are not told apart. For this `Deserialize` is asked at both ends, and given nothing.
    ///
    /// # Errors
    /// As for [`SenderExt::pod`](crate::SenderExt::pod).
    fn declare(endpoint: &mut dyn Endpoint) -> Result<(), OpenError>;
}

/// The value could not be written as bytes: its own `Serialize` refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unencodable;

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SendError::Unencodable)
    }
}

impl std::error::Error for Unencodable {}

impl From<Unencodable> for SendError {
    fn from(_: Unencodable) -> Self {
        Self::Unencodable
    }
}

#[cfg(feature = "serde")]
impl<T: serde::Serialize + serde::de::DeserializeOwned + 'static> Value for T {
    const IN_PLACE: bool = true;

    #[inline]
    fn write_in_place(&self, room: &mut [u8]) -> Option<usize> {
        let written = postcard::to_slice(self, room).ok()?;
        Some(written.len())
    }

    fn size(&self) -> Option<usize> {
        postcard::experimental::serialized_size(self).ok()
    }

    #[inline]
    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unencodable> {
        // Taken and put back, since postcard wants to own what it extends.
        let start = std::mem::take(bytes);
        *bytes = postcard::to_extend(self, start).map_err(|_| Unencodable)?;
        Ok(())
    }

    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        crate::typed::bounded::from_bytes(bytes)
    }

    fn declare(endpoint: &mut dyn Endpoint) -> Result<(), OpenError> {
        endpoint.agree(crate::typed::schema::fingerprint::<T>())
    }
}

/// A value whose bytes are sent as they lie: numbers, arrays of them, structures without gaps.
///
/// ```
/// use laneway::{Channel, ReceiverExt, SenderExt, typed::Plain};
///
/// let (tx, rx) = laneway::channel("shm+spsc:")?.pair()?;
/// let (mut tx, mut rx) = (tx.values()?, rx.values::<Plain<[f64; 2]>>()?);
/// tx.send(&Plain([1.0, 2.0]))?;
/// let Plain([x, y]) = rx.recv()?;
/// assert_eq!(x + y, 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Plain<T>(pub T);

impl<T: Pod> Value for Plain<T> {
    #[inline]
    fn plain(&self) -> Option<&[u8]> {
        Some(bytemuck::bytes_of(&self.0))
    }

    #[inline]
    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unencodable> {
        bytes.extend_from_slice(bytemuck::bytes_of(&self.0));
        Ok(())
    }

    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        bytemuck::try_pod_read_unaligned(bytes).ok().map(Self)
    }

    fn declare(mut endpoint: &mut dyn Endpoint) -> Result<(), OpenError> {
        let address = address(&endpoint)?;
        declare::<T>(&mut endpoint, address)
    }
}

impl<T> Deref for Plain<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Plain<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Plain<T> {
    #[inline]
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// Sends values of `T` over any sender.
///
/// Those that serde writes are written where [`Sender::reserve`] says, on `shm+spsc:` where the receiver will read them.
pub struct ValueSender<T, S> {
    sender: S,
    /// For batches, and for values that are not written in place.
    scratch: Vec<u8>,
    /// What is reserved for the next value.
    room: usize,
    /// How long the last value was, in bytes.
    last: usize,
    _values: PhantomData<fn(T)>,
}

impl<T: Value, S: Sender> ValueSender<T, S> {
    pub(crate) fn new(mut sender: S) -> Result<Self, OpenError> {
        T::declare(&mut sender)?;
        Ok(Self {
            sender,
            scratch: Vec::new(),
            room: SLACK,
            last: 1,
            _values: PhantomData,
        })
    }

    /// Sends a value, waiting for room as long as it takes.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by), never [`Full`](SendError::Full).
    #[inline]
    pub fn send(&mut self, value: &T) -> Result<(), SendError> {
        self.send_by(value, Deadline::NEVER)
    }

    /// Sends a value if there is room now.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by).
    #[inline]
    pub fn try_send(&mut self, value: &T) -> Result<(), SendError> {
        self.send_by(value, Deadline::NOW)
    }

    /// Sends a value, waiting for room up to `timeout`.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by).
    #[inline]
    pub fn send_timeout(&mut self, value: &T, timeout: Duration) -> Result<(), SendError> {
        self.send_by(value, Deadline::after(timeout))
    }

    /// Sends a value, waiting for room up to the deadline.
    ///
    /// # Errors
    /// [`Unencodable`](SendError::Unencodable); else as for [`Sender::send_by`]. After any error nothing was sent.
    #[inline]
    pub fn send_by(&mut self, value: &T, deadline: Deadline) -> Result<(), SendError> {
        if let Some(bytes) = value.plain() {
            self.last = bytes.len();
            return self.sender.send_by(bytes, deadline);
        }
        if T::IN_PLACE {
            return self.send_in_place(value, deadline);
        }
        self.scratch.clear();
        value.write(&mut self.scratch)?;
        self.last = self.scratch.len();
        self.sender.send_by(&self.scratch, deadline)
    }

    /// Most values are about as long as the last: so room for that is taken, and only a value that does not fit, or would have to wait
    /// for more room than it needs, is measured.
    #[inline]
    fn send_in_place(&mut self, value: &T, deadline: Deadline) -> Result<(), SendError> {
        match self.sender.reserve(self.room, Deadline::NOW) {
            Ok(room) => {
                if let Some(len) = value.write_in_place(room) {
                    match self.commit(len) {
                        // Others reserve beside the channel, and wait here.
                        Err(SendError::Full) => {}
                        sent => return sent,
                    }
                }
            }
            // Less may do.
            Err(SendError::Full) => {}
            Err(SendError::TooLarge { max }) => self.room = max,
            Err(error) => return Err(error),
        }
        self.send_measured(value, deadline)
    }

    #[cold]
    fn send_measured(&mut self, value: &T, deadline: Deadline) -> Result<(), SendError> {
        self.sender.abort();
        let len = value.size().ok_or(SendError::Unencodable)?;
        let room = self.sender.reserve(len, deadline)?;
        match value.write_in_place(room) {
            Some(len) => self.commit(len),
            None => {
                self.sender.abort();
                Err(SendError::Unencodable)
            }
        }
    }

    #[inline]
    fn commit(&mut self, len: usize) -> Result<(), SendError> {
        let sent = self.sender.commit(len);
        if sent.is_err() {
            self.sender.abort();
            return sent;
        }
        self.last = len;
        self.room = len.saturating_add(SLACK);
        Ok(())
    }

    /// Sends values in order, as many as have gone by the deadline, and tells how many that was: fewer than all only at the
    /// deadline, or because of an error that the next call tells again.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by), if the first could not be sent.
    pub fn send_many_by(&mut self, values: &[T], deadline: Deadline) -> Result<usize, SendError> {
        let mut sent = 0;
        while let Some(rest) = values.get(sent..).filter(|rest| !rest.is_empty()) {
            let batch = rest.get(..BATCH).unwrap_or(rest);
            match self.send_batch(batch, deadline) {
                Ok(count) => {
                    sent += count;
                    if count < batch.len() {
                        break;
                    }
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn send_batch(&mut self, values: &[T], deadline: Deadline) -> Result<usize, SendError> {
        let mut messages: [&[u8]; BATCH] = [&[]; BATCH];
        let mut count = 0;
        for (message, value) in messages.iter_mut().zip(values) {
            let Some(bytes) = value.plain() else { break };
            *message = bytes;
            count += 1;
        }
        let mut ends = [0; BATCH];
        if count < values.len() {
            self.scratch.clear();
            count = 0;
            for (end, value) in ends.iter_mut().zip(values) {
                match value.write(&mut self.scratch) {
                    Ok(()) => *end = self.scratch.len(),
                    Err(error) if count == 0 => return Err(error.into()),
                    // What comes before it is sent.
                    Err(_) => break,
                }
                count += 1;
            }
            let mut start = 0;
            for (message, end) in messages.iter_mut().zip(ends).take(count) {
                *message = self.scratch.get(start..end).unwrap_or_default();
                start = end;
            }
        }
        let messages = messages.get(..count).unwrap_or_default();
        self.last = messages.last().map_or(self.last, |message| message.len());
        self.sender.send_batch_by(messages, deadline)
    }

    /// How long the last value was, in bytes.
    pub(crate) fn last_len(&self) -> usize {
        self.last
    }

    /// The sender below.
    pub fn into_inner(self) -> S {
        self.sender
    }

    /// The sender below, borrowed.
    pub fn get_ref(&self) -> &S {
        &self.sender
    }
}

impl<T, S: fmt::Debug> fmt::Debug for ValueSender<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueSender").field(&self.sender).finish()
    }
}

/// Receives values of `T` over any receiver.
pub struct ValueReceiver<T, R> {
    receiver: R,
    _values: PhantomData<fn() -> T>,
}

impl<T: Value, R: Receiver> ValueReceiver<T, R> {
    pub(crate) fn new(mut receiver: R) -> Result<Self, OpenError> {
        T::declare(&mut receiver)?;
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
    /// [`Mistyped`](RecvError::Mistyped) if the message is no value of `T`: it stays, and [`skip`](Self::skip) takes it out; else as
    /// for [`Receiver::peek`].
    #[inline]
    pub fn recv_by(&mut self, deadline: Deadline) -> Result<T, RecvError> {
        self.recv_noted(deadline, || {})
    }

    /// The same, and calls `note` when the value is there, before its message is finished.
    #[inline]
    pub(crate) fn recv_noted(
        &mut self,
        deadline: Deadline,
        note: impl FnOnce(),
    ) -> Result<T, RecvError> {
        let message = self.receiver.peek(deadline)?;
        let found = message.len();
        let value = T::read(message).ok_or(RecvError::Mistyped { found })?;
        note();
        self.receiver.consume();
        Ok(value)
    }

    /// Waits for a value up to the deadline, then gives what is there, `max` values at most, to `each`, and tells how many
    /// that was. Where the transport can, a message is finished after `each` has returned.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by), if there was no value. A message among others that is no value of `T` is taken out, and
    /// [`Mistyped`](RecvError::Mistyped) tells of it when the others have been given.
    pub fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        mut each: impl FnMut(T),
    ) -> Result<usize, RecvError> {
        let mut mistyped = None;
        let drained =
            self.receiver
                .drain_by(max, deadline, &mut |message| match T::read(message) {
                    Some(value) => each(value),
                    None => mistyped = Some(message.len()),
                })?;
        match mistyped {
            None => Ok(drained),
            Some(found) => Err(RecvError::Mistyped { found }),
        }
    }

    /// Takes the next message out, whatever it is; `false` if there is none now.
    pub fn skip(&mut self) -> bool {
        let there = self.receiver.peek(Deadline::NOW).is_ok();
        self.receiver.consume();
        there
    }

    /// The receiver below, with all its messages.
    pub fn into_inner(self) -> R {
        self.receiver
    }

    /// The receiver below, borrowed.
    pub fn get_ref(&self) -> &R {
        &self.receiver
    }
}

impl<T, R: fmt::Debug> fmt::Debug for ValueReceiver<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueReceiver")
            .field(&self.receiver)
            .finish()
    }
}
