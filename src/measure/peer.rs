//! What a peer of a session does. It is the program of the session itself, run again.

use std::{env, num::NonZeroU16, process, str::FromStr, time::Duration};

use nix::sys::prctl::set_timerslack;

use crate::{
    Address, BoxChannel, BoxReceiver, BoxSender, Channel, Endpoint, ReceiverExt, Registry,
    SenderExt,
    measure::{
        arrive::Arrivals,
        control::{ORDERS, Order, OrderWords, Pace, REPLIES, Reply, ReplyWords, Told},
        cores,
        cost::Cost,
        fault::Fault,
        lifeline,
        link::Link,
        message::{Lengths, Tally},
        recorder::Recorder,
        schedule::Schedule,
        sizes::Sizes,
        trace::{Recorded, Trace},
        work::Share,
        workload::{Shape, Workload},
    },
    process::{inherited_receiver, inherited_sender, take},
    typed::{PodReceiver, PodSender},
};

/// Tells a peer its [`Role`].
pub(super) const VARIABLE: &str = "LANEWAY_MEASURE_PEER";
/// The key of an end that a peer sends with: a producer has one, a consumer one for each producer that it answers.
pub(super) fn sender(index: usize) -> String {
    format!("measure.tx.{index}")
}
/// The key of the end that a peer receives with.
pub(super) const RECEIVER: &str = "measure.rx";

/// What a peer is told when it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Role {
    /// The workload. A trace is told apart from the rest, by orders: it may be long.
    pub(super) workload: Workload,
    /// Which of the producers or consumers it is.
    pub(super) index: u16,
    /// The core to stay on.
    pub(super) core: Option<usize>,
    /// Whether there are more processes than cores.
    pub(super) crowded: bool,
}

/// What stands for a number that there is not.
const NONE: &str = "-";

/// Reads a number that there may not be.
fn option<T: FromStr>(word: &str) -> Option<Option<T>> {
    if word == NONE {
        return Some(None);
    }
    word.parse().ok().map(Some)
}

impl Role {
    /// As the value of [`VARIABLE`].
    pub(super) fn to_text(&self) -> String {
        let Shape {
            producers,
            consumers,
        } = self.workload.shape;
        let (least, most) = match &self.workload.sizes {
            // Told later: so many messages.
            Sizes::Trace(trace) => (NONE.to_owned(), trace.len()),
            sizes => (sizes.least().to_string(), sizes.most()),
        };
        let core = self
            .core
            .map_or_else(|| NONE.to_owned(), |core| core.to_string());
        let (index, crowded) = (self.index, u8::from(self.crowded));
        format!("{least} {most} {producers} {consumers} {index} {core} {crowded}")
    }

    /// `know` tells the messages of a trace, if it is one.
    fn from_text(text: &str, mut know: impl FnMut() -> Option<Recorded>) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let least: Option<usize> = option(next()?)?;
        let most: usize = next()?.parse().ok()?;
        let producers: NonZeroU16 = next()?.parse().ok()?;
        let consumers: NonZeroU16 = next()?.parse().ok()?;
        let index = next()?.parse().ok()?;
        let core = option(next()?)?;
        let crowded = next()? == "1";
        let sizes = match least {
            None => {
                let recorded: Option<Vec<Recorded>> = (0..most).map(|_| know()).collect();
                Sizes::Trace(Trace::new(recorded?).ok()?)
            }
            Some(least) if least < most => Sizes::Range(least..=most),
            Some(_) => Sizes::Fixed(most),
        };
        let shape = Shape {
            producers,
            consumers,
        };
        Some(Self {
            workload: Workload::of(sizes).shape(shape),
            index,
            core,
            crowded,
        })
    }
}

