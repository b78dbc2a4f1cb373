//! What the threads of a pool share: the desk where jobs are submitted, the slots, and the way to the keeper.
//!
//! ```text
//!   callers --desk--> [jobs: shm+mpmc] --> workers --> [answers: shm+mpmc] --> collector --> slots --> callers
//!                                             ^                  ^
//!                                             +---- keeper ------+ starts, reaps, reports deaths
//! ```

use std::{
    collections::VecDeque,
    io::{PipeWriter, Write},
    mem,
    process::ExitStatus,
    sync::{Arc, Condvar, Mutex},
};

use crate::{
    BoxSender, Deadline, SendError, Sender,
    process::pool::{
        SubmitError,
        promise::{linger, lock, wait},
        slots::{Slots, Target},
        wire::{self, HEADER},
    },
    sync::{AtomicU32, AtomicU64, Ordering},
    typed::Value,
};

/// How far a pool has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It takes jobs.
    Open = 0,
    /// It takes no more, and does those that it has.
    Closed = 1,
    /// It shall end at once.
    Terminated = 2,
    /// It ends at once, since it cannot go on.
    Broken = 3,
}

/// Where jobs are submitted, by one thread at a time.
#[derive(Debug)]
struct Desk {
    /// `None` once the pool is closed.
    jobs: Option<BoxSender>,
    message: Vec<u8>,
    /// Free slots.
    free: Vec<u32>,
    /// How many jobs were submitted.
    submitted: u64,
}

/// What the collector gives back.
#[derive(Debug)]
struct Returned {
    free: Vec<u32>,
    /// Whether somebody waits for room.
    awaited: bool,
    /// Whether the collector has ended, after which nothing comes any more.
    over: bool,
}

/// A death, as the keeper reports it to the collector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// What the worker had in its hands, if it has not answered it.
    pub(super) job: u64,
    pub(super) pid: u32,
    pub(super) status: Option<ExitStatus>,
}

/// What the threads of a pool share.
#[derive(Debug)]
pub(super) struct Core<T> {
    pub(super) slots: Slots<T>,
    /// The names of the functions, in the order of their numbers.
    pub(super) functions: Vec<String>,
    desk: Mutex<Desk>,
    returned: Mutex<Returned>,
    /// Rung when something was returned, and at the end.
    came_back: Condvar,
    /// Counts what was returned, so that whoever has looked in vain sees whether that is still so.
    rounds: AtomicU64,
    stage: AtomicU32,
    /// Rings the keeper.
    keeper: Mutex<PipeWriter>,
    pub(super) deaths: Mutex<VecDeque<Death>>,
    /// The process ids of the workers that live.
    pub(super) pids: Mutex<Vec<u32>>,
}

/// Who can submit: the desk, open before one thread.
pub(super) struct Counter<'a, T> {
    core: &'a Core<T>,
    desk: std::sync::MutexGuard<'a, Desk>,
}

impl<T> Core<T> {
    pub(super) fn new(
        in_flight: u32,
        functions: Vec<String>,
        jobs: BoxSender,
        keeper: PipeWriter,
    ) -> Self {
        Self {
            slots: Slots::new(in_flight),
            functions,
            desk: Mutex::new(Desk {
                jobs: Some(jobs),
                message: Vec::new(),
                free: (0..in_flight).rev().collect(),
                submitted: 0,
            }),
            returned: Mutex::new(Returned {
                free: Vec::new(),
                awaited: false,
                over: false,
            }),
            came_back: Condvar::new(),
            rounds: AtomicU64::new(0),
            stage: AtomicU32::new(Stage::Open as u32),
            keeper: Mutex::new(keeper),
            deaths: Mutex::new(VecDeque::new()),
            pids: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        // ORDERING: Acquire; pairs with the AcqRel in `end`.
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Open,
            1 => Stage::Closed,
            2 => Stage::Terminated,
            _ => Stage::Broken,
        }
    }

    /// Takes the pool to this stage, unless it is further; no job is submitted from then on. Tells the keeper.
    pub(super) fn end(&self, stage: Stage) {
        // ORDERING: AcqRel; pairs with the Acquire in `stage`.
        self.stage.fetch_max(stage as u32, Ordering::AcqRel);
        let jobs = lock(&self.desk).jobs.take();
        // Its closing tells the workers, once they have done what is there.
        drop(jobs);
        self.give_back(&mut Vec::new(), true);
        // The keeper may have ended.
        let _ = lock(&self.keeper).write(&[0]);
    }

    /// The number of a function.
    pub(super) fn function(&self, name: &str) -> Result<u32, SubmitError> {
        let at = self.functions.iter().position(|known| known == name);
        let number = at.and_then(|at| u32::try_from(at).ok());
        number.ok_or_else(|| SubmitError::UnknownFunction {
            name: name.to_owned(),
            known: self.functions.clone(),
        })
    }

