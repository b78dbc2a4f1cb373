//! The thread that takes answers in and settles their jobs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{
    BoxReceiver, Deadline, Endpoint, Receiver, RecvError,
    process::pool::{
        JobError,
        core::{Death, Shared, Stage},
        promise::{Outcome, lock},
        slots::{Departed, Sleeper},
        wire::{self, HEADER, Kind},
    },
    typed::Value,
};

/// How many answers it takes in before it gives their slots back and wakes who waits for them.
const BATCH: usize = 256;
/// How long no answer comes until who waits for room is woken for whatever there is.
const LULL: Duration = Duration::from_micros(30);

/// Reads a response. Reading one's own type may panic, and others wait for this thread.
#[inline]
fn read<T: Value>(bytes: &[u8]) -> Option<T> {
    catch_unwind(AssertUnwindSafe(|| T::read(bytes)))
        .ok()
        .flatten()
}

/// What the collector has in its hands.
struct Collector<T> {
    core: Shared<T>,
    /// The longest response.
    max: usize,
    /// Slots to be given back.
    freed: Vec<u32>,
    sleepers: Vec<Sleeper<T>>,
    /// Whether the last answer was the last of all.
    over: bool,
}

/// Takes answers in until the keeper says that it is over.
pub(super) fn collect<T: Value>(core: Shared<T>, mut answers: BoxReceiver) {
    let mut collector = Collector {
        max: answers.limits().max_message.saturating_sub(HEADER),
        core,
        freed: Vec::new(),
        sleepers: Vec::new(),
        over: false,
    };
    let mut deadline = Deadline::NEVER;
    while !collector.over {
        let taken = answers.drain_by(BATCH, deadline, &mut |answer| {
            collector.take(answer);
        });
        match taken {
            Ok(_) => {
                collector.give_back(false);
                deadline = Deadline::after(LULL);
            }
            Err(RecvError::Empty) => {
                // Who waits for room is not to wait for more than there will be.
                collector.give_back(true);
                deadline = Deadline::NEVER;
            }
            Err(_) => {
                // Nobody can tell what else was lost.
                collector.core.end(Stage::Broken);
                break;
            }
        }
    }
    collector.finish();
}

impl<T: Value> Collector<T> {
    #[inline]
    fn take(&mut self, answer: &[u8]) {
        let Some((id, kind, rest)) = wire::read_answer(answer) else {
            // No worker of ours wrote this; the job, if it was one, ends with the pool.
            return;
        };
        match kind {
            Kind::Died => self.died(),
            Kind::Over => self.over = true,
            _ => {
                if let Some(job) = self.core.slots.leave(id) {
                    let outcome = self.outcome(kind, rest, job.number);
                    self.settle(job, outcome);
                }
            }
        }
    }

    #[inline]
    fn outcome(&self, kind: Kind, rest: &[u8], job: u64) -> Outcome<T> {
        match kind {
            Kind::Done => read(rest).ok_or(JobError::Unreadable { job }),
            Kind::Panicked => Err(match rest.split_first_chunk() {
                Some((pid, message)) => JobError::Panicked {
                    job,
                    worker: u32::from_le_bytes(*pid),
                    message: String::from_utf8_lossy(message).into_owned(),
                },
                None => JobError::Unreadable { job },
            }),
            Kind::TooLarge => Err(match rest.first_chunk() {
                Some(len) => JobError::TooLarge {
                    job,
                    len: u64::from_le_bytes(*len),
                    max: self.max,
                },
                None => JobError::Unreadable { job },
            }),
            Kind::Unencodable => Err(JobError::Unencodable { job }),
            Kind::Unreadable | Kind::Died | Kind::Over => Err(JobError::Unreadable { job }),
        }
    }

    #[inline]
    fn settle(&mut self, job: Departed<T>, outcome: Outcome<T>) {
        let sleeper = job.target.settle(outcome);
        self.sleepers.extend(sleeper);
        self.freed.push(job.slot);
    }

    /// A worker has died: what it had answered was taken in before.
    fn died(&mut self) {
        let death = lock(&self.core.deaths).pop_front();
        let Some(Death { job, pid, status }) = death else {
            return;
        };
        if let Some(job) = self.core.slots.leave(job) {
            let error = JobError::Died {
                job: job.number,
                worker: pid,
                status,
            };
            self.settle(job, Err(error));
        }
    }

    /// Gives slots back, and wakes who waits for results, or for room.
    fn give_back(&mut self, lull: bool) {
        self.core.give_back(&mut self.freed, lull);
        for sleeper in self.sleepers.drain(..) {
            sleeper.wake();
        }
    }

    /// Settles what nobody will do.
    fn finish(mut self) {
        let broken = self.core.stage() == Stage::Broken;
        let left: Vec<Departed<T>> = self.core.slots.clear().collect();
        for job in left {
            let error = match job.number {
                job if broken => JobError::Broken { job },
                job => JobError::Terminated { job },
            };
            self.settle(job, Err(error));
        }
        self.give_back(true);
        self.core.finish();
    }
}
