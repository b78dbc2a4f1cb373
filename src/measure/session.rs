//! A channel that real processes have open, ready to be measured.

use std::{env, time::Duration};

use crate::{
    Address, BoxChannel, BoxReceiver, BoxSender, Channel, End, Endpoint, Fan, Registry,
    measure::{
        control::Order,
        cores,
        cost::{Cost, Costs},
        fault::{Fault, SessionError},
        latencies::Latencies,
        message::{SEQUENCE_BITS, Tally},
        peer::{self, Role},
        place,
        plan::Plan,
        round::{Delay, Flow},
        running::Running,
        sizes::Sizes,
        workload::{Amount, Shape, Workload},
    },
};

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
/// # let _ = (throughput.rate(), roundtrip.latencies.percentiles().p99);
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
    let max = tx.limits().max_message.min(Sizes::MOST);
    if workload.sizes.most() > max {
        return Err(SessionError::TooLarge { max });
    }
    Ok(())
}

/// What peers did together, and what it cost.
fn sum(peers: &mut [Running]) -> Result<(Tally, Cost), Fault> {
    let nothing = Tally {
        start: u64::MAX,
        ..Tally::default()
    };
    let start = (nothing, Cost::default());
    peers.iter_mut().try_fold(start, |(tally, cost), peer| {
        let (more, added) = peer.done()?;
        Ok((tally.and(more), cost.and(added)))
    })
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
            workload: workload.clone(),
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
            workload: workload.clone(),
            index,
            core,
        };
        for index in 0..workload.shape.producers.get() {
            let rx = (index == 0).then_some(&back_rx);
            let role = role(index, cores::of_producer(&cores, index));
            let peer = Running::start(&role, Some(&tx), rx)?;
            session.producers.push(peer);
        }
        for index in 0..workload.shape.consumers.get() {
            let tx = (index == 0).then_some(&back_tx);
            let role = role(index, cores::of_consumer(&cores, index));
            let peer = Running::start(&role, tx, Some(&rx))?;
            session.consumers.push(peer);
        }
        drop((tx, rx, back_tx, back_rx));
        let ready = session.peers().try_for_each(Running::ready);
        ready.map_err(|_| SessionError::Unanswered)?;
        Ok(session)
    }

    /// Every peer.
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
    pub fn throughput(&mut self, amount: Amount) -> Result<Flow, SessionError> {
        let (sent, costs) = self.attempt(|session| session.produce(amount))?;
        Ok(Flow {
            messages: sent.count,
            bytes: sent.bytes,
            seconds: sent.seconds(),
            costs,
            distance: None,
        })
    }

    /// How long `count` messages take, until the last was read and checked: for benchmarks that count.
    ///
    /// # Errors
    /// As for [`throughput`](Self::throughput).
    pub fn send(&mut self, count: u64) -> Result<Duration, SessionError> {
        let flow = self.throughput(Amount::Messages(count))?;
        Ok(Duration::from_secs_f64(flow.seconds))
    }

    /// Lets the first producer send a message, wait for its echo from the first consumer, and again.
    ///
    /// # Errors
    /// As for [`throughput`](Self::throughput).
    pub fn roundtrip(&mut self, amount: Amount) -> Result<Delay, SessionError> {
        let mut latencies = Latencies::new();
        let (tally, costs) = self.attempt(|session| session.ping(amount, &mut latencies))?;
        Ok(Delay {
            latencies,
            seconds: tally.seconds(),
            costs,
            distance: None,
        })
    }

    fn produce(&mut self, amount: Amount) -> Result<(Tally, Costs), Fault> {
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
        let (sent, producers) = sum(&mut self.producers)?;
        let (received, consumers) = sum(&mut self.consumers)?;
        sent.compare(&received)?;
        let tally = Tally {
            end: received.end,
            ..sent
        };
        let costs = Costs {
            producers,
            consumers,
        };
        Ok((tally, costs))
    }

    fn ping(&mut self, amount: Amount, latencies: &mut Latencies) -> Result<(Tally, Costs), Fault> {
        let (Some(first), Some(echo)) = (self.producers.first_mut(), self.consumers.first_mut())
        else {
            return Err(Fault::Stalled);
        };
        echo.order(Order::Echo)?;
        echo.ready()?;
        first.order(Order::Ping(amount))?;
        let (sent, producers) = first.measured(latencies)?;
        let (received, consumers) = echo.done()?;
        if sent.count != received.count {
            return Err(Fault::Miscounted {
                sent: sent.count,
                received: received.count,
            });
        }
        let costs = Costs {
            producers,
            consumers,
        };
        Ok((sent, costs))
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