/// Plays a peer's role and ends the process, if this process is a peer of a session. First thing in `main`.
///
/// A peer is this same program run again, so a program that measures begins with this line.
///
/// ```no_run
/// use laneway::{Registry, measure};
///
/// fn main() {
///     measure::serve(&Registry::BUILTIN);
///     // Whatever the program does. Only the first process gets here.
/// }
/// ```
pub fn serve(registry: &Registry) {
    let Ok(text) = env::var(VARIABLE) else {
        return;
    };
    process::exit(match play(&text, registry) {
        Some(()) => 0,
        None => 1,
    });
}

/// The ends of a peer. A peer that plays no part in round trips lacks some.
struct Ends {
    tx: Vec<BoxSender>,
    rx: Option<BoxReceiver>,
    /// Only the first producer and the first consumer have one.
    link: Option<Link>,
}

/// Opens what was given to this process.
fn ends(registry: &Registry) -> Option<(Ends, Vec<BoxChannel>, bool)> {
    let mut channels = Vec::new();
    let mut open = |address: &Address| -> Option<BoxChannel> {
        channels.push(registry.channel(address).ok()?);
        registry.channel(address).ok()
    };
    let mut ends = Ends {
        tx: Vec::new(),
        rx: None,
        link: Link::take(),
    };
    let mut lend = false;
    while let Ok(handoff) = take(&sender(ends.tx.len())) {
        let channel = open(&handoff.address)?;
        lend = channel.capabilities().zero_copy_send;
        ends.tx.push(channel.adopt_sender(handoff).ok()?);
    }
    if let Ok(handoff) = take(RECEIVER) {
        let channel = open(&handoff.address)?;
        ends.rx = Some(channel.adopt_receiver(handoff).ok()?);
    }
    Some((ends, channels, lend))
}

fn play(text: &str, registry: &Registry) -> Option<()> {
    let orders = inherited_receiver(ORDERS).ok()?;
    let replies = inherited_sender(REPLIES).ok()?;
    let (ends, channels, lend) = ends(registry)?;
    lifeline::tie(orders.as_fd()?, channels).ok()?;
    let mut orders = orders.pod().ok()?;
    let role = Role::from_text(text, || match Order::from_words(orders.recv().ok()?)? {
        Order::Know(recorded) => Some(recorded),
        _ => None,
    })?;
    if let Some(core) = role.core {
        // Measured elsewhere is still measured.
        let _ = cores::stay_on(core);
    }
    // Sleeping until a time is to end then, not when it suits the system.
    let _ = set_timerslack(1);
    let shape = role.workload.shape;
    let mut peer = Peer {
        share: Share {
            shape,
            lengths: Lengths::new(role.workload.sizes, shape.producers.get()),
            index: role.index,
            lend,
            crowded: role.crowded,
        },
        ends,
        replies: replies.pod().ok()?,
    };
    peer.reply(Reply::Ready)?;
    peer.obey(orders)
}

struct Peer {
    share: Share,
    ends: Ends,
    replies: PodSender<ReplyWords, BoxSender>,
}

/// The end that receives orders.
type PeerOrders = PodReceiver<OrderWords, BoxReceiver>;

/// What a peer did, what it cost, and how long each message took.
type Deed = Result<(Tally, Cost, Recorder), Fault>;

impl Peer {
    /// `None` if the session is gone.
    fn reply(&mut self, reply: Reply) -> Option<()> {
        self.replies.send(&reply.words()).ok()
    }

    /// Follows orders until the session closes them.
    fn obey(&mut self, mut orders: PeerOrders) -> Option<()> {
        while let Ok(words) = orders.recv() {
            let order = Order::from_words(words)?;
            if let Order::Play { floor, turn, leads } = order {
                lifeline::beat(0);
                let played = floor.play(self.ends.link.as_mut()?, turn, leads)?;
                lifeline::rest();
                self.reply(Reply::Played(played))?;
                continue;
            }
            if matches!(
                order,
                Order::Consume | Order::Echo { .. } | Order::Collect { .. }
            ) {
                self.reply(Reply::Ready)?;
            }
            lifeline::expect(self.longest_gap(order));
            lifeline::beat(0);
            let done = self.carry_out(order, &mut orders)?;
            lifeline::rest();
            match done {
                Ok((tally, cost, latencies)) => {
                    for (value, count) in latencies.steps() {
                        self.reply(Reply::Bucket { value, count })?;
                    }
                    self.reply(Reply::Done(tally, cost))?;
                }
                Err(fault) => return self.reply(Reply::Fault(Told::of(&fault))),
            }
        }
        Some(())
    }

