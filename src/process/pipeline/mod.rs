//! Stages of processes, joined by channels.

mod counters;
mod crew;
mod ends;
mod error;
mod input;
mod link;
mod output;
mod plan;
mod running;
mod stage;
mod stats;
mod turns;
mod work;

use std::{collections::BTreeMap, panic, thread};

pub use ends::{Sink, Source};
pub use error::{Cause, Failure, PipelineError};
pub use running::{Running, StageExit};
pub use stage::Items;
pub use stats::{StageStats, Stats};

use crate::{
    Address, AddressError,
    process::{
        entry::Type,
        pipeline::{plan::Plan, work::Work},
    },
    typed::{Unencodable, Value},
};

/// Stages of one or more processes each, joined by channels: described, not started.
///
/// A stage is an entry of this program, registered by [`Entries::stage`](crate::process::Entries::stage) or
/// [`flat_stage`](crate::process::Entries::flat_stage). Before the first stage is the source and behind the last the sink: here, in the process that starts it, or
/// processes of their own.
///
/// ```text
///  source ───shm+mpmc:───▶ parse × 4 ───shm+mpmc:───▶ enrich × 2 ───shm+mpmc:───▶ sink
///  (here)                  4 processes                2 processes                 (here)
/// ```
///
/// Each arrow is a link: one channel that all share, or, if results shall come in order, one from each worker to each.
///
/// ```standalone_crate
/// use laneway::{process::{Entries, Pipeline}, typed::Plain};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     Entries::new()
///         .stage("square", |Plain(x): Plain<u64>| Plain(x * x))
///         .flat_stage("even", |x: Plain<u64>| (*x % 2 == 0).then_some(x))
///         .serve();
///     let pipeline = Pipeline::new().stage("square", 4).link("shm+lock:").stage("even", 2);
///     let mut sum = 0;
///     let stats = pipeline.run((1..=100_u64).map(Plain), |Plain(even): Plain<u64>| sum += even)?;
///     assert_eq!(sum, 171_700);
///     assert_eq!(stats.stage("even").map(|even| (even.received, even.sent)), Some((100, 50)));
///     Ok(())
/// }
/// ```
///
/// # Order
/// Each item goes to whichever worker is free, so results come as they are done. If it is [`ordered`](Self::ordered), workers take turns, and results
/// come in the order of the source.
///
/// # Closing
/// When the source is closed, or at the end of its items, the workers of the first stage finish what is there and end, then those of the second, and so on: the sink
/// gets the last result and then [`None`]. No sentinels. If the sink wants no more, everybody before it ends.
///
/// # Waiting
/// A link holds as many bytes as its channel. When it is full, whoever sends waits: so a slow stage slows those before it, and
/// memory stays bounded. [`Stats`] tells who waits for whom.
///
/// # Crash behaviour
/// A process that panics, is killed or cannot send what it made fails the pipeline: the others are ended, and the sink,
/// the source and [`join`](Running::join) get [`Failed`](PipelineError::Failed) with its stage and how it ended. What it had in its hands is lost, and
/// is not given to another. Nobody hangs. If this process is killed, the kernel ends the others with it. Channels without a name leave nothing behind.
///
/// # Threads
/// One thread of this process waits for the others as long as they run. So no closure can be [forked](crate::process::Process::fork) meanwhile.
#[must_use = "it does nothing until it is started"]
#[derive(Debug, Default)]
pub struct Pipeline {
    source: Option<End>,
    stages: Vec<(String, usize)>,
    sink: Option<End>,
    /// By how many stages come before.
    links: BTreeMap<usize, Result<Address, AddressError>>,
    ordered: bool,
}

/// A source or a sink that is a process.
#[derive(Debug)]
struct End {
    name: String,
    arguments: Result<Vec<u8>, Unencodable>,
    of: Type,
    /// The type of the arguments themselves.
    takes: Type,
}

impl End {
    fn new<A: Value>(name: &str, arguments: &A) -> Self {
        let mut bytes = Vec::new();
        let written = arguments.write(&mut bytes);
        Self {
            name: name.to_owned(),
            arguments: written.map(|()| bytes),
            of: Type::of::<Work<A>>(),
            takes: Type::of::<A>(),
        }
    }
}

impl Pipeline {
    /// One without stages, whose source and sink are here.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has a process for a source: one that runs this entry of [`Entries::source`](crate::process::Entries::source).
    pub fn source<A: Value>(mut self, entry: &str, arguments: &A) -> Self {
        self.source = Some(End::new(entry, arguments));
        self
    }

    /// One more stage: so many processes that run this entry of [`Entries::stage`](crate::process::Entries::stage) or
    /// [`flat_stage`](crate::process::Entries::flat_stage).
    pub fn stage(mut self, entry: &str, workers: usize) -> Self {
        self.stages.push((entry.to_owned(), workers));
        self
    }

    /// Names the transport of the link at this place: behind the last stage that was named, or behind the source if none was.
    ///
    /// If none is named, it is `shm+spsc:` between one and one and `shm+mpmc:` where there are many; in an ordered pipeline
    /// `shm+spsc:?capacity=1MiB` from each worker to each. A channel with a name can be the link of one pipeline at a time, and joins two processes or
    /// is shared by all; several lanes cannot share it.
    pub fn link(mut self, address: &str) -> Self {
        self.links.insert(self.stages.len(), address.parse());
        self
    }

    /// Has a process for a sink: one that runs this entry of [`Entries::sink`](crate::process::Entries::sink).
    pub fn sink<A: Value>(mut self, entry: &str, arguments: &A) -> Self {
        self.sink = Some(End::new(entry, arguments));
        self
    }

    /// Has results come in the order of the source, whatever each took.
    ///
    /// The workers of a stage take turns, each with a channel of its own to each worker behind: nothing is numbered or
    /// put aside, and a channel between one and one is enough. But an item that takes long holds up its worker's next ones, also while others are free.
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Starts all its processes.
    ///
    /// # Errors
    /// [`PipelineError`] says what stands in the way. No process runs, and nothing is left behind.
    pub fn start(self) -> Result<Running, PipelineError> {
        Plan::new(self)?.start()
    }

    /// Starts it, sends all `items` from a thread, gives each result to `each`, waits for the end, and tells what was done.
    ///
    /// # Errors
    /// As for [`start`](Self::start), [`Source::send`] and [`Sink::recv`]. After an error it waits until `items` gives the next one, which is
    /// not sent any more.
    pub fn run<I, T>(self, items: I, mut each: impl FnMut(T)) -> Result<Stats, PipelineError>
    where
        I: IntoIterator<Item: Value> + Send,
        T: Value,
    {
        let mut running = self.start()?;
        let mut source = running.source::<I::Item>()?;
        let sink = running.sink::<T>()?;
        thread::scope(|scope| {
            let sent = scope.spawn(move || {
                let mut items = items.into_iter();
                items.try_for_each(|item| source.send(&item))
            });
            let mut results = sink;
            let received = results.try_for_each(|result| result.map(&mut each));
            // Also if `each` panics, so that who sends does not wait for ever.
            drop(results);
            let sent = sent
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic));
            received.and(sent)
        })?;
        running.join()?;
        Ok(running.stats())
    }
}
