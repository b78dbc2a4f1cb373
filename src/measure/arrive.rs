//! Open loops: messages at times that are fixed beforehand, each measured from when it was due.
//!
//! A sender that is late sends at once, and its being late counts: no message is left out or put off because the one
//! before it was slow. Times are those of the monotonic clock, which all processes of the machine share. Long gaps are slept
//! through, the last 100 us before a message is due are spun through; what that costs the sender is not counted.
//! Where processes share cores nobody spins: a sender sleeps until its message is due, and is as late as its wake-up.

use std::{thread, time::Duration};

use crate::{
    Deadline, Receiver, RecvError, SendError, Sender, clock,
    measure::{
        cost::Cost,
        fault::Fault,
        lifeline,
        message::{self, Ledger, SEQUENCE_BITS, Tally},
        recorder::Recorder,
        schedule::Schedule,
        work::Share,
        workload::Amount,
    },
};

/// How long before its message is due a sender is up again, in nanoseconds: several times what a wake-up takes.
const UP: u64 = 100_000;
/// Two looks at the clock that are further apart, in nanoseconds, had something else between them: what was taken from the core
/// cost this process nothing.
const GAP: u64 = 5_000;

/// Messages that arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrivals<'a> {
    pub(super) schedule: Schedule<'a>,
    /// When the last is due at the latest.
    until: u64,
    /// The number after the last.
    end: u64,
    /// When a sender gives up, although messages are due.
    give_up: u64,
}

impl<'a> Arrivals<'a> {
    /// So many messages of producer `index`, or as many as are due within a time.
    pub(super) fn new(schedule: Schedule<'a>, amount: Amount, index: u16) -> Self {
        let first = first(index);
        let start = schedule.due(0);
        match amount {
            Amount::Messages(count) => {
                let end = first.saturating_add(count);
                Self {
                    schedule,
                    until: u64::MAX,
                    end,
                    give_up: u64::MAX,
                }
            }
            Amount::Time(time) => {
                let time = clock::nanos(time);
                Self {
                    schedule,
                    until: start.saturating_add(time),
                    end: u64::MAX,
                    give_up: start.saturating_add(time.saturating_mul(2)),
                }
            }
        }
    }

    /// When message `number` is due; `None` if it is not to be sent, since there are no more or the time is long over.
    fn due(&self, number: u64, now: u64) -> Option<u64> {
        let due = self.schedule.due(number);
        let more = number < self.end && due < self.until && now < self.give_up;
        (more && !lifeline::is_cut()).then_some(due)
    }
}

/// The number of a producer's first message.
const fn first(index: u16) -> u64 {
    (index as u64) << SEQUENCE_BITS
}

impl Share {
    /// Waits until a message is due, and adds what the waiting cost.
    fn wait(&self, due: u64, now: u64, waiting: &mut Cost) {
        let left = due.saturating_sub(now);
        if self.crowded || left > 2 * UP {
            let before = Cost::so_far();
            let nap = left.saturating_sub(if self.crowded { 0 } else { UP });
            #[expect(clippy::disallowed_methods, reason = "a time is waited for, no event")]
            thread::sleep(Duration::from_nanos(nap));
            spin(now, due);
            *waiting = waiting.and(Cost::so_far().since(before));
        } else if left > 0 {
            waiting.cpu += spin(now, due);
        }
    }

    /// Sends each message when it is due, then the marks. Tells what waiting in between cost.
    pub(super) fn arrive<S: Sender + ?Sized>(
        &self,
        tx: &mut S,
        arrivals: &Arrivals<'_>,
    ) -> Result<(Tally, Cost), Fault> {
        let mut buffer = self.buffer();
        let mut number = first(self.index);
        let mut waiting = Cost::default();
        let mut tally = Tally {
            start: arrivals.schedule.due(0),
            ..Tally::default()
        };
        loop {
            let now = clock::now();
            let Some(due) = arrivals.due(number, now) else {
                break;
            };
            self.wait(due, now, &mut waiting);
            let size = self.post(tx, &mut buffer, number)?;
            lifeline::beat(number);
            tally.add(message::visible(number, size), size);
            number += 1;
        }
        for _ in 0..self.shape.consumers.get() {
            self.mark(tx)?;
        }
        tally.end = clock::now();
        Ok((tally, waiting))
    }

