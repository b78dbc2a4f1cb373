//! The side of a queue that gets.

use std::{io, time::Duration};

use crate::{
    BoxReceiver, Channel, Deadline, End, Endpoint, Handoff, OpenError, RecvError,
    process::{
        give::{self, Give},
        queue::{ledger::Ledger, many, no_handoff},
    },
    typed::{Value, ValueReceiver},
};

/// The words of its parts.
const GET: &str = "get";
const LEDGER: &str = "get-ledger";

/// A handle that gets items from a [`Queue`](crate::process::Queue). Any number may be open, in any processes; each item goes to one.
///
/// # Crash behaviour
/// The item that [`get`](Self::get) has returned is lost with its process. On `shm+mpmc:` nothing else is: what was being got comes to another
/// consumer. On other transports an item may be lost on its way, and with [`drain`](Self::drain) as many as were asked for at once.
#[derive(Debug)]
pub struct Consumer<T> {
    rx: ValueReceiver<T, BoxReceiver>,
    ledger: Ledger,
}

impl<T: Value> Consumer<T> {
    pub(super) fn new(rx: BoxReceiver, ledger: Ledger) -> Result<Self, OpenError> {
        Ok(Self {
            rx: ValueReceiver::new(rx)?,
            ledger,
        })
    }

    /// Opens one by the name of its channel: makes the queue, or joins it.
    ///
    /// # Errors
    /// As for [`Queue::over`](crate::process::Queue::over) and [`Channel::receiver`].
    pub fn open<C: Channel<Receiver: 'static>>(channel: &C) -> Result<Self, OpenError> {
        let address = many(channel)?;
        let rx = Box::new(channel.receiver()?);
        Self::new(rx, Ledger::open(&address, End::Receiver)?)
    }

    /// Takes the one that the parent [gave](crate::process::Process::give) by this key, or the one in the queue that it gave.
    ///
    /// # Errors
    /// As for [`inherited_receiver`](crate::process::inherited_receiver).
    pub fn inherited(key: &str) -> Result<Self, OpenError> {
        let rx = give::part_receiver(key, GET)?;
        let ledger = Ledger::adopt(give::part(key, LEDGER)?, End::Receiver)?;
        Self::new(rx, ledger)
    }

    /// Another one, for another thread or to be given to a process.
    ///
    /// # Errors
    /// No descriptor left, or as many handles as a queue has: 1,023.
    pub fn consumer(&self) -> Result<Self, OpenError> {
        let [rx, ledger] = self.parts().map_err(no_handoff)?;
        let rx = give::channel(&rx.address)?.adopt_receiver(rx)?;
        Self::new(rx, Ledger::adopt(ledger, End::Receiver)?)
    }

    fn parts(&self) -> io::Result<[Handoff; 2]> {
        let rx = self.rx.get_ref().handoff()?;
        let ledger = self.ledger.handoff(rx.address.clone())?;
        Ok([rx, ledger])
    }

    /// Gets the next item, waiting for one as long as it takes.
    ///
    /// # Errors
    /// As for [`get_by`](Self::get_by), never [`Empty`](RecvError::Empty).
    #[inline]
    pub fn get(&mut self) -> Result<T, RecvError> {
        self.get_by(Deadline::NEVER)
    }

    /// Gets the next item if there is one now.
    ///
    /// # Errors
    /// As for [`get_by`](Self::get_by).
    #[doc(alias = "get_nowait")]
    #[inline]
    pub fn try_get(&mut self) -> Result<T, RecvError> {
        self.get_by(Deadline::NOW)
    }

    /// Gets the next item, waiting for one up to `timeout`.
    ///
    /// # Errors
    /// As for [`get_by`](Self::get_by).
    #[inline]
    pub fn get_timeout(&mut self, timeout: Duration) -> Result<T, RecvError> {
        self.get_by(Deadline::after(timeout))
    }

    /// Gets the next item, waiting for one up to the deadline.
    ///
    /// # Errors
    /// [`Empty`](RecvError::Empty) at the deadline; [`Disconnected`](RecvError::Disconnected) if there were producers, none is left, and everything has
    /// been got; [`Mistyped`](RecvError::Mistyped) if something else put what is no `T`: it stays, and [`skip`](Self::skip) takes it out.
    #[inline]
    pub fn get_by(&mut self, deadline: Deadline) -> Result<T, RecvError> {
        let Self { rx, ledger } = self;
        rx.recv_noted(deadline, || ledger.got())
    }

    /// Waits for an item as long as it takes, then gives what is there, `max` items at most, to `each`, and tells how many that was. Faster than one by
    /// one: producers are woken once for many.
    ///
    /// # Errors
    /// As for [`get_by`](Self::get_by), if there was no item, never [`Empty`](RecvError::Empty).
    ///
    /// # Crash behaviour
    /// On `shm+mpmc:` an item is in the queue until `each` has returned: if the process dies before, another consumer gets it.
    pub fn drain(&mut self, max: usize, each: impl FnMut(T)) -> Result<usize, RecvError> {
        self.drain_by(max, Deadline::NEVER, each)
    }

    /// The same, waiting for an item up to the deadline.
    ///
    /// # Errors
    /// As for [`get_by`](Self::get_by), if there was no item. What is no `T` among others is taken out, and
    /// [`Mistyped`](RecvError::Mistyped) tells of it when the others have been given.
    pub fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        mut each: impl FnMut(T),
    ) -> Result<usize, RecvError> {
        let Self { rx, ledger } = self;
        rx.drain_by(max, deadline, |item| {
            ledger.got();
            each(item);
        })
    }

    /// The items to come, until the queue is [`Disconnected`](RecvError::Disconnected). Another error is told, and is the last.
    pub fn iter(&mut self) -> Iter<'_, T> {
        Iter {
            consumer: Some(self),
        }
    }

    /// Takes the next item out, whatever it is; `false` if there is none now.
    pub fn skip(&mut self) -> bool {
        self.rx.skip()
    }

    /// Says that an item that was got here is done, for those who [join](super::Producer::join) the queue. Saying it of more than were got says nothing.
    #[inline]
    pub fn task_done(&mut self) {
        self.ledger.done(1);
    }

    /// Says that of so many items.
    #[inline]
    pub fn tasks_done(&mut self, items: usize) {
        self.ledger.done(items as u64);
    }

    /// How many items wait in the queue.
    ///
    /// # Staleness
    /// As for [`Producer::len`](super::Producer::len).
    #[doc(alias = "qsize")]
    #[must_use]
    pub fn len(&self) -> usize {
        super::len(self.rx.get_ref(), &self.ledger)
    }

    /// Whether no item waits.
    ///
    /// # Staleness
    /// As for [`Producer::len`](super::Producer::len).
    #[doc(alias = "empty")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        super::is_drained(self.rx.get_ref())
    }

    /// The bytes that the queue holds, including what the channel needs for itself.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.rx.get_ref().limits().capacity
    }

    /// Its place.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Gets no more. The same as dropping it.
    pub fn close(self) {}
}

impl<T: Value> Give for Consumer<T> {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        let [rx, ledger] = self.parts()?;
        Ok(vec![(GET, rx), (LEDGER, ledger)])
    }
}

impl<'a, T: Value> IntoIterator for &'a mut Consumer<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The items to come: see [`Consumer::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    /// `None` after the last.
    consumer: Option<&'a mut Consumer<T>>,
}

impl<T: Value> Iterator for Iter<'_, T> {
    type Item = Result<T, RecvError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let got = self.consumer.as_mut()?.get();
        if got.is_err() {
            self.consumer = None;
        }
        match got {
            Err(RecvError::Disconnected) => None,
            got => Some(got),
        }
    }
}

impl<T: Value> std::iter::FusedIterator for Iter<'_, T> {}