    /// What has been given back so far.
    pub(super) fn rounds(&self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in `give_back`: who sees the round sees its slots and its room.
        self.rounds.load(Ordering::Acquire)
    }

    /// Gives slots back. Wakes who waits for one in a `lull`, or when there are many: better once for several.
    pub(super) fn give_back(&self, slots: &mut Vec<u32>, lull: bool) {
        let mut returned = lock(&self.returned);
        returned.free.append(slots);
        // ORDERING: Release; pairs with the Acquire in `rounds`.
        self.rounds.fetch_add(1, Ordering::Release);
        let many = returned.free.len() >= self.slots.len() / 8;
        let wakes = (lull || many) && mem::take(&mut returned.awaited);
        drop(returned);
        if wakes {
            self.came_back.notify_all();
        }
    }

    /// Waits until something has been given back since `rounds`; `false` at the deadline.
    pub(super) fn wait_for_room(&self, rounds: u64, deadline: Deadline) -> bool {
        if linger(deadline, || self.rounds() != rounds) {
            return true;
        }
        let mut returned = lock(&self.returned);
        while self.rounds() == rounds {
            if deadline.has_passed() {
                return false;
            }
            returned.awaited = true;
            returned = wait(&self.came_back, returned, deadline);
        }
        true
    }

    /// Says that nothing comes any more.
    pub(super) fn finish(&self) {
        lock(&self.returned).over = true;
        self.came_back.notify_all();
    }

    /// Whether the pool has ended by the deadline.
    pub(super) fn is_over(&self, deadline: Deadline) -> bool {
        let mut returned = lock(&self.returned);
        while !returned.over && !deadline.has_passed() {
            returned.awaited = true;
            returned = wait(&self.came_back, returned, deadline);
        }
        returned.over
    }

    /// Comes to the desk.
    #[inline]
    pub(super) fn counter(&self) -> Counter<'_, T> {
        Counter {
            core: self,
            desk: lock(&self.desk),
        }
    }

    /// Submits a job, waiting for room up to the deadline; its number.
    pub(super) fn submit<Req: Value>(
        &self,
        function: u32,
        request: &Req,
        target: impl Fn() -> Target<T>,
        deadline: Deadline,
    ) -> Result<u64, SubmitError> {
        loop {
            let rounds = self.rounds();
            // The desk is free for others while this one waits.
            let submitted = self.counter().submit(function, request, &target);
            match submitted {
                Err(SubmitError::Full { in_flight }) => {
                    if deadline == Deadline::NOW || !self.wait_for_room(rounds, deadline) {
                        return Err(SubmitError::Full { in_flight });
                    }
                }
                done => return done,
            }
        }
    }
}

impl<T> Counter<'_, T> {
    /// Submits a job if there is room now; its number.
    #[inline]
    pub(super) fn submit<Req: Value>(
        &mut self,
        function: u32,
        request: &Req,
        target: impl FnOnce() -> Target<T>,
    ) -> Result<u64, SubmitError> {
        let core = self.core;
        let desk = &mut *self.desk;
        let Some(jobs) = &mut desk.jobs else {
            return Err(match core.stage() {
                Stage::Broken => SubmitError::Broken,
                _ => SubmitError::Closed,
            });
        };
        if desk.free.is_empty() {
            mem::swap(&mut desk.free, &mut lock(&core.returned).free);
        }
        let full = || SubmitError::Full {
            in_flight: core.slots.len(),
        };
        let slot = *desk.free.last().ok_or_else(full)?;
        // The id is not known yet.
        wire::start(&mut desk.message, 0, function);
        match request.plain() {
            Some(bytes) => desk.message.extend_from_slice(bytes),
            None => {
                let written = request.write(&mut desk.message);
                written.map_err(|_| SubmitError::Unencodable)?;
            }
        }
        let number = desk.submitted;
        let id = core.slots.enter(slot, number, target()).ok_or_else(full)?;
        if let Some(place) = desk.message.first_chunk_mut() {
            *place = id.to_le_bytes();
        }
        match jobs.send_by(&desk.message, Deadline::NOW) {
            Ok(()) => {
                desk.free.pop();
                desk.submitted += 1;
                Ok(number)
            }
            Err(error) => {
                // Nobody else has seen it.
                drop(core.slots.leave(id));
                Err(match error {
                    SendError::Full => full(),
                    SendError::TooLarge { max } => SubmitError::TooLarge {
                        max: max.saturating_sub(HEADER),
                    },
                    _ => SubmitError::Broken,
                })
            }
        }
    }
}

impl<T> std::fmt::Debug for Counter<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

/// Shared by the threads.
pub(super) type Shared<T> = Arc<Core<T>>;
