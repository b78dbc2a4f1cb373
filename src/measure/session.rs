//! A channel that real processes have open, ready to be measured.

use std::{env, time::Duration};

use hdrhistogram::Histogram;

use crate::{
    Address, BoxChannel, BoxReceiver, BoxSender, Channel, End, Endpoint, Fan, Registry,
    measure::{
        control::Order,
        cores,
        fault::{Fault, SessionError},
        message::{SEQUENCE_BITS, Tally},
        peer::{self, Role},
        place,
        running::Running,
        workload::{Amount, Plan, Shape, Workload},
    },
};

/// Messages that went from the producers to the consumers, every byte written, read and checked.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Throughput {
    /// How many.
    pub messages: u64,
    /// How many bytes they have, without headers.
    pub bytes: u64,
    /// From the first that a producer wrote to the last that a consumer read.
    pub time: Duration,
}

impl Throughput {
    /// Messages a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// Messages that went from the first producer to the first consumer and back, one after the other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Roundtrip {
    /// How long each took, in nanoseconds.
    pub latencies: Histogram<u64>,
    /// How long all took.
    pub time: Duration,
}

/// Real processes at the ends of a channel: producers and consumers, each a run of this same program.
///
/// A second channel of the same kind goes back from the first consumer to the first producer, for round trips. The
/// peers end with the session, whatever ends it, and the channels with them. The program must call
/// [`serve`](crate::measure::serve) first thing in `main`.
///
/// ```no_run
/// use laneway::{Registry, measure::{Amount, Plan, Session, Workload, serve}};
/// use std::time::Duration;
///
/// serve(&Registry::BUILTIN);
/// let plan = Plan::new(1, Duration::from_millis(100));
/// let address = "shm+lock:".parse()?;
/// let mut session = Session::start(&Registry::BUILTIN, &address, &Workload::new(64), &plan)?;
/// let throughput = session.throughput(Amount::Time(plan.time))?;
/// let roundtrip = session.roundtrip(Amount::Messages(1000))?;
/// # let _ = (throughput.rate(), roundtrip.latencies.value_at_quantile(0.99));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    workload: Workload,
    producers: Vec<Running>,
    consumers: Vec<Running>,
    /// There and back.
    channels: [BoxChannel; 2],
    /// What ended the session, if something did.
    fault: Option<Fault>,
}

/// A channel under a name of its own, and both its ends.
fn open(
    registry: &Registry,
    address: &Address,
) -> Result<(BoxChannel, BoxSender, BoxReceiver), SessionError> {
    let channel = registry.channel(&place::unique(registry, address))?;
    let (tx, rx) = channel.pair()?;
    Ok((channel, tx, rx))
}

/// Whether the workload is one for this channel.
fn check(channel: &BoxChannel, tx: &BoxSender, workload: &Workload) -> Result<(), SessionError> {
    let Shape {
        producers,
        consumers,
    } = workload.shape;
    let can = channel.capabilities();
    if can.senders == Fan::One && producers.get() > 1 {
        return Err(SessionError::Fan(End::Sender));
    }
    if can.receivers == Fan::One && consumers.get() > 1 {
        return Err(SessionError::Fan(End::Receiver));
    }
    let max = tx.limits().max_message.min(Workload::MOST_BYTES);
    if workload.size > max {
        return Err(SessionError::TooLarge { max });
    }
    Ok(())
}

impl Session {
    /// Opens a channel of this kind and starts the peers. The name in the address, if there is one, is not used: the
    /// channel gets one that nobody else has.
    ///
    /// # Errors
    /// What stands in the way. Nothing is left behind.
    pub fn start(
        registry: &Registry,
        address: &Address,
        workload: &Workload,
        plan: &Plan,
    ) -> Result<Self, SessionError> {
        if env::var_os(peer::VARIABLE).is_some() {
            return Err(SessionError::Nested);
        }
        let (there, tx, rx) = open(registry, address)?;
        check(&there, &tx, workload)?;
        let (back, back_tx, back_rx) = open(registry, address)?;
        let mut session = Self {
            workload: *workload,
            producers: Vec::new(),
            consumers: Vec::new(),
            channels: [there, back],
            fault: None,
        };
        let cores = if plan.pin {
            cores::allowed()
        } else {
            Vec::new()
        };
        let role = |index, core| Role {
            workload: *workload,
            index,
            core,
        };
        for index in 0..workload.shape.producers.get() {
            let rx = (index == 0).then_some(&back_rx);
            let role = role(index, cores::of_producer(&cores, index));
            let peer = Running::start(role, Some(&tx), rx)?;
            session.producers.push(peer);
        }
        for index in 0..workload.shape.consumers.get() {
            let tx = (index == 0).then_some(&back_tx);
            let role = role(index, cores::of_consumer(&cores, index));
            let peer = Running::start(role, tx, Some(&rx))?;
            session.consumers.push(peer);
        }
        drop((tx, rx, back_tx, back_rx));
        let ready = session.peers().try_for_each(Running::ready);
        ready.map_err(|_| SessionError::Unanswered)?;
        Ok(session)
    }

