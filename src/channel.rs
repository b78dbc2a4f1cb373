//! A channel that has been described and not opened.

use std::{fmt, io};

use crate::{
    Address, BoxReceiver, BoxSender, Capabilities, Deadline, Endpoint, Handoff, OpenError,
    OpenErrorKind, Receiver, Sender,
};

/// A channel that has been described but not opened: which transport, where, how large.
///
/// An unnamed channel opens as a [`pair`](Self::pair), whose ends then go to other processes by
/// [`Handoff`]. A named one opens end by end, in any process and in any order; opening never waits for the other side.
pub trait Channel: fmt::Debug + Send + Sync {
    /// Its sending end.
    type Sender: Sender;
    /// Its receiving end.
    type Receiver: Receiver;

    /// Its canonical address, which parses back to an equal channel.
    fn address(&self) -> Address;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Opens both ends in this process.
    ///
    /// # Errors
    /// [`OpenError`] says what stands in the way and what to do. Nothing is left behind.
    fn pair(&self) -> Result<(Self::Sender, Self::Receiver), OpenError>;

    /// Opens a sending end by name: makes the channel, or joins it.
    ///
    /// # Errors
    /// [`Unnamed`](OpenErrorKind::Unnamed) without a name; [`Busy`](OpenErrorKind::Busy) if the
    /// channel takes one sender and has it; else as for [`pair`](Self::pair).
    fn sender(&self) -> Result<Self::Sender, OpenError>;

    /// Opens a receiving end by name: makes the channel, or joins it.
    ///
    /// # Errors
    /// As for [`sender`](Self::sender).
    fn receiver(&self) -> Result<Self::Receiver, OpenError>;

    /// The same, then waits up to the deadline until a receiver is there.
    ///
    /// # Errors
    /// [`NotReady`](OpenErrorKind::NotReady) at the deadline; else as for [`sender`](Self::sender).
    fn sender_by(&self, deadline: Deadline) -> Result<Self::Sender, OpenError> {
        met(self.sender()?, deadline, || self.address())
    }

    /// The same, then waits up to the deadline until a sender is there.
    ///
    /// # Errors
    /// [`NotReady`](OpenErrorKind::NotReady) at the deadline; else as for [`receiver`](Self::receiver).
    fn receiver_by(&self, deadline: Deadline) -> Result<Self::Receiver, OpenError> {
        met(self.receiver()?, deadline, || self.address())
    }

    /// Opens the sending end that another process handed over.
    ///
    /// # Errors
    /// [`Handoff`](OpenErrorKind::Handoff) if it is not for this end of this channel, [`Unproven`](OpenErrorKind::Unproven) or
    /// [`Foreign`](OpenErrorKind::Foreign) if it is somebody else's; else as for
    /// [`pair`](Self::pair).
    fn adopt_sender(&self, handoff: Handoff) -> Result<Self::Sender, OpenError>;

    /// Opens the receiving end that another process handed over.
    ///
    /// # Errors
    /// As for [`adopt_sender`](Self::adopt_sender).
    fn adopt_receiver(&self, handoff: Handoff) -> Result<Self::Receiver, OpenError>;

    /// Removes the name. Open ends go on; the next to open the name makes a new channel.
    ///
    /// Not needed in a program's life: the last end to close does it, and the next to open heals
    /// what a crash left.
    ///
    /// # Errors
    /// What the system says; [`NotFound`](io::ErrorKind::NotFound) if there is nothing to remove.
    fn unlink(&self) -> io::Result<()>;

    /// The same channel behind pointers, as [`laneway::channel`](crate::channel()) gives it.
    fn boxed(self) -> BoxChannel
    where
        Self: Sized + 'static,
        Self::Sender: 'static,
        Self::Receiver: 'static,
    {
        Box::new(Erased(self))
    }
}

/// A channel of a transport chosen at run time, without the pointer.
pub type DynChannel = dyn Channel<Sender = BoxSender, Receiver = BoxReceiver>;
/// A channel of a transport chosen at run time. It is a [`Channel`] too, so generic code takes both.
pub type BoxChannel = Box<DynChannel>;

fn met<E: Endpoint>(
    mut endpoint: E,
    deadline: Deadline,
    address: impl Fn() -> Address,
) -> Result<E, OpenError> {
    match endpoint.wait_peer(deadline) {
        Ok(true) => Ok(endpoint),
        Ok(false) => Err(OpenError::new(address(), OpenErrorKind::NotReady)),
        Err(error) => Err(OpenError::os(address(), error)),
    }
}

/// The one adapter between static and dynamic channels.
#[derive(Debug)]
struct Erased<C>(C);

impl<C> Channel for Erased<C>
where
    C: Channel<Sender: 'static, Receiver: 'static>,
{
    type Sender = BoxSender;
    type Receiver = BoxReceiver;

    fn address(&self) -> Address {
        self.0.address()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn pair(&self) -> Result<(BoxSender, BoxReceiver), OpenError> {
        let (sender, receiver) = self.0.pair()?;
        Ok((Box::new(sender), Box::new(receiver)))
    }

    fn sender(&self) -> Result<BoxSender, OpenError> {
        Ok(Box::new(self.0.sender()?))
    }

    fn receiver(&self) -> Result<BoxReceiver, OpenError> {
        Ok(Box::new(self.0.receiver()?))
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<BoxSender, OpenError> {
        Ok(Box::new(self.0.adopt_sender(handoff)?))
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<BoxReceiver, OpenError> {
        Ok(Box::new(self.0.adopt_receiver(handoff)?))
    }

    fn unlink(&self) -> io::Result<()> {
        self.0.unlink()
    }
}

impl<C: Channel + ?Sized> Channel for Box<C> {
    type Sender = C::Sender;
    type Receiver = C::Receiver;

    fn address(&self) -> Address {
        (**self).address()
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn pair(&self) -> Result<(C::Sender, C::Receiver), OpenError> {
        (**self).pair()
    }

    fn sender(&self) -> Result<C::Sender, OpenError> {
        (**self).sender()
    }

    fn receiver(&self) -> Result<C::Receiver, OpenError> {
        (**self).receiver()
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<C::Sender, OpenError> {
        (**self).adopt_sender(handoff)
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<C::Receiver, OpenError> {
        (**self).adopt_receiver(handoff)
    }

    fn unlink(&self) -> io::Result<()> {
        (**self).unlink()
    }
}
