//! A queue of values between any number of processes.

mod consumer;
mod ledger;
mod producer;

use std::{io, time::Duration};

use nix::poll::PollFlags;

pub use consumer::{Consumer, Iter};
pub use producer::Producer;

use crate::{
    Address, Channel, Deadline, Endpoint, Fan, Handoff, OpenError, OpenErrorKind, RecvError,
    Registry, SendError, process::give::Give, sys::fd, typed::Value,
};

use ledger::Ledger;

/// The channel of a queue that does not say otherwise.
const DEFAULT: &str = "shm+mpmc:";

/// A queue of values for many producers and many consumers in any processes; each item goes to one consumer.
///
/// This is a handle of both kinds. [`split`](Self::split) takes it apart, [`producer`](Self::producer) and [`consumer`](Self::consumer) make further handles of
/// one kind, for a process that shall only put, or only get: a handle that can put keeps the queue open for all. A process is given any of the three by
/// [`Process::give`](crate::process::Process::give), and takes it by the key.
///
/// ```standalone_crate
/// use laneway::{process::{Consumer, Process, Producer, Queue}, typed::Plain};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (jobs, results) = (Queue::new()?, Queue::new()?);
///     let square = || {
///         let mut jobs = Consumer::<Plain<u64>>::inherited("jobs").expect("given");
///         let mut results = Producer::inherited("results").expect("given");
///         for job in &mut jobs {
///             let Plain(job) = job.expect("comes whole");
///             results.put(&Plain(job * job)).expect("is wanted");
///         }
///     };
///     let start = || -> Result<_, Box<dyn std::error::Error>> {
///         let process = Process::fork(square).give("jobs", &jobs.consumer()?)?;
///         Ok(process.give("results", &results.producer()?)?.start()?)
///     };
///     let children = [start()?, start()?];
///     let (mut jobs, _) = jobs.split();
///     (1..=10_u64).try_for_each(|job| jobs.put(&Plain(job)))?;
///     jobs.close();
///     let mut results = results.close();
///     let sum: u64 = results.iter().map(|result| result.map_or(0, |Plain(square)| square)).sum();
///     assert_eq!(sum, 385);
///     children.iter().try_for_each(|child| child.join().map(drop))?;
///     Ok(())
/// }
/// ```
///
/// # Closing
/// A queue is closed by closing, or dropping, every handle that can put, or by the death of the processes that have them. Consumers then get
/// what is left, and after that [`Disconnected`](RecvError::Disconnected): no sentinels need to be counted. While nobody has opened a producer yet, it is not closed.
///
/// # Waiting
/// An item is in the queue when [`put`](Self::put) returns, and not in a thread of the producer: its process may end, and be joined, whether or not anybody has got the
/// item. The queue holds as many bytes as its channel; when it is full, `put` waits. So a parent that joins a child which still puts must have somebody
/// get what it puts: get until the queue is closed, then join.
///
/// # Crash behaviour
/// Whoever is killed, nobody hangs. What a producer had put is got; what it was putting is put wholly or not at all. A consumer takes the item that it had in its
/// hands to its grave, and no other: see [`Consumer`].
#[doc(alias = "JoinableQueue")]
#[doc(alias = "SimpleQueue")]
#[derive(Debug)]
pub struct Queue<T> {
    producer: Producer<T>,
    consumer: Consumer<T>,
}

impl<T: Value> Queue<T> {
    /// A queue over `shm+mpmc:`, of 2 MiB, to be given to other processes.
    ///
    /// # Errors
    /// As for [`Channel::pair`].
    pub fn new() -> Result<Self, OpenError> {
        let address: Address = DEFAULT.parse().map_err(unknown)?;
        Self::over(&Registry::BUILTIN.channel(&address).map_err(unknown)?)
    }

    /// A queue over a channel that many may share at both ends. If it has a name, the queue has: other programs join it by
    /// [`Producer::open`] and [`Consumer::open`].
    ///
    /// # Errors
    /// [`Narrow`](OpenErrorKind::Narrow) if the channel takes one handle at an end, [`Lossy`](OpenErrorKind::Lossy) if it may give items up; else as for [`Channel::pair`].
    pub fn over<C>(channel: &C) -> Result<Self, OpenError>
    where
        C: Channel<Sender: 'static, Receiver: 'static>,
    {
        let address = many(channel)?;
        let (tx, rx) = channel.pair()?;
        let (put, got) = Ledger::pair(&address)?;
        Ok(Self {
            producer: Producer::new(Box::new(tx), put)?,
            consumer: Consumer::new(Box::new(rx), got)?,
        })
    }

    /// Takes the queue that the parent [gave](crate::process::Process::give) by this key.
    ///
    /// # Errors
    /// As for [`inherited_sender`](crate::process::inherited_sender).
    pub fn inherited(key: &str) -> Result<Self, OpenError> {
        Ok(Self {
            producer: Producer::inherited(key)?,
            consumer: Consumer::inherited(key)?,
        })
    }

    /// Its two sides.
    #[must_use]
    pub fn split(self) -> (Producer<T>, Consumer<T>) {
        (self.producer, self.consumer)
    }

    /// Puts no more here. What is left of it gets what others put, until they have closed too.
    pub fn close(self) -> Consumer<T> {
        self.consumer
    }

    /// Another handle that puts.
    ///
    /// # Errors
    /// As for [`Producer::producer`].
    pub fn producer(&self) -> Result<Producer<T>, OpenError> {
        self.producer.producer()
    }

