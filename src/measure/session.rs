//! A channel that real processes have open, ready to be measured.

use std::{env, time::Duration};

use crate::{
    Address, BoxChannel, BoxReceiver, BoxSender, Channel, End, Endpoint, Fan, Registry, clock,
    measure::{
        control::{Order, Pace},
        cores,
        cost::{Cost, Costs},
        distance::Distance,
        fault::{Fault, SessionError},
        floor::Floor,
        latencies::Latencies,
        link::Side,
        message::{Lengths, SEQUENCE_BITS, Tally},
        peer::{self, Role},
        place,
        plan::Plan,
        round::{Delay, Flow},
        running::Running,
        sizes::Sizes,
        wait,
        workload::{Amount, Shape, Workload},
    },
};

/// Real processes at the ends of a channel: producers and consumers, each a run of this same program.
///
/// A second channel of the same kind goes back from the first consumer to the first producer, for round trips; if messages
/// are answered, one from all consumers to each producer. The peers end with the session, whatever ends it, and the channels with them. The program must call
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
    /// There, and back.
    channels: Vec<BoxChannel>,
    /// Whether the first producer and the first consumer are kept to two cores, so that these have a distance.
    apart: bool,
    /// How often a floor was played.
    turn: u64,
    /// What ended the session, if something did.
    fault: Option<Fault>,
}

/// A channel under a name of its own, and both its ends.
type Opened = (BoxChannel, BoxSender, BoxReceiver);

fn open(registry: &Registry, address: &Address) -> Result<Opened, SessionError> {
    let channel = registry.channel(&place::unique(registry, address))?;
    let (tx, rx) = channel.pair()?;
    Ok((channel, tx, rx))
}

/// Whether the workload is one for this channel.
fn check(channel: &BoxChannel, tx: &BoxSender, workload: &Workload) -> Result<(), SessionError> {
    /// Bytes of a message that tell its number.
    const NUMBER: usize = 8;

    let Shape {
        producers,
        consumers,
    } = workload.shape;
    let (many, several) = (producers.get() > 1, consumers.get() > 1);
    let can = channel.capabilities();
    if !can.gives_each_once() {
        return Err(SessionError::Lossy);
    }
    // Those who answer send.
    if can.senders == Fan::One && (many || several && workload.reply) {
        return Err(SessionError::Fan(End::Sender));
    }
    if can.receivers == Fan::One && several {
        return Err(SessionError::Fan(End::Receiver));
    }
    let sizes = &workload.sizes;
    let is_told_by_number = workload.reply || workload.arrivals().is_some();
    if is_told_by_number && (many || several) && sizes.least() < NUMBER {
        return Err(SessionError::TooShort { min: NUMBER });
    }
    let max = tx.limits().max_message.min(Sizes::MOST);
    let mark = Lengths::new(sizes.clone(), producers.get()).mark();
    if sizes.most().max(mark) > max {
        return Err(SessionError::TooLarge { max });
    }
    Ok(())
}

/// What peers did together, and what it cost.
fn sum(peers: &mut [Running], latencies: &mut Latencies) -> Result<(Tally, Cost), Fault> {
    let nothing = Tally {
        start: u64::MAX,
        ..Tally::default()
    };
    let start = (nothing, Cost::default());
    peers.iter_mut().try_fold(start, |(tally, cost), peer| {
        let (more, added) = peer.measured(latencies)?;
        Ok((tally.and(more), cost.and(added)))
    })
}

/// Gives an order to peers that receive, and waits until they are at it.
fn prepare(peers: &mut [Running], order: Order) -> Result<(), Fault> {
    peers.iter_mut().try_for_each(|peer| peer.order(order))?;
    peers.iter_mut().try_for_each(Running::ready)
}

/// The part of an amount that each of so many peers has.
fn parts(amount: Amount, peers: usize) -> impl Iterator<Item = Amount> {
    let peers = peers as u64;
    (0..peers).map(move |index| match amount {
        Amount::Messages(count) => {
            let count = count.min(1 << SEQUENCE_BITS);
            Amount::Messages(count / peers + u64::from(index < count % peers))
        }
        time @ Amount::Time(_) => time,
    })
}

/// What is wrong if those who answer saw `received` of what was sent: each answer was checked by who got it.
const fn answered(sent: &Tally, received: &Tally) -> Result<(), Fault> {
    if sent.count == received.count {
        return Ok(());
    }
    Err(Fault::Miscounted {
        sent: sent.count,
        received: received.count,
    })
}