    /// Receives, and checks, until a mark of each producer came; notes how long after it was due each message came.
    /// `begin` tells when the first was due, after something came.
    pub(super) fn collect<'s, R: Receiver + ?Sized>(
        &self,
        rx: &mut R,
        begin: &mut dyn FnMut() -> Option<Schedule<'s>>,
        latencies: &mut Recorder,
    ) -> Result<Tally, Fault> {
        let producers = self.shape.producers.get();
        let mut ledger = Ledger::new(&self.lengths, self.shape.consumers.get());
        let mark = self.lengths.mark();
        let mut marks = 0;
        let mut schedule = None;
        while marks < producers {
            let message = rx.peek(Deadline::NEVER)?;
            let came = clock::now();
            if message.len() == mark {
                marks += 1;
            } else {
                let number = ledger.enter(message)?;
                schedule = schedule.or_else(&mut *begin);
                let Some(schedule) = &schedule else {
                    // The session is gone.
                    return Err(Fault::Stalled);
                };
                latencies.record(came.saturating_sub(schedule.due(number)));
                ledger.tally.end = came;
            }
            rx.consume();
            lifeline::beat(ledger.tally.count);
        }
        Ok(ledger.tally)
    }

    /// Sends each message when it is due, takes the answers as they come, then sends the marks; notes how long after its
    /// message was due each answer came. Tells what waiting in vain cost.
    pub(super) fn exchange<S: Sender + ?Sized, R: Receiver + ?Sized>(
        &self,
        tx: &mut S,
        rx: &mut R,
        arrivals: &Arrivals<'_>,
        latencies: &mut Recorder,
    ) -> Result<(Tally, Cost), Fault> {
        let mut buffer = self.buffer();
        let mut number = first(self.index);
        let mut waiting = Cost::default();
        let mut answers = Answers::new(self);
        let mut sent = Tally {
            start: arrivals.schedule.due(0),
            ..Tally::default()
        };
        loop {
            let now = clock::now();
            let due = arrivals.due(number, now);
            if due.is_some_and(|due| due <= now) {
                match self.offer(tx, &mut buffer, number) {
                    Ok(size) => {
                        lifeline::beat(number);
                        sent.add(message::visible(number, size), size);
                        number += 1;
                        continue;
                    }
                    Err(SendError::Full) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if due.is_none() && answers.tally.count == sent.count {
                break;
            }
            let deadline = match due {
                None => Deadline::NEVER,
                Some(due) if due > now.saturating_add(2 * UP) => {
                    Deadline::after(Duration::from_nanos(due - now - UP))
                }
                Some(_) => Deadline::NOW,
            };
            match rx.peek(deadline) {
                Ok(answer) => {
                    let came = clock::now();
                    let number = answers.enter(answer)?;
                    latencies.record(came.saturating_sub(arrivals.schedule.due(number)));
                    rx.consume();
                    answers.tally.end = came;
                    lifeline::beat(answers.tally.count);
                }
                Err(RecvError::Empty) if deadline == Deadline::NOW => {
                    waiting.cpu += spent(now, clock::now());
                    if self.crowded {
                        thread::yield_now();
                    }
                }
                Err(RecvError::Empty) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for _ in 0..self.shape.consumers.get() {
            self.mark(tx)?;
        }
        sent.compare(&answers.tally)?;
        sent.end = answers.tally.end;
        Ok((sent, waiting))
    }
}

/// The answers that a producer gets.
struct Answers<'a> {
    share: &'a Share,
    /// The number of the next one, if one consumer answers and so in order.
    next: Option<u64>,
    tally: Tally,
}

impl<'a> Answers<'a> {
    fn new(share: &'a Share) -> Self {
        let in_order = share.shape.consumers.get() == 1;
        Self {
            share,
            next: in_order.then_some(first(share.index)),
            tally: Tally::default(),
        }
    }

    /// Checks an answer, and tells its number.
    fn enter(&mut self, answer: &[u8]) -> Result<u64, Fault> {
        let found = message::number_of(answer);
        let number = self.next.unwrap_or(found);
        let sent = self.share.lengths.of(number);
        if answer.len() != sent {
            return Err(Fault::Resized {
                sent: sent as u64,
                received: answer.len() as u64,
            });
        }
        if number >> SEQUENCE_BITS != u64::from(self.share.index) || !message::is(number, answer) {
            return Err(Fault::Altered);
        }
        self.next = self.next.map(|next| next.wrapping_add(1));
        self.tally
            .add(message::visible(number, answer.len()), answer.len());
        Ok(number)
    }
}

/// Spins from now until then, and tells how many nanoseconds of the processor it took.
fn spin(now: u64, until: u64) -> u64 {
    let mut last = now;
    let mut took = 0;
    while last < until {
        std::hint::spin_loop();
        let now = clock::now();
        took += spent(last, now);
        last = now;
    }
    took
}

/// What a process that only looks at the clock has taken from the processor between two looks.
const fn spent(last: u64, now: u64) -> u64 {
    let between = now.saturating_sub(last);
    if between < GAP { between } else { 0 }
}
