//! The receiving end for tasks.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::tokio::io::Interest;
use futures_core::Stream;

use crate::{Deadline, Limits, Loan, Receiver, ReceiverExt, RecvError, tokio::source::Source};

/// A receiver for tasks of tokio: see [the module](crate::tokio).
///
/// As a [`Stream`] it gives each message, ends when every sender is gone, and ends after an error.
///
/// # Crash behaviour
/// That of the receiver it is made of: a death is told as soon, and what was sent before is received.
///
/// ```
/// use laneway::{Channel, Sender, tokio::AsyncReceiver};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let (mut tx, rx) = laneway::channel("shm:")?.pair()?;
/// let mut rx = AsyncReceiver::new(rx);
/// let sending = std::thread::spawn(move || tx.send(b"hello"));
/// let mut buf = [0; 64];
/// let len = rx.recv(&mut buf).await?;
/// assert_eq!(&buf[..len], b"hello");
/// sending.join().expect("no panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AsyncReceiver<R> {
    source: Source<R>,
    limits: Limits,
    /// Whether the stream has ended.
    ended: bool,
}

/// Nothing in it is pinned.
impl<R> Unpin for AsyncReceiver<R> {}

/// What a call that never waits has found, if it found anything.
fn found<T>(result: Result<T, RecvError>) -> Option<Result<T, RecvError>> {
    match result {
        Err(RecvError::Empty) => None,
        result => Some(result),
    }
}

/// What a task is told.
fn told<T>(polled: Poll<io::Result<Result<T, RecvError>>>) -> Poll<Result<T, RecvError>> {
    polled.map(|result| result.unwrap_or_else(|error| Err(RecvError::Io(error))))
}

impl<R: Receiver + 'static> AsyncReceiver<R> {
    /// Receives from this end. Needs no runtime yet.
    pub fn new(receiver: R) -> Self {
        let limits = receiver.limits();
        Self {
            source: Source::new(receiver, Interest::READABLE),
            limits,
            ended: false,
        }
    }

    /// Receives the next message into `buf` and tells its length.
    ///
    /// # Errors
    /// [`TooSmall`](RecvError::TooSmall), and the message stays; [`Disconnected`](RecvError::Disconnected);
    /// [`Io`](RecvError::Io) also outside of a runtime. Never [`Empty`](RecvError::Empty).
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, nothing was received.
    pub async fn recv(&mut self, buf: &mut [u8]) -> Result<usize, RecvError> {
        poll_fn(|cx| self.poll_recv(cx, buf)).await
    }

    /// The same, for one's own futures.
    ///
    /// # Errors
    /// As for [`recv`](Self::recv).
    pub fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, RecvError>> {
        told(self.source.poll(cx, &mut |rx| found(rx.try_recv(buf))))
    }

    /// Receives the next message as bytes of one's own.
    ///
    /// # Errors
    /// As for [`recv`](Self::recv), never [`TooSmall`](RecvError::TooSmall).
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, nothing was received.
    pub async fn recv_vec(&mut self) -> Result<Vec<u8>, RecvError> {
        poll_fn(|cx| self.poll_recv_vec(cx)).await
    }

    /// The same, for one's own futures.
    ///
    /// # Errors
    /// As for [`recv_vec`](Self::recv_vec).
    pub fn poll_recv_vec(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, RecvError>> {
        told(self.source.poll(cx, &mut |rx| {
            let message = rx.peek(Deadline::NOW).map(<[u8]>::to_vec);
            if message.is_ok() {
                rx.consume();
            }
            found(message)
        }))
    }

    /// Lends the next message, where it lies if the transport can do that. Dropping the loan finishes the message.
    ///
    /// # Errors
    /// As for [`recv_vec`](Self::recv_vec).
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, nothing was received.
    pub async fn loan(&mut self) -> Result<Loan<'_, R>, RecvError> {
        poll_fn(|cx| {
            let peek = |rx: &mut R| found(rx.peek(Deadline::NOW).map(drop));
            told(self.source.poll(cx, &mut { peek }))
        })
        .await?;
        self.source.end().loan_by(Deadline::NOW)
    }

    /// Waits for a message, then gives what is there, `max` messages at most, to `each`, and tells how many that was.
    ///
    /// # Errors
    /// As for [`Receiver::drain_by`].
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, `each` was not called.
    pub async fn drain(
        &mut self,
        max: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        poll_fn(|cx| {
            told(self.source.poll(cx, &mut |rx| {
                found(rx.drain_by(max, Deadline::NOW, &mut each))
            }))
        })
        .await
    }

    /// The numbers of the channel, as they were when this was made.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The receiver itself.
    pub fn get_mut(&mut self) -> &mut R {
        self.source.end()
    }

    /// Only the receiver.
    pub fn into_inner(self) -> R {
        self.source.into_end()
    }
}

impl<R: Receiver + 'static> Stream for AsyncReceiver<R> {
    type Item = Result<Vec<u8>, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_recv_vec(cx));
        self.ended = next.is_err();
        Poll::Ready(match next {
            Err(RecvError::Disconnected) => None,
            next => Some(next),
        })
    }
}