impl Session {
    /// Opens a channel of this kind and starts the peers. The name in the address, if there is one, is not used: the
    /// channel gets one that nobody else has. Where its transport gives the choice and the address does not say, its ends
    /// wait as the workload says.
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
        let address = &wait::waiting(registry, address, workload.wait);
        let (there, tx, rx) = open(registry, address)?;
        check(&there, &tx, workload)?;
        let Shape {
            producers,
            consumers,
        } = workload.shape;
        let answered = if workload.reply { producers.get() } else { 1 };
        let mut channels = vec![there];
        let (mut back_txs, mut back_rxs) = (Vec::new(), Vec::new());
        for _ in 0..answered {
            let (back, tx, rx) = open(registry, address)?;
            channels.push(back);
            back_txs.push(tx);
            back_rxs.push(rx);
        }
        let allowed = cores::allowed();
        let crowded = workload.shape.processes() > allowed.len();
        let pinned = if plan.pin { allowed } else { Vec::new() };
        let mut session = Self {
            workload: workload.clone(),
            producers: Vec::new(),
            consumers: Vec::new(),
            channels,
            apart: cores::of_producer(&pinned, 0) != cores::of_consumer(&pinned, 0),
            turn: 0,
            fault: None,
        };
        let role = |index, core| Role {
            workload: workload.clone(),
            index,
            core,
            crowded,
        };
        let mut sides = Side::pair().map_err(SessionError::Spawn)?.map(Some);
        let [leads, follows] = &mut sides;
        for index in 0..producers.get() {
            let rx = back_rxs.get(usize::from(index));
            let role = role(index, cores::of_producer(&pinned, index));
            let peer = Running::start(&role, &[&tx], rx, leads.take())?;
            session.producers.push(peer);
        }
        for index in 0..consumers.get() {
            let answers = workload.reply || index == 0;
            let txs: Vec<&BoxSender> = back_txs.iter().filter(|_| answers).collect();
            let role = role(index, cores::of_consumer(&pinned, index));
            let peer = Running::start(&role, &txs, Some(&rx), follows.take())?;
            session.consumers.push(peer);
        }
        drop((tx, rx, back_txs, back_rxs));
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

