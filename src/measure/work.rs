//! What peers do with the ends that they have. Generic, so that it can also be compiled for one transport's own types.

use hdrhistogram::Histogram;

use crate::{
    Deadline, Receiver, Sender, clock,
    measure::{
        fault::Fault,
        lifeline,
        message::{self, Ledger, SEQUENCE_BITS, Tally},
        workload::{Amount, Shape, Workload},
    },
};

/// How many bytes go between two looks at the clock.
const STRETCH: usize = 256 << 10;
/// How many messages go between two looks at the clock, at most.
const MOST_BETWEEN_LOOKS: usize = 64;

/// What a peer knows of the work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// The workload.
    pub(super) workload: Workload,
    /// Which of the producers or consumers this is.
    pub(super) index: u16,
    /// Whether messages are written where the receiver will read them.
    pub(super) lend: bool,
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
    const fn shape(&self) -> Shape {
        self.workload.shape
    }

    /// The message that ends a producer's sending: of a length that no other has.
    const fn mark(&self) -> &'static [u8] {
        match self.workload.size {
            0 => &[0],
            _ => &[],
        }
    }

    /// Writes message `number` and sends it.
    #[inline]
    fn post<S: Sender + ?Sized>(
        &self,
        tx: &mut S,
        buffer: &mut [u8],
        number: u64,
    ) -> Result<(), Fault> {
        let size = self.workload.size;
        if self.lend {
            message::write(number, tx.reserve(size, Deadline::NEVER)?);
            tx.commit(size)?;
        } else {
            message::write(number, buffer);
            tx.send_by(buffer, Deadline::NEVER)?;
        }
        Ok(())
    }

    /// Sends `amount` messages, then a mark for each consumer.
    pub(super) fn produce<S: Sender + ?Sized>(
        &self,
        tx: &mut S,
        amount: Amount,
    ) -> Result<Tally, Fault> {
        let size = self.workload.size;
        let mut buffer = vec![0; size];
        let stretch = (STRETCH / size.max(1)).clamp(1, MOST_BETWEEN_LOOKS) as u64;
        let mut number = u64::from(self.index) << SEQUENCE_BITS;
        let mut tally = Tally {
            start: clock::now(),
            ..Tally::default()
        };
        let until = Until::new(amount, number, tally.start);
        while number < until.number {
            let stop = number.saturating_add(stretch).min(until.number);
            while number < stop {
                self.post(tx, &mut buffer, number)?;
                lifeline::beat(number);
                tally.add(message::visible(number, size));
                number += 1;
            }
            if until.time != u64::MAX && clock::now() >= until.time || lifeline::is_cut() {
                break;
            }
        }
        for _ in 0..self.shape().consumers.get() {
            tx.send(self.mark())?;
        }
        tally.end = clock::now();
        Ok(tally)
    }

    /// Receives, and checks, until a mark of each producer came.
    ///
    /// Each producer sends as many marks as there are consumers, behind all that it sends; so
    /// when every consumer has as many as there are producers, nothing is left.
    pub(super) fn consume<R: Receiver + ?Sized>(&self, rx: &mut R) -> Result<Tally, Fault> {
        let shape = self.shape();
        let producers = shape.producers.get();
        let mut ledger = Ledger::new(self.workload.size, producers, shape.consumers.get());
        let mut marks = 0;
        while marks < producers {
            let message = rx.peek(Deadline::NEVER)?;
            if message.len() == self.mark().len() {
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

    /// Sends a message, waits for its echo, and again; then a mark. Each is timed.
    pub(super) fn ping<S: Sender + ?Sized, R: Receiver + ?Sized>(
        &self,
        tx: &mut S,
        rx: &mut R,
        amount: Amount,
        latencies: &mut Histogram<u64>,
    ) -> Result<Tally, Fault> {
        let size = self.workload.size;
        let mut buffer = vec![0; size];
        let mut tally = Tally {
            start: clock::now(),
            ..Tally::default()
        };
        let until = Until::new(amount, 0, tally.start);
        let mut number = 0;
        while number < until.number {
            let sent = clock::now();
            self.post(tx, &mut buffer, number)?;
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
            latencies.saturating_record(came.saturating_sub(sent));
            lifeline::beat(number);
            tally.add(message::visible(number, size));
            number += 1;
            if came >= until.time || lifeline::is_cut() {
                break;
            }
        }
        tally.end = clock::now();
        tx.send(self.mark())?;
        Ok(tally)
    }

    /// Sends back what comes, until a mark.
    pub(super) fn echo<S: Sender + ?Sized, R: Receiver + ?Sized>(
        &self,
        tx: &mut S,
        rx: &mut R,
    ) -> Result<Tally, Fault> {
        let mut tally = Tally::default();
        loop {
            let message = rx.peek(Deadline::NEVER)?;
            if message.len() == self.mark().len() {
                rx.consume();
                return Ok(tally);
            }
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
    }
}
