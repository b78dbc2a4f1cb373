//! What peers do with the ends that they have. Generic, so that it can also be compiled for one transport's own types.

use crate::{
    Deadline, Receiver, SendError, Sender, clock,
    measure::{
        fault::Fault,
        lifeline,
        message::{self, Ledger, Lengths, SEQUENCE_BITS, Tally},
        recorder::Recorder,
        workload::{Amount, Shape},
    },
};

/// How many bytes go between two looks at the clock.
const STRETCH: usize = 256 << 10;
/// How many messages go between two looks at the clock, at most.
const MOST_BETWEEN_LOOKS: usize = 64;

/// What a peer knows of the work.
#[derive(Clone, Debug)]
pub(super) struct Share {
    /// How many send and receive.
    pub(super) shape: Shape,
    /// How long each message is.
    pub(super) lengths: Lengths,
    /// Which of the producers or consumers this is.
    pub(super) index: u16,
    /// Whether messages are written where the receiver will read them.
    pub(super) lend: bool,
    /// Whether there are more processes than cores, so that who spins keeps another from its work.
    pub(super) crowded: bool,
}

/// When to stop.
struct Until {
    number: u64,
    time: u64,
}

impl Until {
    fn new(amount: Amount, first: u64, start: u64) -> Self {
        match amount {
            Amount::Messages(count) => Self {
                number: first.saturating_add(count),
                time: u64::MAX,
            },
            Amount::Time(time) => Self {
                number: u64::MAX,
                time: start.saturating_add(clock::nanos(time)),
            },
        }
    }
}

impl Share {
    /// A message of any length.
    pub(super) fn buffer(&self) -> Vec<u8> {
        vec![0; self.lengths.most()]
    }

    /// Sends the message that ends a producer's sending.
    pub(super) fn mark<S: Sender + ?Sized>(&self, tx: &mut S) -> Result<(), Fault> {
        Ok(tx.send(&vec![0; self.lengths.mark()])?)
    }

    /// Writes message `number` and sends it, and tells its size.
    #[inline]
    pub(super) fn post<S: Sender + ?Sized>(
        &self,
        tx: &mut S,
        buffer: &mut [u8],
        number: u64,
    ) -> Result<usize, Fault> {
        let size = self.lengths.of(number);
        if self.lend {
            message::write(number, tx.reserve(size, Deadline::NEVER)?);
            tx.commit(size)?;
        } else {
            let buffer = buffer.get_mut(..size).unwrap_or_default();
            message::write(number, buffer);
            tx.send_by(buffer, Deadline::NEVER)?;
        }
        Ok(size)
    }

    /// The same, if there is room at once.
    pub(super) fn offer<S: Sender + ?Sized>(
        &self,
        tx: &mut S,
        buffer: &mut [u8],
        number: u64,
    ) -> Result<usize, SendError> {
        let size = self.lengths.of(number);
        if self.lend {
            message::write(number, tx.reserve(size, Deadline::NOW)?);
            tx.commit(size)?;
        } else {
            let buffer = buffer.get_mut(..size).unwrap_or_default();
            message::write(number, buffer);
            tx.send_by(buffer, Deadline::NOW)?;
        }
        Ok(size)
    }

    /// Sends `amount` messages, then a mark for each consumer.
    pub(super) fn produce<S: Sender + ?Sized>(
        &self,
        tx: &mut S,
        amount: Amount,
    ) -> Result<Tally, Fault> {
        let mut buffer = self.buffer();
        let typical = self.lengths.typical();
        let stretch = (STRETCH / typical).clamp(1, MOST_BETWEEN_LOOKS) as u64;
        let mut number = u64::from(self.index) << SEQUENCE_BITS;
        let mut tally = Tally {
            start: clock::now(),
            ..Tally::default()
        };
        let until = Until::new(amount, number, tally.start);
        while number < until.number {
            let stop = number.saturating_add(stretch).min(until.number);
            while number < stop {
                let size = self.post(tx, &mut buffer, number)?;
                lifeline::beat(number);
                tally.add(message::visible(number, size), size);
                number += 1;
            }
            if until.time != u64::MAX && clock::now() >= until.time || lifeline::is_cut() {
                break;
            }
        }
        for _ in 0..self.shape.consumers.get() {
            self.mark(tx)?;
        }
        tally.end = clock::now();
        Ok(tally)
    }