    /// Closed loop, as many messages as go through: lets all producers send, all consumers receive, and checks that each
    /// message came once, in order and whole. If messages are answered each producer waits for the answer before it sends
    /// the next.
    ///
    /// # Errors
    /// The fault of the channel; then the session is over, and tells it again.
    pub fn throughput(&mut self, amount: Amount) -> Result<Flow, SessionError> {
        let is_answered = self.workload.reply;
        let ((sent, costs), distance) = self.attempt(|session| {
            if is_answered {
                session.ping(amount, session.producers.len(), &mut Latencies::new())
            } else {
                session.produce(amount)
            }
        })?;
        Ok(Flow {
            messages: sent.count,
            bytes: sent.bytes,
            seconds: sent.seconds(),
            costs,
            distance,
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

    /// Closed loop, one message at a time: lets the first producer send a message, wait for its echo from the first
    /// consumer, and again.
    ///
    /// # Errors
    /// As for [`throughput`](Self::throughput).
    pub fn roundtrip(&mut self, amount: Amount) -> Result<Delay, SessionError> {
        let mut latencies = Latencies::new();
        let ((tally, costs), distance) =
            self.attempt(|session| session.ping(amount, 1, &mut latencies))?;
        Ok(Delay {
            latencies,
            seconds: tally.seconds(),
            costs,
            distance,
        })
    }

    /// Open loop: messages are sent at times that are fixed beforehand, `rate` a second of all producers together, and
    /// their latency counts from then, however late they are sent. It ends when a consumer has them, or with answers when the
    /// producer has the answer. A trace keeps its rhythm. What goes through too slowly to be sent in twice the time is
    /// left out, which shows in the rate.
    ///
    /// # Errors
    /// As for [`throughput`](Self::throughput); [`Rate`](SessionError::Rate) for a rate that is not above 0.
    pub fn arrivals(&mut self, rate: f64, amount: Amount) -> Result<Delay, SessionError> {
        if !(rate.is_finite() && rate > 0.0) {
            return Err(SessionError::Rate);
        }
        let mut latencies = Latencies::new();
        let ((tally, costs), distance) =
            self.attempt(|session| session.arrive(rate, amount, &mut latencies))?;
        let planned = match amount {
            Amount::Messages(count) => count as f64 / rate,
            Amount::Time(time) => time.as_secs_f64(),
        };
        Ok(Delay {
            latencies,
            seconds: tally.seconds().max(planned),
            costs,
            distance,
        })
    }

    /// Plays a floor; `None` if that needs two cores and there is one.
    pub(super) fn floor(&mut self, floor: Floor) -> Result<Option<f64>, SessionError> {
        self.tried(|session| session.play(floor))
    }

    fn produce(&mut self, amount: Amount) -> Result<(Tally, Costs), Fault> {
        prepare(&mut self.consumers, Order::Consume)?;
        let parts = parts(amount, self.producers.len());
        for (producer, part) in self.producers.iter_mut().zip(parts) {
            producer.order(Order::Produce(part))?;
        }
        let mut none = Latencies::new();
        let (sent, producers) = sum(&mut self.producers, &mut none)?;
        let (received, consumers) = sum(&mut self.consumers, &mut none)?;
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

    /// The first `producers` ping; as many consumers as answer them echo.
    fn ping(
        &mut self,
        amount: Amount,
        producers: usize,
        latencies: &mut Latencies,
    ) -> Result<(Tally, Costs), Fault> {
        // One producer of several has nobody but the first consumer to answer it alone.
        let echoes = match producers {
            1 => self.consumers.get_mut(..1),
            _ => self.consumers.get_mut(..),
        };
        let (Some(echoes), Some(pings)) = (echoes, self.producers.get_mut(..producers)) else {
            return Err(Fault::Stalled);
        };
        let marks = |peers: &[Running]| u16::try_from(peers.len()).unwrap_or(u16::MAX);
        let (ends, begins) = (marks(echoes), marks(pings));
        prepare(echoes, Order::Echo { marks: begins })?;
        let parts = parts(amount, pings.len());
        for (ping, part) in pings.iter_mut().zip(parts) {
            let order = Order::Ping {
                amount: part,
                marks: ends,
            };
            ping.order(order)?;
        }
        let (sent, producers) = sum(pings, latencies)?;
        let (received, consumers) = sum(echoes, latencies)?;
        answered(&sent, &received)?;
        let costs = Costs {
            producers,
            consumers,
        };
        Ok((sent, costs))
    }

    fn arrive(
        &mut self,
        rate: f64,
        amount: Amount,
        latencies: &mut Latencies,
    ) -> Result<(Tally, Costs), Fault> {
        /// How long it takes a producer, and all of them, to wake up and know what is due.
        const LEAD: Duration = Duration::from_millis(1);
        const LEAD_OF_EACH: Duration = Duration::from_micros(200);

        let is_answered = self.workload.reply;
        let order = if is_answered {
            let marks = u16::try_from(self.producers.len()).unwrap_or(u16::MAX);
            Order::Echo { marks }
        } else {
            Order::Collect { rate }
        };
        prepare(&mut self.consumers, order)?;
        let each = LEAD_OF_EACH.saturating_mul(self.workload.shape.producers.get().into());
        let start = clock::now().saturating_add(clock::nanos(LEAD + each));
        if !is_answered {
            let begin = |peer: &mut Running| peer.order(Order::Begin(start));
            self.consumers.iter_mut().try_for_each(begin)?;
        }
        let pace = Pace { start, rate };
        let parts = parts(amount, self.producers.len());
        for (producer, part) in self.producers.iter_mut().zip(parts) {
            producer.order(if is_answered {
                Order::Exchange(part, pace)
            } else {
                Order::Arrive(part, pace)
            })?;
        }
        let (mut sent, producers) = sum(&mut self.producers, latencies)?;
        let (received, consumers) = sum(&mut self.consumers, latencies)?;
        if is_answered {
            answered(&sent, &received)?;
        } else {
            sent.compare(&received)?;
            sent.end = received.end;
        }
        let costs = Costs {
            producers,
            consumers,
        };
        Ok((sent, costs))
    }

    fn play(&mut self, floor: Floor) -> Result<Option<f64>, Fault> {
        let (Some(leads), Some(follows)) = (self.producers.first_mut(), self.consumers.first_mut())
        else {
            return Err(Fault::Stalled);
        };
        if floor == Floor::CacheLine && !self.apart {
            return Ok(None);
        }
        let turn = self.turn;
        self.turn += 1;
        let order = |leads| Order::Play { floor, turn, leads };
        follows.order(order(false))?;
        leads.order(order(true))?;
        let figure = leads.played()?;
        follows.played()?;
        Ok(Some(figure))
    }

    /// How far apart the cores of the first producer and the first consumer are now.
    fn distance(&mut self) -> Result<Option<Distance>, Fault> {
        let line = self.play(Floor::CacheLine)?;
        Ok(line.map(Distance::of))
    }

    /// Does it, between two looks at the distance between cores, and tells that if it did not change.
    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<(T, Option<Distance>), SessionError> {
        self.tried(|session| {
            let before = session.distance()?;
            let done = work(session)?;
            let after = session.distance()?;
            Ok((done, before.filter(|_| before == after)))
        })
    }

    fn tried<T>(
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
