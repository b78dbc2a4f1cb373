//! The processes of a pipeline, started together and ended together.
//!
//! One thread starts them, so that they end with it, and waits for them as long as one runs. It sees the first that fails,
//! and ends the others.

use std::{
    io,
    process::{self, ExitStatus},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::{
    BoxChannel, BoxReceiver, BoxSender, Channel, Deadline,
    process::{
        child::Child,
        entry::Type,
        launch::Process,
        pipeline::{
            counters::Counters,
            error::{Failure, PipelineError},
            link::Ends,
            work::{COUNTERS, Place, input_key, output_key},
        },
        start_error::StartError,
        wait::wait_all,
    },
};

/// How long those that are ended may take to end by themselves, before they are killed.
const GRACE: Duration = Duration::from_secs(1);
/// The name of the thread.
const THREAD: &str = "laneway-crew";

/// A process that shall be started.
pub(super) struct Recruit {
    /// Which row of the pipeline it is of.
    pub(super) row: usize,
    /// What that is called: the name of its entry.
    pub(super) stage: String,
    pub(super) place: Place,
    /// In bytes.
    pub(super) arguments: Vec<u8>,
    pub(super) of: Type,
}

/// The ends that processes have of a link. An end that the parent has is not among them.
pub(super) type LinkEnds = (Option<Ends<BoxSender>>, Option<Ends<BoxReceiver>>);

/// A process that was started.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) row: usize,
    stage: String,
    place: Place,
    child: Child,
}

impl Worker {
    /// Its process.
    pub(super) fn child(&self) -> &Child {
        &self.child
    }
}

impl AsRef<Child> for Worker {
    fn as_ref(&self) -> &Child {
        &self.child
    }
}

/// What has become of a pipeline.
#[derive(Debug, Default)]
struct State {
    /// It is being ended, so who ends now has not failed.
    ending: bool,
    /// The first that failed, by its index, and how it ended.
    failed: Option<(usize, Option<ExitStatus>)>,
    /// When the last one ended.
    ended: Option<Instant>,
}

/// All processes of a pipeline.
#[derive(Debug)]
pub(super) struct Crew {
    workers: Arc<Vec<Worker>>,
    state: Arc<Mutex<State>>,
    /// Gone once it was joined.
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The process whose children they are.
    parent: u32,
    /// When all of them had been started.
    pub(super) started: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in there is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crew {
    /// Starts all of them, or none. The links are over these channels.
    pub(super) fn start(
        recruits: Vec<Recruit>,
        links: Vec<LinkEnds>,
        channels: Vec<BoxChannel>,
        counters: Counters,
    ) -> Result<Self, PipelineError> {
        let state = Arc::new(Mutex::new(State::default()));
        let theirs = Arc::clone(&state);
        let (tell, told) = mpsc::sync_channel(1);
        let run = move || {
            let started = start_all(recruits, &links, &counters).map(Arc::new);
            // From here on only they have their ends.
            drop(links);
            let workers = started.as_ref().map(Arc::clone).ok();
            // Whoever starts us waits for it.
            let _ = tell.send(started);
            drop(tell);
            if let Some(workers) = workers {
                watch(&workers, &theirs, &counters);
                if lock(&theirs).ending {
                    clear_up(&channels);
                }
                drop((workers, counters));
                lock(&theirs).ended = Some(Instant::now());
            }
        };
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(run)?;
        let gone = || io::Error::other("the thread that starts the processes has panicked");
        let started = told.recv().unwrap_or_else(|_| Err(gone().into()));
        let workers = match started {
            Ok(workers) => workers,
            Err(error) => {
                let _ = thread.join();
                return Err(error);
            }
        };
        Ok(Self {
            workers,
            state,
            thread: Mutex::new(Some(thread)),
            parent: process::id(),
            started: Instant::now(),
        })
    }

    /// Those of this row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(move |worker| worker.row == row)
    }

    /// When the last one ended; `None` while one runs.
    pub(super) fn ended(&self) -> Option<Instant> {
        lock(&self.state).ended
    }

    /// Waits until all have ended, and tells which failed first.
    pub(super) fn wait(&self, counters: &Counters) -> Result<(), PipelineError> {
        // Whoever comes second waits here for the first.
        let mut thread = lock(&self.thread);
        if let Some(thread) = thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
        drop(thread);
        let Some((index, status)) = lock(&self.state).failed else {
            return Ok(());
        };
        let worker = self.workers.get(index);
        let failure = worker.map(|worker| Failure {
            stage: worker.stage.clone(),
            worker: worker.place.worker,
            status,
            cause: counters.fault(worker.place.line).map(Into::into),
        });
        failure.map_or(Ok(()), |failure| Err(PipelineError::Failed(failure)))
    }

