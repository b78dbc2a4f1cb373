//! The sending end for tasks.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::tokio::io::Interest;
use futures_sink::Sink;

use crate::{Deadline, Limits, SendError, Sender, tokio::source::Source};

/// A sender for tasks of tokio: see [the module](crate::tokio).
///
/// As a [`Sink`] of `Vec<u8>` or `&[u8]` it takes one message at a time.
///
/// # Crash behaviour
/// That of the sender it is made of: a message is sent wholly or not at all, and a task that waits for room is told when the last
/// receiver has gone or died.
///
/// ```
/// use laneway::{Channel, tokio::{AsyncReceiver, AsyncSender}};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let (tx, rx) = laneway::channel("pipe:")?.pair()?;
/// let (mut tx, mut rx) = (AsyncSender::new(tx), AsyncReceiver::new(rx));
/// let sending = tokio::spawn(async move {
///     for number in 0..10_000_u32 {
///         tx.send(&number.to_le_bytes()).await?;
///     }
///     Ok::<(), laneway::SendError>(())
/// });
/// for number in 0..10_000_u32 {
///     assert_eq!(*rx.loan().await?, number.to_le_bytes());
/// }
/// sending.await??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AsyncSender<S> {
    source: Source<S>,
    limits: Limits,
    /// What the sink was given and has not sent.
    unsent: Option<Vec<u8>>,
}

/// Nothing in it is pinned.
impl<S> Unpin for AsyncSender<S> {}

/// What a call that never waits has done, if it did anything.
fn done<T>(result: Result<T, SendError>) -> Option<Result<T, SendError>> {
    match result {
        Err(SendError::Full) => None,
        result => Some(result),
    }
}

/// What a task is told.
fn told<T>(polled: Poll<io::Result<Result<T, SendError>>>) -> Poll<Result<T, SendError>> {
    polled.map(|result| result.unwrap_or_else(|error| Err(SendError::Io(error))))
}

impl<S: Sender + 'static> AsyncSender<S> {
    /// Sends into this end. Needs no runtime yet.
    pub fn new(sender: S) -> Self {
        let limits = sender.limits();
        Self {
            source: Source::new(sender, Interest::WRITABLE),
            limits,
            unsent: None,
        }
    }

    /// Sends a message, when there is room for it.
    ///
    /// # Errors
    /// [`TooLarge`](SendError::TooLarge), [`Disconnected`](SendError::Disconnected); [`Io`](SendError::Io) also outside of a runtime. Never
    /// [`Full`](SendError::Full). After any error nothing was sent.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, nothing was sent.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_send(cx, message)).await
    }

    /// The same, for one's own futures.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &[u8],
    ) -> Poll<Result<(), SendError>> {
        ready!(self.poll_unsent(cx))?;
        told(self.source.poll(cx, &mut |tx| done(tx.try_send(message))))
    }

    /// Sends messages in order, as many as there is room for, one at least, and tells how many that was.
    ///
    /// # Errors
    /// As for [`send`](Self::send), if the first could not be sent.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, nothing was sent.
    pub async fn send_batch(&mut self, messages: &[&[u8]]) -> Result<usize, SendError> {
        poll_fn(|cx| {
            ready!(self.poll_unsent(cx))?;
            let send = |tx: &mut S| done(tx.send_batch_by(messages, Deadline::NOW));
            told(self.source.poll(cx, &mut { send }))
        })
        .await
    }

    /// Sends what the sink was given. A message that cannot be sent at all is given up with its error.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if let Some(message) = &self.unsent {
            let sent = ready!(told(
                self.source.poll(cx, &mut |tx| done(tx.try_send(message)))
            ));
            self.unsent = None;
            return Poll::Ready(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Keeps a message until it is flushed.
    fn start(&mut self, message: Vec<u8>) -> Result<(), SendError> {
        if self.unsent.is_some() {
            // Two at once: the caller did not ask whether it may.
            return Err(SendError::Full);
        }
        self.unsent = Some(message);
        Ok(())
    }

    /// The numbers of the channel, as they were when this was made.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The sender itself.
    pub fn get_mut(&mut self) -> &mut S {
        self.source.end()
    }

    /// Only the sender. What a sink was given and has not flushed is lost.
    pub fn into_inner(self) -> S {
        self.source.into_end()
    }
}

/// Implements [`Sink`] for a kind of message.
macro_rules! sink {
    ($message:ty, $to_vec:expr) => {
        impl<S: Sender + 'static> Sink<$message> for AsyncSender<S> {
            type Error = SendError;

            fn poll_ready(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<(), SendError>> {
                self.poll_unsent(cx)
            }

            fn start_send(mut self: Pin<&mut Self>, message: $message) -> Result<(), SendError> {
                self.start($to_vec(message))
            }

            fn poll_flush(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<(), SendError>> {
                self.poll_unsent(cx)
            }

            fn poll_close(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<(), SendError>> {
                self.poll_unsent(cx)
            }
        }
    };
}

sink!(Vec<u8>, std::convert::identity);
sink!(&[u8], <[u8]>::to_vec);
