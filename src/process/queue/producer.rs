//! The side of a queue that puts.

use std::{io, time::Duration};

use crate::{
    BoxSender, Channel, Deadline, End, Endpoint, Handoff, OpenError, SendError,
    process::{
        give::{self, Give},
        queue::{
            ledger::{Joined, Ledger},
            many, no_handoff,
        },
    },
    typed::{Value, ValueSender},
};

/// The words of its parts.
const PUT: &str = "put";
const LEDGER: &str = "put-ledger";

/// A handle that puts items into a [`Queue`](crate::process::Queue). Any number may be open, in any processes.
///
/// When the last one is closed, or its process has died, consumers get what is left and then
/// [`Disconnected`](crate::RecvError::Disconnected).
#[derive(Debug)]
pub struct Producer<T> {
    tx: ValueSender<T, BoxSender>,
    ledger: Ledger,
}

impl<T: Value> Producer<T> {
    pub(super) fn new(tx: BoxSender, ledger: Ledger) -> Result<Self, OpenError> {
        Ok(Self {
            tx: ValueSender::new(tx)?,
            ledger,
        })
    }

    /// Opens one by the name of its channel: makes the queue, or joins it.
    ///
    /// # Errors
    /// As for [`Queue::over`](crate::process::Queue::over) and [`Channel::sender`].
    pub fn open<C: Channel<Sender: 'static>>(channel: &C) -> Result<Self, OpenError> {
        let address = many(channel)?;
        let tx = Box::new(channel.sender()?);
        Self::new(tx, Ledger::open(&address, End::Sender)?)
    }

    /// Takes the one that the parent [gave](crate::process::Process::give) by this key, or the one in the queue that it gave.
    ///
    /// # Errors
    /// As for [`inherited_sender`](crate::process::inherited_sender).
    pub fn inherited(key: &str) -> Result<Self, OpenError> {
        let tx = give::part_sender(key, PUT)?;
        let ledger = Ledger::adopt(give::part(key, LEDGER)?, End::Sender)?;
        Self::new(tx, ledger)
    }

    /// Another one, for another thread or to be given to a process.
    ///
    /// # Errors
    /// No descriptor left, or as many handles as a queue has: 1,023.
    pub fn producer(&self) -> Result<Self, OpenError> {
        let [tx, ledger] = self.parts().map_err(no_handoff)?;
        let tx = give::channel(&tx.address)?.adopt_sender(tx)?;
        Self::new(tx, Ledger::adopt(ledger, End::Sender)?)
    }

    fn parts(&self) -> io::Result<[Handoff; 2]> {
        let tx = self.tx.get_ref().handoff()?;
        let ledger = self.ledger.handoff(tx.address.clone())?;
        Ok([tx, ledger])
    }

    /// Puts an item, waiting for room as long as it takes. It is in the queue then, and stays there if this process ends.
    ///
    /// # Errors
    /// As for [`put_by`](Self::put_by), never [`Full`](SendError::Full).
    #[inline]
    pub fn put(&mut self, item: &T) -> Result<(), SendError> {
        self.put_by(item, Deadline::NEVER)
    }

    /// Puts an item if there is room now.
    ///
    /// # Errors
    /// As for [`put_by`](Self::put_by).
    #[doc(alias = "put_nowait")]
    #[inline]
    pub fn try_put(&mut self, item: &T) -> Result<(), SendError> {
        self.put_by(item, Deadline::NOW)
    }

    /// Puts an item, waiting for room up to `timeout`.
    ///
    /// # Errors
    /// As for [`put_by`](Self::put_by).
    #[inline]
    pub fn put_timeout(&mut self, item: &T, timeout: Duration) -> Result<(), SendError> {
        self.put_by(item, Deadline::after(timeout))
    }

    /// Puts an item, waiting for room up to the deadline.
    ///
    /// # Errors
    /// [`Full`](SendError::Full) at the deadline; [`Disconnected`](SendError::Disconnected) if there were consumers, and none is left;
    /// [`TooLarge`](SendError::TooLarge), [`Unencodable`](SendError::Unencodable). After any error it was not put.
    #[inline]
    pub fn put_by(&mut self, item: &T, deadline: Deadline) -> Result<(), SendError> {
        self.ledger.putting(1);
        let sent = self.tx.send_by(item, deadline);
        self.ledger.put(usize::from(sent.is_ok()), 1);
        sent
    }

    /// Puts items in order, waiting for room as long as it takes, and tells how many: all, unless an error came in between, which the
    /// next call tells. Faster than one by one: consumers are woken once for many.
    ///
    /// # Errors
    /// As for [`put_by`](Self::put_by), if the first was not put.
    pub fn put_many(&mut self, items: &[T]) -> Result<usize, SendError> {
        self.put_many_by(items, Deadline::NEVER)
    }

    /// The same, as many as have gone by the deadline.
    ///
    /// # Errors
    /// As for [`put_by`](Self::put_by), if the first was not put.
    pub fn put_many_by(&mut self, items: &[T], deadline: Deadline) -> Result<usize, SendError> {
        self.ledger.putting(items.len());
        let sent = self.tx.send_many_by(items, deadline);
        let count = sent.as_ref().map_or(0, |&count| count);
        self.ledger.put(count, items.len());
        sent
    }

    /// How many items wait in the queue.
    ///
    /// # Staleness
    /// True when it was counted; others may have put or got since. Off by one for each process that was killed while it put or got.
    #[doc(alias = "qsize")]
    #[must_use]
    pub fn len(&self) -> usize {
        super::len(self.tx.get_ref(), &self.ledger)
    }

    /// Whether no item waits.
    ///
    /// # Staleness
    /// As for [`len`](Self::len).
    #[doc(alias = "empty")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        super::is_drained(self.tx.get_ref())
    }

    /// Whether there is no room for an item of the length that the last had.
    ///
    /// # Staleness
    /// As for [`len`](Self::len).
    #[doc(alias = "full")]
    #[must_use]
    pub fn is_full(&self) -> bool {
        super::is_full(self.tx.get_ref(), self.tx.last_len())
    }

    /// The bytes that the queue holds, including what the channel needs for itself: its bound, in place of a number of items.
    #[doc(alias = "maxsize")]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.tx.get_ref().limits().capacity
    }

    /// Waits until every item that was put has been got and [done](super::Consumer::task_done), as long as it takes.
    ///
    /// # Errors
    /// As for [`join_by`](Self::join_by).
    pub fn join(&mut self) -> Result<(), SendError> {
        while !self.join_by(Deadline::NEVER)? {}
        Ok(())
    }

    /// The same, for at most `timeout`; `false` if it is not so by then.
    ///
    /// # Errors
    /// As for [`join_by`](Self::join_by).
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<bool, SendError> {
        self.join_by(Deadline::after(timeout))
    }

    /// The same, up to the deadline.
    ///
    /// # Errors
    /// [`Disconnected`](SendError::Disconnected) if there were consumers, none is left, and there are items to be done.
    ///
    /// # Crash behaviour
    /// What a consumer had got and not done when it died, or when its handle was closed, counts as done: nobody else will do it. If it was killed in the very act of getting an
    /// item that then went to another, this may return while that one has it.
    pub fn join_by(&mut self, deadline: Deadline) -> Result<bool, SendError> {
        self.join_beside(deadline, None)
    }

    /// The same, where `own` is the place of a consumer of the caller's, which does nothing meanwhile.
    pub(super) fn join_beside(
        &mut self,
        deadline: Deadline,
        own: Option<&Ledger>,
    ) -> Result<bool, SendError> {
        let tx = self.tx.get_ref();
        let drained = || super::is_drained(tx);
        match self.ledger.join(deadline, own, &drained) {
            Some(Joined::Done) => Ok(true),
            Some(Joined::Alone) => Err(SendError::Disconnected),
            None => Ok(false),
        }
    }

    /// Puts no more. The same as dropping it.
    pub fn close(self) {}
}

impl<T: Value> Give for Producer<T> {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        let [tx, ledger] = self.parts()?;
        Ok(vec![(PUT, tx), (LEDGER, ledger)])
    }
}
