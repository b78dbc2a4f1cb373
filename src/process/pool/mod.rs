//! A pool of worker processes.
//!
//! All jobs go through one `shm+mpmc:` channel, of which each worker takes one at a time, so none waits behind a long job while another worker is
//! idle, and nothing is dealt out in the parent. What a worker has in its hands it says in a cell of its own before it takes it (`cells.rs`), so after a
//! death exactly that job is failed: a ring for each worker would need a window of jobs for its speed, and a way to call back what lies behind a long one.
//! Answers come by another such channel to one thread, which settles the jobs in the order of the channel; the keeper's reports of deaths go the
//! same way, so they come behind all that the dead had answered. A caller who waits sleeps on its own job and is woken for several answers at once.
//! The caller itself does not collect, so that answers are taken in, and room is made, also while nobody waits.

mod builder;
mod cells;
mod collector;
mod core;
mod error;
mod function;
mod harvest;
mod job;
mod keeper;
mod map;
mod orders;
mod promise;
mod slots;
mod wire;
mod worker;

use std::{
    borrow::Borrow, fmt, marker::PhantomData, process, sync::Arc, sync::Mutex, thread::JoinHandle,
    time::Duration,
};

use crate::{Deadline, process::StartError, typed::Value};

use self::{
    core::{Shared, Stage},
    promise::{Promise, lock},
    slots::Target,
};

pub use builder::PoolBuilder;
pub use error::{JobError, SubmitError};
pub use job::Job;
pub use map::{Imap, ImapUnordered};

pub(super) use function::Function;
pub(super) use worker::work;

/// Worker processes that run functions of this program, as many jobs at once as there are workers.
///
/// A function is registered by [`Entries::function`](crate::process::Entries::function), takes a request and returns a response. A pool can run every
/// function of its types, by name. Workers are this program, run again, so a pool may be made beside threads; and it is used by any number of
/// them, by shared reference.
///
/// ```standalone_crate
/// use laneway::{process::{Entries, Pool}, typed::Plain};
///
/// fn square(Plain(x): Plain<u64>) -> Plain<u64> {
///     Plain(x * x)
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     Entries::new().function("square", square).serve();
///     let pool = Pool::<Plain<u64>, Plain<u64>>::new(2)?;
///     assert_eq!(pool.apply("square", &Plain(7))?, Plain(49));
///     let job = pool.apply_async("square", &Plain(8))?;
///     let squares = pool.map("square", (0..100).map(Plain))?;
///     assert_eq!((squares[9], job.get()?), (Plain(81), Plain(64)));
///     pool.join();
///     Ok(())
/// }
/// ```
///
/// It has two threads here, so this process does not [fork](crate::process::Process::fork) beside it.
///
/// # Bounds
/// No more jobs are in flight than [`in_flight`](PoolBuilder::in_flight) says: who submits more waits, or gets [`SubmitError::Full`] at its deadline.
/// They also take room in the channel, of so many [bytes](PoolBuilder::capacity). So nobody fills the memory by submitting.
///
/// # Crash behaviour
/// Every job ends once: with its result, or with a [`JobError`]. A worker that is killed, aborts or exits fails the job in its hands, and no other, and
/// is replaced. That job is not tried again, so one that kills its worker kills one. (It may have been done, if the worker was killed between doing it and saying so; killed at
/// the very moment of taking it, it may be done after it was failed.) A function that panics fails its job with what the panic said, and the worker goes on; what
/// the function had half changed in statics stays so. If workers die again and again before they take a job, the pool gives up: see [`SubmitError::Broken`].
///
/// Workers end when this process does, by whatever cause, and leave nothing.
///
/// # Dropping
/// A pool that is dropped is [terminated](Self::terminate). [`join`](Self::join) one whose jobs shall be done. In a process that inherited the pool
/// through a fork, dropping it does nothing.
pub struct Pool<Req, Resp> {
    core: Shared<Resp>,
    /// The longest message to a worker.
    max: usize,
    workers: u32,
    /// The process that made it.
    parent: u32,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _functions: PhantomData<fn(Req) -> Resp>,
}

impl<Req: Value, Resp: Value + Send> Pool<Req, Resp> {
    /// A pool of so many workers.
    ///
    /// # Errors
    /// As for [`PoolBuilder::start`].
    pub fn new(workers: u32) -> Result<Self, StartError> {
        Self::builder().workers(workers).start()
    }

    /// Describes one.
    pub fn builder() -> PoolBuilder<Req, Resp> {
        PoolBuilder::new()
    }

    /// Runs a function in a worker, and waits for its result.
    ///
    /// # Errors
    /// [`JobError`] says why there is none.
    pub fn apply(&self, function: &str, request: &Req) -> Result<Resp, JobError> {
        self.apply_async(function, request)?.get()
    }

    /// Has a function run in a worker. Waits for room as long as it takes, and not for the result.
    ///
    /// # Errors
    /// As for [`apply_async_by`](Self::apply_async_by), never [`Full`](SubmitError::Full).
    pub fn apply_async(&self, function: &str, request: &Req) -> Result<Job<Resp>, SubmitError> {
        self.apply_async_by(function, request, Deadline::NEVER)
    }

    /// The same, if there is room now.
    ///
    /// # Errors
    /// As for [`apply_async_by`](Self::apply_async_by).
    pub fn try_apply_async(&self, function: &str, request: &Req) -> Result<Job<Resp>, SubmitError> {
        self.apply_async_by(function, request, Deadline::NOW)
    }