    /// Receives, and checks, until a mark of each producer came.
    ///
    /// Each producer sends as many marks as there are consumers, behind all that it sends; so
    /// when every consumer has as many as there are producers, nothing is left.
    pub(super) fn consume<R: Receiver + ?Sized>(&self, rx: &mut R) -> Result<Tally, Fault> {
        let producers = self.shape.producers.get();
        let mut ledger = Ledger::new(&self.lengths, self.shape.consumers.get());
        let mark = self.lengths.mark();
        let mut marks = 0;
        while marks < producers {
            let message = rx.peek(Deadline::NEVER)?;
            if message.len() == mark {
                marks += 1;
            } else {
                ledger.enter(message)?;
            }
            rx.consume();
            lifeline::beat(ledger.tally.count);
        }
        ledger.tally.end = clock::now();
        Ok(ledger.tally)
    }

    /// Sends a message, waits for its echo, and again; then so many marks. Each is timed.
    pub(super) fn ping<S: Sender + ?Sized, R: Receiver + ?Sized>(
        &self,
        tx: &mut S,
        rx: &mut R,
        amount: Amount,
        marks: u16,
        latencies: &mut Recorder,
    ) -> Result<Tally, Fault> {
        let mut buffer = self.buffer();
        let mut tally = Tally {
            start: clock::now(),
            ..Tally::default()
        };
        let mut number = u64::from(self.index) << SEQUENCE_BITS;
        let until = Until::new(amount, number, tally.start);
        while number < until.number {
            let sent = clock::now();
            let size = self.post(tx, &mut buffer, number)?;
            let echo = rx.peek(Deadline::NEVER)?;
            if echo.len() != size {
                return Err(Fault::Resized {
                    sent: size as u64,
                    received: echo.len() as u64,
                });
            }
            if !message::is(number, echo) {
                return Err(Fault::Altered);
            }
            rx.consume();
            let came = clock::now();
            latencies.record(came.saturating_sub(sent));
            lifeline::beat(number);
            tally.add(message::visible(number, size), size);
            number += 1;
            if came >= until.time || lifeline::is_cut() {
                break;
            }
        }
        tally.end = clock::now();
        for _ in 0..marks {
            self.mark(tx)?;
        }
        Ok(tally)
    }

    /// Sends back what comes, to whom it came from, until so many marks.
    pub(super) fn echo<S: Sender, R: Receiver + ?Sized>(
        &self,
        back: &mut [S],
        rx: &mut R,
        marks: u16,
    ) -> Result<Tally, Fault> {
        let mut tally = Tally::default();
        let mark = self.lengths.mark();
        let mut left = marks;
        while left > 0 {
            let message = rx.peek(Deadline::NEVER)?;
            if message.len() == mark {
                rx.consume();
                left -= 1;
                continue;
            }
            let producer = match back.len() {
                1 => 0,
                _ => usize::try_from(message::number_of(message) >> SEQUENCE_BITS)
                    .unwrap_or(usize::MAX),
            };
            let Some(tx) = back.get_mut(producer) else {
                return Err(Fault::Altered);
            };
            if self.lend {
                tx.reserve(message.len(), Deadline::NEVER)?
                    .copy_from_slice(message);
                tx.commit(message.len())?;
            } else {
                tx.send_by(message, Deadline::NEVER)?;
            }
            rx.consume();
            tally.count += 1;
            lifeline::beat(tally.count);
        }
        Ok(tally)
    }
}