    /// Another handle that gets.
    ///
    /// # Errors
    /// As for [`Consumer::consumer`].
    pub fn consumer(&self) -> Result<Consumer<T>, OpenError> {
        self.consumer.consumer()
    }

    /// As [`Producer::put`].
    ///
    /// # Errors
    /// As there. A queue that can get here is never [`Disconnected`](SendError::Disconnected).
    #[inline]
    pub fn put(&mut self, item: &T) -> Result<(), SendError> {
        self.producer.put(item)
    }

    /// As [`Producer::try_put`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn try_put(&mut self, item: &T) -> Result<(), SendError> {
        self.producer.try_put(item)
    }

    /// As [`Producer::put_timeout`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn put_timeout(&mut self, item: &T, timeout: Duration) -> Result<(), SendError> {
        self.producer.put_timeout(item, timeout)
    }

    /// As [`Producer::put_many`].
    ///
    /// # Errors
    /// As there.
    pub fn put_many(&mut self, items: &[T]) -> Result<usize, SendError> {
        self.producer.put_many(items)
    }

    /// As [`Consumer::get`]. Since this handle could put, the queue is not closed as long as it lives: what waits here waits for others to put.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn get(&mut self) -> Result<T, RecvError> {
        self.consumer.get()
    }

    /// As [`Consumer::try_get`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn try_get(&mut self) -> Result<T, RecvError> {
        self.consumer.try_get()
    }

    /// As [`Consumer::get_timeout`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn get_timeout(&mut self, timeout: Duration) -> Result<T, RecvError> {
        self.consumer.get_timeout(timeout)
    }

    /// As [`Consumer::drain`].
    ///
    /// # Errors
    /// As there.
    pub fn drain(&mut self, max: usize, each: impl FnMut(T)) -> Result<usize, RecvError> {
        self.consumer.drain(max, each)
    }

    /// As [`Consumer::task_done`].
    #[inline]
    pub fn task_done(&mut self) {
        self.consumer.task_done();
    }

    /// As [`Producer::join`]. The consumer of this handle does nothing meanwhile, so it is an error if no other is left.
    ///
    /// # Errors
    /// As there.
    pub fn join(&mut self) -> Result<(), SendError> {
        while !self.join_by(Deadline::NEVER)? {}
        Ok(())
    }

    /// As [`Producer::join_timeout`].
    ///
    /// # Errors
    /// As for [`join`](Self::join).
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<bool, SendError> {
        self.join_by(Deadline::after(timeout))
    }

    /// As [`Producer::join_by`].
    ///
    /// # Errors
    /// As for [`join`](Self::join).
    pub fn join_by(&mut self, deadline: Deadline) -> Result<bool, SendError> {
        let own = self.consumer.ledger();
        self.producer.join_beside(deadline, Some(own))
    }

    /// As [`Producer::len`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.producer.len()
    }

    /// As [`Producer::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producer.is_empty()
    }

    /// As [`Producer::is_full`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.producer.is_full()
    }

    /// As [`Producer::capacity`].
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.producer.capacity()
    }
}

impl<T: Value> Give for Queue<T> {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        let mut parts = self.producer.handoffs()?;
        parts.extend(self.consumer.handoffs()?);
        Ok(parts)
    }
}

/// Our own address is right.
fn unknown(_: crate::AddressError) -> OpenError {
    OpenError::new(
        Address::of("shm+mpmc", "".as_ref()),
        OpenErrorKind::Unsupported,
    )
}

/// The address of a channel, if many may share both of its ends.
fn many(channel: &impl Channel) -> Result<Address, OpenError> {
    let (address, can) = (channel.address(), channel.capabilities());
    if !can.gives_each_once() {
        return Err(OpenError::new(address, OpenErrorKind::Lossy));
    }
    if (can.senders, can.receivers) == (Fan::Many, Fan::Many) {
        return Ok(address);
    }
    Err(OpenError::new(address, OpenErrorKind::Narrow))
}

/// A handle that could not be duplicated has no address to tell.
fn no_handoff(error: io::Error) -> OpenError {
    OpenError::os(Address::of("queue", "".as_ref()), error)
}

/// Whether nothing is in the channel.
fn is_drained(end: &impl Endpoint) -> bool {
    end.depth()
        .is_ok_and(|depth| match (depth.messages, depth.bytes) {
            (Some(messages), _) => messages == 0,
            (None, Some(bytes)) => bytes == 0,
            // Those who count are believed.
            (None, None) => true,
        })
}

/// How many items are in the channel, by those who count, unless it is known to be empty or not.
fn len(end: &impl Endpoint, ledger: &Ledger) -> usize {
    match is_drained(end) {
        true => 0,
        false => usize::try_from(ledger.waiting())
            .unwrap_or(usize::MAX)
            .max(1),
    }
}

/// Whether there is no room for so many bytes.
fn is_full(end: &impl Endpoint, len: usize) -> bool {
    if let Some(fd) = end.as_fd() {
        let ready = fd::wait(fd, PollFlags::POLLOUT, Deadline::NOW);
        return ready.is_ok_and(|ready| ready.is_empty());
    }
    let used = end.depth().ok().and_then(|depth| depth.bytes);
    used.is_some_and(|used| used.saturating_add(len.max(1)) > end.limits().capacity)
}
