//! Where the outcome of a job is awaited.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{Deadline, process::pool::JobError};

/// How a job has ended.
pub(super) type Outcome<T> = Result<T, JobError>;

/// Locks; nothing in here is left half done by a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to look again before sleeping: about what a wake-up costs. Meanwhile others have the core if they want it, so that
/// several answers come, and not one for each wake-up.
const PATIENCE: Duration = Duration::from_micros(50);

/// Looks for a while; `false` if it was in vain, and it is time to sleep.
#[cold]
pub(super) fn linger(deadline: Deadline, mut look: impl FnMut() -> bool) -> bool {
    if deadline == Deadline::NOW {
        return false;
    }
    let start = Instant::now();
    loop {
        thread::yield_now();
        if look() {
            return true;
        }
        if start.elapsed() >= PATIENCE {
            return false;
        }
    }
}

/// Waits on `signal` up to the deadline; the caller looks again in any case.
pub(super) fn wait<'a, T>(
    signal: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Deadline,
) -> MutexGuard<'a, T> {
    match deadline.remaining() {
        None => signal.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(left) => {
            let waited = signal.wait_timeout(guard, left);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

/// Where the outcome of one job comes.
#[derive(Debug)]
pub(super) struct Promise<T> {
    state: Mutex<State<T>>,
    come: Condvar,
}

#[derive(Debug)]
struct State<T> {
    outcome: Option<Outcome<T>>,
    /// Whether there is, or was, an outcome.
    settled: bool,
    /// Whether somebody sleeps.
    awaited: bool,
}

impl<T> Promise<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                outcome: None,
                settled: false,
                awaited: false,
            }),
            come: Condvar::new(),
        }
    }

    /// Says how the job has ended; tells whether somebody is to be [woken](Self::wake) for it.
    #[inline]
    pub(super) fn settle(&self, outcome: Outcome<T>) -> bool {
        let mut state = lock(&self.state);
        state.outcome = Some(outcome);
        state.settled = true;
        state.awaited
    }

    /// Wakes those who sleep.
    pub(super) fn wake(&self) {
        self.come.notify_all();
    }

    /// Whether the job has ended by the deadline.
    pub(super) fn is_settled(&self, deadline: Deadline) -> bool {
        self.settled(deadline).settled
    }

    /// The outcome, once, if there is one by the deadline.
    pub(super) fn take(&self, deadline: Deadline) -> Outcome<T> {
        let mut state = self.settled(deadline);
        match (state.outcome.take(), state.settled) {
            (Some(outcome), _) => outcome,
            (None, true) => Err(JobError::Taken),
            (None, false) => Err(JobError::Pending),
        }
    }

    fn settled(&self, deadline: Deadline) -> MutexGuard<'_, State<T>> {
        let settled = || lock(&self.state).settled;
        if !settled() {
            linger(deadline, settled);
        }
        let mut state = lock(&self.state);
        while !state.settled && !deadline.has_passed() {
            state.awaited = true;
            state = wait(&self.come, state, deadline);
        }
        state
    }
}