    fn peers(&mut self) -> impl Iterator<Item = &mut Running> {
        self.producers.iter_mut().chain(&mut self.consumers)
    }

    /// The workload that it was started for.
    #[must_use]
    pub const fn workload(&self) -> &Workload {
        &self.workload
    }

    /// Lets all producers send, all consumers receive, and checks that each message came once, in order and whole.
    ///
    /// # Errors
    /// The fault of the channel; then the session is over, and tells it again.
    pub fn throughput(&mut self, amount: Amount) -> Result<Throughput, SessionError> {
        let sent = self.attempt(|session| session.produce(amount))?;
        Ok(Throughput {
            messages: sent.count,
            bytes: sent.count.saturating_mul(self.workload.size as u64),
            time: Duration::from_nanos(sent.end.saturating_sub(sent.start)),
        })
    }

    /// How long `count` messages take, until the last was read and checked: for benchmarks that count.
    ///
    /// # Errors
    /// As for [`throughput`](Self::throughput).
    pub fn send(&mut self, count: u64) -> Result<Duration, SessionError> {
        Ok(self.throughput(Amount::Messages(count))?.time)
    }

    /// Lets the first producer send a message, wait for its echo from the first consumer, and again.
    ///
    /// # Errors
    /// As for [`throughput`](Self::throughput).
    pub fn roundtrip(&mut self, amount: Amount) -> Result<Roundtrip, SessionError> {
        let mut latencies = peer::histogram();
        let tally = self.attempt(|session| session.ping(amount, &mut latencies))?;
        Ok(Roundtrip {
            latencies,
            time: Duration::from_nanos(tally.end.saturating_sub(tally.start)),
        })
    }

    fn produce(&mut self, amount: Amount) -> Result<Tally, Fault> {
        for consumer in &mut self.consumers {
            consumer.order(Order::Consume)?;
        }
        for consumer in &mut self.consumers {
            consumer.ready()?;
        }
        let producers = self.producers.len() as u64;
        for (index, producer) in (0..).zip(&mut self.producers) {
            let part = match amount {
                Amount::Messages(count) => {
                    let count = count.min(1 << SEQUENCE_BITS);
                    Amount::Messages(count / producers + u64::from(index < count % producers))
                }
                time @ Amount::Time(_) => time,
            };
            producer.order(Order::Produce(part))?;
        }
        let nothing = Tally {
            start: u64::MAX,
            ..Tally::default()
        };
        let sum = |peers: &mut Vec<Running>| {
            peers
                .iter_mut()
                .try_fold(nothing, |sum, peer| peer.done().map(|tally| sum.and(tally)))
        };
        let sent = sum(&mut self.producers)?;
        let received = sum(&mut self.consumers)?;
        sent.compare(&received)?;
        Ok(Tally {
            end: received.end,
            ..sent
        })
    }

    fn ping(&mut self, amount: Amount, latencies: &mut Histogram<u64>) -> Result<Tally, Fault> {
        let (Some(first), Some(echo)) = (self.producers.first_mut(), self.consumers.first_mut())
        else {
            return Err(Fault::Stalled);
        };
        echo.order(Order::Echo)?;
        echo.ready()?;
        first.order(Order::Ping(amount))?;
        let sent = first.measured(latencies)?;
        let received = echo.done()?;
        if sent.count != received.count {
            return Err(Fault::Miscounted {
                sent: sent.count,
                received: received.count,
            });
        }
        Ok(sent)
    }

    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, SessionError> {
        if let Some(fault) = &self.fault {
            return Err(SessionError::Fault(fault.clone()));
        }
        work(self).map_err(|fault| {
            let fault = self.cause(fault);
            self.fault = Some(fault.clone());
            SessionError::Fault(fault)
        })
    }

    /// What the peers say, if `fault` may be no more than a consequence of it.
    fn cause(&mut self, fault: Fault) -> Fault {
        self.peers().for_each(Running::dismiss);
        if !fault.follows() {
            return fault;
        }
        let mut told = self.peers().filter_map(Running::last_words);
        told.find(|other| !other.follows()).unwrap_or(fault)
    }
}

impl Drop for Session {
    /// Ends the peers, then removes what they left.
    fn drop(&mut self) {
        self.peers().for_each(Running::dismiss);
        self.producers.clear();
        self.consumers.clear();
        for channel in &self.channels {
            // The last one out removed it, unless it was killed.
            let _ = channel.unlink();
        }
    }
}
