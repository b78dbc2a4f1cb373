//! Two ends that both send and receive.

use std::{io, time::Duration};

use crate::{
    BoxReceiver, BoxSender, Channel, Endpoint, Handoff, OpenError, OpenErrorKind, ReceiverExt,
    RecvError, SendError, SenderExt,
    process::give::{self, Give},
    typed::{Value, ValueReceiver, ValueSender},
};

/// The words of its parts.
const SEND: &str = "send";
const RECV: &str = "recv";

/// One of two ends that both send and receive: it sends `T` and receives `U`, the one across the other way round.
///
/// # Crash behaviour
/// As for the two channels that it is made of. A peer that dies has gone from both.
#[derive(Debug)]
pub struct Duplex<T, U = T> {
    tx: ValueSender<T, BoxSender>,
    rx: ValueReceiver<U, BoxReceiver>,
}

/// Opens two channels like this one, one for each direction, as a pair of ends that both send and receive.
///
/// # Errors
/// [`Refused`](OpenErrorKind::Refused) if the channel has a name, which two cannot share; else as for [`Channel::pair`].
///
/// ```standalone_crate
/// use laneway::{process::{Duplex, Process, duplex}, typed::Plain};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let channel = laneway::channel("pipe:")?;
///     let (mut here, there) = duplex::<Plain<u64>, Plain<u64>>(&channel)?;
///     let child = Process::fork(|| {
///         let mut parent = Duplex::<Plain<u64>>::inherited("parent").expect("given");
///         let Plain(number) = parent.recv().expect("comes");
///         parent.send(&Plain(number + 1)).expect("is wanted");
///     })
///     .give("parent", &there)?
///     .start()?;
///     drop(there);
///     here.send(&Plain(41))?;
///     assert_eq!(here.recv()?, Plain(42));
///     child.join()?;
///     Ok(())
/// }
/// ```
#[doc(alias = "Pipe")]
#[expect(clippy::type_complexity, reason = "two ends are two ends")]
pub fn duplex<T: Value, U: Value>(
    channel: &impl Channel<Sender: 'static, Receiver: 'static>,
) -> Result<(Duplex<T, U>, Duplex<U, T>), OpenError> {
    let address = channel.address();
    if !address.is_anonymous() {
        let kind = OpenErrorKind::Refused("two channels cannot share a name");
        return Err(OpenError::new(address, kind));
    }
    let (here, there) = simplex(channel)?;
    let (back, home) = simplex(channel)?;
    Ok((
        Duplex { tx: here, rx: home },
        Duplex {
            tx: back,
            rx: there,
        },
    ))
}

/// Opens a channel as an end that sends values and one that receives them.
///
/// # Errors
/// As for [`Channel::pair`] and [`SenderExt::values`].
#[doc(alias = "Pipe")]
#[expect(clippy::type_complexity, reason = "two ends are two ends")]
pub fn simplex<T: Value>(
    channel: &impl Channel<Sender: 'static, Receiver: 'static>,
) -> Result<(ValueSender<T, BoxSender>, ValueReceiver<T, BoxReceiver>), OpenError> {
    let (tx, rx) = channel.pair()?;
    let (tx, rx): (BoxSender, BoxReceiver) = (Box::new(tx), Box::new(rx));
    Ok((tx.values()?, rx.values()?))
}

impl<T: Value, U: Value> Duplex<T, U> {
    /// Takes the end that the parent [gave](crate::process::Process::give) by this key.
    ///
    /// # Errors
    /// As for [`inherited_sender`](crate::process::inherited_sender).
    pub fn inherited(key: &str) -> Result<Self, OpenError> {
        Ok(Self {
            tx: give::part_sender(key, SEND)?.values()?,
            rx: give::part_receiver(key, RECV)?.values()?,
        })
    }

    /// Sends a value, waiting for room as long as it takes.
    ///
    /// # Errors
    /// As for [`ValueSender::send`].
    #[inline]
    pub fn send(&mut self, value: &T) -> Result<(), SendError> {
        self.tx.send(value)
    }

    /// Sends a value if there is room now.
    ///
    /// # Errors
    /// As for [`ValueSender::try_send`].
    #[inline]
    pub fn try_send(&mut self, value: &T) -> Result<(), SendError> {
        self.tx.try_send(value)
    }

    /// Sends a value, waiting for room up to `timeout`.
    ///
    /// # Errors
    /// As for [`ValueSender::send_timeout`].
    #[inline]
    pub fn send_timeout(&mut self, value: &T, timeout: Duration) -> Result<(), SendError> {
        self.tx.send_timeout(value, timeout)
    }

    /// Receives the next value, waiting for one as long as it takes.
    ///
    /// # Errors
    /// As for [`ValueReceiver::recv`].
    #[inline]
    pub fn recv(&mut self) -> Result<U, RecvError> {
        self.rx.recv()
    }

    /// Receives the next value if it is there now.
    ///
    /// # Errors
    /// As for [`ValueReceiver::try_recv`].
    #[inline]
    pub fn try_recv(&mut self) -> Result<U, RecvError> {
        self.rx.try_recv()
    }

    /// Receives the next value, waiting for one up to `timeout`.
    ///
    /// # Errors
    /// As for [`ValueReceiver::recv_timeout`].
    #[doc(alias = "poll")]
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<U, RecvError> {
        self.rx.recv_timeout(timeout)
    }

    /// Its sending and its receiving end.
    #[must_use]
    pub fn split(self) -> (ValueSender<T, BoxSender>, ValueReceiver<U, BoxReceiver>) {
        (self.tx, self.rx)
    }
}

impl<T: Value, U: Value> Give for Duplex<T, U> {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        let (tx, rx) = (self.tx.get_ref(), self.rx.get_ref());
        Ok(vec![(SEND, tx.handoff()?), (RECV, rx.handoff()?)])
    }
}
