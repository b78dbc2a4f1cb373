//! Where the outcomes of many jobs are awaited.

use std::{
    mem,
    sync::{Condvar, Mutex},
};

use crate::{
    Deadline,
    process::pool::promise::{Outcome, linger, lock, wait},
};

/// Where outcomes of jobs come, each with the place that its job has among the others. One thread waits at a time.
#[derive(Debug)]
pub(super) struct Harvest<T> {
    state: Mutex<State<T>>,
    come: Condvar,
}

#[derive(Debug)]
struct State<T> {
    outcomes: Vec<(usize, Outcome<T>)>,
    /// How many outcomes a sleeper wants before it is woken; 0 if nobody sleeps.
    wanted: usize,
}

impl<T> Harvest<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                outcomes: Vec::new(),
                wanted: 0,
            }),
            come: Condvar::new(),
        }
    }

    /// Says how the job at `place` has ended; tells whether a sleeper is to be [woken](Self::wake) for it.
    #[inline]
    pub(super) fn settle(&self, place: usize, outcome: Outcome<T>) -> bool {
        let mut state = lock(&self.state);
        state.outcomes.push((place, outcome));
        let wakes = state.wanted != 0 && state.outcomes.len() >= state.wanted;
        if wakes {
            state.wanted = 0;
        }
        wakes
    }

    /// Wakes the sleeper.
    pub(super) fn wake(&self) {
        self.come.notify_all();
    }

    /// Exchanges what has come for `empty`, once there are `wanted`, or at the deadline.
    pub(super) fn take(
        &self,
        wanted: usize,
        deadline: Deadline,
        empty: &mut Vec<(usize, Outcome<T>)>,
    ) {
        let come = || lock(&self.state).outcomes.len() >= wanted;
        if !come() {
            linger(deadline, come);
        }
        let mut state = lock(&self.state);
        while state.outcomes.len() < wanted && !deadline.has_passed() {
            state.wanted = wanted;
            state = wait(&self.come, state, deadline);
        }
        state.wanted = 0;
        mem::swap(&mut state.outcomes, empty);
    }
}