    /// How long nothing may move although nothing is wrong.
    fn longest_gap(&self, order: Order) -> Duration {
        match order {
            Order::Arrive(_, Pace { rate, .. })
            | Order::Collect { rate }
            | Order::Exchange(_, Pace { rate, .. }) => {
                let Shape {
                    producers,
                    consumers,
                } = self.share.shape;
                let turns = producers.max(consumers).get();
                let schedule = Schedule::new(&self.share.lengths, 0, rate);
                schedule.longest_gap().saturating_mul(turns.into())
            }
            _ => Duration::ZERO,
        }
    }

    /// `None` if it cannot be carried out.
    fn carry_out(&mut self, order: Order, orders: &mut PeerOrders) -> Option<Deed> {
        let Self { share, ends, .. } = self;
        let mut latencies = Recorder::new();
        let schedule = |Pace { start, rate }| Schedule::new(&share.lengths, start, rate);
        let arrivals = |amount, pace| Arrivals::new(schedule(pace), amount, share.index);
        let free = |done: Result<Tally, Fault>| done.map(|tally| (tally, Cost::default()));
        let before = Cost::so_far();
        let done = match order {
            Order::Produce(amount) => free(share.produce(ends.tx.first_mut()?, amount)),
            Order::Consume => free(share.consume(ends.rx.as_mut()?)),
            Order::Echo { marks } => free(share.echo(&mut ends.tx, ends.rx.as_mut()?, marks)),
            Order::Ping { amount, marks } => {
                let (tx, rx) = (ends.tx.first_mut()?, ends.rx.as_mut()?);
                free(share.ping(tx, rx, amount, marks, &mut latencies))
            }
            Order::Arrive(amount, pace) => {
                share.arrive(ends.tx.first_mut()?, &arrivals(amount, pace))
            }
            Order::Collect { rate } => {
                let mut begin = || match Order::from_words(orders.recv().ok()?)? {
                    Order::Begin(start) => Some(schedule(Pace { start, rate })),
                    _ => None,
                };
                free(share.collect(ends.rx.as_mut()?, &mut begin, &mut latencies))
            }
            Order::Exchange(amount, pace) => {
                let (tx, rx) = (ends.tx.first_mut()?, ends.rx.as_mut()?);
                share.exchange(tx, rx, &arrivals(amount, pace), &mut latencies)
            }
            Order::Play { .. } | Order::Know(_) | Order::Begin(_) => return None,
        };
        let cost = Cost::so_far().since(before);
        Some(done.map(|(tally, waiting)| (tally, cost.since(waiting), latencies)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_survives_the_environment() {
        let shape = "2x3".parse().expect("a shape");
        let recorded = Recorded { size: 5, gap: 6 };
        let trace = Trace::new(vec![recorded; 3]).expect("not empty");
        for core in [None, Some(7)] {
            for sizes in [
                Sizes::Fixed(64),
                Sizes::Range(0..=9),
                Sizes::Trace(trace.clone()),
            ] {
                let role = Role {
                    workload: Workload::of(sizes).shape(shape),
                    index: 1,
                    core,
                    crowded: core.is_some(),
                };
                let again = Role::from_text(&role.to_text(), || Some(recorded));
                assert_eq!(again, Some(role));
            }
        }
        for bad in ["64 64 0 1 0 - 0", "1 1"] {
            assert_eq!(Role::from_text(bad, || None), None);
        }
    }
}