    /// The same, waiting for room up to `timeout`.
    ///
    /// # Errors
    /// As for [`apply_async_by`](Self::apply_async_by).
    pub fn apply_async_timeout(
        &self,
        function: &str,
        request: &Req,
        timeout: Duration,
    ) -> Result<Job<Resp>, SubmitError> {
        self.apply_async_by(function, request, Deadline::after(timeout))
    }

    /// The same, waiting for room up to the deadline.
    ///
    /// # Errors
    /// [`Full`](SubmitError::Full) at the deadline; [`Closed`](SubmitError::Closed), [`UnknownFunction`](SubmitError::UnknownFunction),
    /// [`TooLarge`](SubmitError::TooLarge), [`Unencodable`](SubmitError::Unencodable), [`Broken`](SubmitError::Broken). After any error it will not be run.
    pub fn apply_async_by(
        &self,
        function: &str,
        request: &Req,
        deadline: Deadline,
    ) -> Result<Job<Resp>, SubmitError> {
        let function = self.core.function(function)?;
        let promise = Arc::new(Promise::new());
        let target = || Target::One(Arc::clone(&promise));
        let number = self.core.submit(function, request, target, deadline)?;
        Ok(Job::new(promise, number))
    }

    /// Runs a function on all items, and waits for all results, in the order of the items.
    ///
    /// Items are pulled as there is room for them. Each is a job of its own, so one that fails takes no others along.
    ///
    /// # Errors
    /// That of the first item that has one, when all have ended. [`imap`](Self::imap) tells the results of the others too.
    pub fn map<I>(&self, function: &str, items: I) -> Result<Vec<Resp>, JobError>
    where
        I: IntoIterator<Item: Borrow<Req>>,
    {
        self.map_chunked(function, items, map::CHUNK)
    }

    /// The same, where so many items are put at once: more for short jobs, whose workers are then woken once for many.
    ///
    /// # Errors
    /// As for [`map`](Self::map).
    pub fn map_chunked<I>(
        &self,
        function: &str,
        items: I,
        chunk: usize,
    ) -> Result<Vec<Resp>, JobError>
    where
        I: IntoIterator<Item: Borrow<Req>>,
    {
        let outcomes = map::all::<Req, _, _>(&self.core, function, items.into_iter(), chunk);
        outcomes.into_iter().collect()
    }

    /// Runs a function on items as they are pulled, some ahead of the results, which are told in the order of the items, each by itself.
    ///
    /// If the pool is closed meanwhile the next result is an error that says so, and the last but for those in flight.
    pub fn imap<I>(&self, function: &str, items: I) -> Imap<'_, Req, Resp, I::IntoIter>
    where
        I: IntoIterator<Item: Borrow<Req>>,
    {
        Imap::new(&self.core, function, items.into_iter(), self.workers)
    }

    /// The same, where results are told as they come, with the places of their items.
    pub fn imap_unordered<I>(
        &self,
        function: &str,
        items: I,
    ) -> ImapUnordered<'_, Req, Resp, I::IntoIter>
    where
        I: IntoIterator<Item: Borrow<Req>>,
    {
        ImapUnordered::new(&self.core, function, items.into_iter(), self.workers)
    }
}

impl<Req, Resp> Pool<Req, Resp> {
    /// The names of the functions that it can run.
    #[must_use]
    pub fn functions(&self) -> &[String] {
        &self.core.functions
    }

    /// How many workers it keeps.
    #[must_use]
    pub fn workers(&self) -> u32 {
        self.workers
    }

    /// The process ids of its workers.
    ///
    /// # Staleness
    /// True when it was taken; a worker may have ended since.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        lock(&self.core.pids).clone()
    }

    /// How many jobs may be in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.core.slots.len()
    }

    /// The longest request, in bytes; as long is the longest result.
    #[must_use]
    pub fn max_request(&self) -> usize {
        self.max.saturating_sub(wire::HEADER)
    }

    /// Takes no more jobs. Those that were submitted are done; then the workers end.
    pub fn close(&self) {
        self.core.end(Stage::Closed);
    }

    /// [Closes](Self::close) it, and waits until every job has ended and every worker is gone, as long as it takes. Handles of jobs still tell their results.
    pub fn join(&self) {
        self.close();
        self.core.is_over(Deadline::NEVER);
        self.settle();
    }

    /// The same, for at most `timeout`; `false` if it is not so by then: it is closed, and goes on.
    #[must_use]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        self.close();
        let over = self.core.is_over(Deadline::after(timeout));
        if over {
            self.settle();
        }
        over
    }

    /// Ends it at once: kills the workers, and waits until they are gone. Jobs that are not done end with [`JobError::Terminated`].
    pub fn terminate(&self) {
        self.core.end(Stage::Terminated);
        self.core.is_over(Deadline::NEVER);
        self.settle();
    }

    /// Waits for the threads, which have nothing more to do.
    fn settle(&self) {
        for thread in lock(&self.threads).drain(..) {
            // One that has panicked has ended too.
            let _ = thread.join();
        }
    }
}

impl<Req, Resp> Drop for Pool<Req, Resp> {
    fn drop(&mut self) {
        if self.parent == process::id() {
            self.terminate();
        }
    }
}

impl<Req, Resp> fmt::Debug for Pool<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("workers", &self.workers)
            .field("functions", &self.core.functions)
            .field("stage", &self.core.stage())
            .finish_non_exhaustive()
    }
}