    /// Ends all of them, and waits for that. In a process that is not their parent it does nothing.
    pub(super) fn end(&self) {
        if self.parent != process::id() {
            return;
        }
        lock(&self.state).ending = true;
        end_all(&self.workers);
        if let Ok(None) = wait_all(&self.workers, Deadline::after(GRACE)) {
            kill_all(&self.workers);
        }
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.end();
    }
}

/// What fails here fails because it has ended.
fn end_all(workers: &[Worker]) {
    for worker in workers {
        let _ = worker.child.terminate();
    }
}

fn kill_all(workers: &[Worker]) {
    for worker in workers {
        let _ = worker.child.kill();
    }
}

/// Removes what those who were killed could not: names, and queues of the kernel. Whoever opens such a channel next does that.
fn clear_up(channels: &[BoxChannel]) {
    for channel in channels {
        // Who cannot open it leaves it to the next.
        drop(channel.pair());
    }
}

/// Starts all of them; if one does not start, those before it are ended.
fn start_all(
    recruits: Vec<Recruit>,
    links: &[LinkEnds],
    counters: &Counters,
) -> Result<Vec<Worker>, PipelineError> {
    let mut workers = Vec::with_capacity(recruits.len());
    for recruit in recruits {
        match start(&recruit, links, counters) {
            Ok(child) => workers.push(Worker {
                row: recruit.row,
                stage: recruit.stage,
                place: recruit.place,
                child,
            }),
            Err(error) => {
                kill_all(&workers);
                let stage = recruit.stage;
                return Err(PipelineError::Start { stage, error });
            }
        }
    }
    Ok(workers)
}

fn start(recruit: &Recruit, links: &[LinkEnds], counters: &Counters) -> Result<Child, StartError> {
    let Recruit { row, place, .. } = recruit;
    let mut arguments = place.bytes();
    arguments.extend(&recruit.arguments);
    let mut process = Process::encoded(&recruit.stage, arguments, recruit.of)
        .name(&format!("{}.{}", recruit.stage, place.worker))
        .end_with_parent()
        .give(COUNTERS, counters)?;
    let before = row.checked_sub(1).and_then(|before| links.get(before));
    if let Some((_, Some(ends))) = before {
        for (lane, end) in ends.of(place.worker).iter().enumerate() {
            process = process.give(&input_key(lane), end)?;
        }
    }
    if let Some((Some(ends), _)) = links.get(*row) {
        for (lane, end) in ends.of(place.worker).iter().enumerate() {
            process = process.give(&output_key(lane), end)?;
        }
    }
    process.start()
}

/// Waits until all have ended. If one fails, the others are ended.
fn watch(workers: &[Worker], state: &Mutex<State>, counters: &Counters) {
    let mut running: Vec<usize> = (0..workers.len()).collect();
    let mut deadline = Deadline::NEVER;
    while !running.is_empty() {
        let ended = wait_for_some(workers, &running, deadline);
        if ended.is_empty() {
            kill_all(workers);
            deadline = Deadline::NEVER;
        }
        for index in ended {
            running.retain(|&other| other != index);
            if has_failed(index, workers, state, counters) {
                end_all(workers);
                deadline = Deadline::after(GRACE);
            }
        }
    }
}

/// Waits until some of these have ended, also if somebody else has reaped them; none at the deadline.
fn wait_for_some(workers: &[Worker], running: &[usize], deadline: Deadline) -> Vec<usize> {
    let known = running
        .iter()
        .filter_map(|&index| Some((index, workers.get(index)?)));
    let (indices, mut descriptors): (Vec<usize>, Vec<PollFd<'_>>) = known
        .map(|(index, worker)| {
            let descriptor = worker.child.descriptor();
            (index, PollFd::new(descriptor, PollFlags::POLLIN))
        })
        .unzip();
    loop {
        let timeout = deadline.remaining().map_or(PollTimeout::NONE, |left| {
            // Rounded up: poll counts milliseconds, and nobody may wake early.
            PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut descriptors, timeout) {
            Ok(0) if deadline.has_passed() => return Vec::new(),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => {
                let ready = indices.iter().zip(&descriptors);
                let ready = ready.filter(|(_, descriptor)| descriptor.any().unwrap_or(true));
                return ready.map(|(index, _)| *index).collect();
            }
            // Not told which ends first, each is waited for in turn.
            Err(_) => {
                for worker in workers {
                    let _ = worker.child.join();
                }
                return indices;
            }
        }
    }
}

/// Whether one that has ended is the first that has failed.
fn has_failed(index: usize, workers: &[Worker], state: &Mutex<State>, counters: &Counters) -> bool {
    let Some(worker) = workers.get(index) else {
        return false;
    };
    let status = worker.child.exit_status();
    let well = status.is_none_or(|status| status.success());
    let mut state = lock(state);
    if state.ending || (well && counters.is_done(worker.place.line)) {
        return false;
    }
    state.ending = true;
    state.failed = Some((index, status));
    true
}
