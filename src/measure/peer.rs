//! What a peer of a session does. It is the program of the session itself, run again.

use std::{env, num::NonZeroU16, process, str::FromStr};

use crate::{
    Address, BoxChannel, BoxReceiver, BoxSender, Channel, Endpoint, ReceiverExt, Registry,
    SenderExt,
    measure::{
        control::{ORDERS, Order, OrderWords, REPLIES, Reply, ReplyWords, Told},
        cores,
        cost::Cost,
        fault::Fault,
        latencies::Latencies,
        lifeline,
        message::Lengths,
        sizes::Sizes,
        work::Share,
        workload::{Shape, Workload},
    },
    process::{inherited_receiver, inherited_sender, take},
    typed::{PodReceiver, PodSender},
};

/// Tells a peer its [`Role`].
pub(super) const VARIABLE: &str = "LANEWAY_MEASURE_PEER";
/// The key of the end that a peer sends with.
pub(super) const SENDER: &str = "measure.tx";
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
}

/// What stands for a number that there is not.
const NONE: &str = "-";

fn or_none(number: Option<impl ToString>) -> String {
    number.map_or_else(|| NONE.to_owned(), |number| number.to_string())
}

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
            // Told later; as long as any.
            sizes @ Sizes::Trace(_) => (NONE.to_owned(), sizes.most()),
            sizes => (sizes.least().to_string(), sizes.most()),
        };
        let rate = or_none(self.workload.rate);
        let core = or_none(self.core);
        let reply = u8::from(self.workload.reply);
        let index = self.index;
        format!("{least} {most} {producers} {consumers} {rate} {reply} {index} {core}")
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let least: Option<usize> = option(next()?)?;
        let most = next()?.parse().ok()?;
        let producers: NonZeroU16 = next()?.parse().ok()?;
        let consumers: NonZeroU16 = next()?.parse().ok()?;
        let rate = option(next()?)?;
        let reply = next()? == "1";
        let index = next()?.parse().ok()?;
        let core = option(next()?)?;
        let sizes = match least {
            Some(least) if least < most => Sizes::Range(least..=most),
            _ => Sizes::Fixed(most),
        };
        let shape = Shape {
            producers,
            consumers,
        };
        let mut workload = Workload::of(sizes).shape(shape);
        workload.rate = rate;
        workload.reply = reply;
        Some(Self {
            workload,
            index,
            core,
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

/// The ends of a peer. A peer that plays no part in round trips lacks one.
struct Ends {
    tx: Option<BoxSender>,
    rx: Option<BoxReceiver>,
}

fn play(text: &str, registry: &Registry) -> Option<()> {
    let role = Role::from_text(text)?;
    if let Some(core) = role.core {
        // Measured elsewhere is still measured.
        let _ = cores::stay_on(core);
    }
    let orders = inherited_receiver(ORDERS).ok()?;
    let replies = inherited_sender(REPLIES).ok()?;
    let mut channels = Vec::new();
    let mut open = |address: &Address| -> Option<BoxChannel> {
        channels.push(registry.channel(address).ok()?);
        registry.channel(address).ok()
    };
    let mut ends = Ends { tx: None, rx: None };
    let mut lend = false;
    if let Ok(handoff) = take(SENDER) {
        let channel = open(&handoff.address)?;
        lend = channel.capabilities().zero_copy_send;
        ends.tx = Some(channel.adopt_sender(handoff).ok()?);
    }
    if let Ok(handoff) = take(RECEIVER) {
        let channel = open(&handoff.address)?;
        ends.rx = Some(channel.adopt_receiver(handoff).ok()?);
    }
    lifeline::tie(orders.as_fd()?, channels).ok()?;
    let mut peer = Peer {
        share: Share {
            shape: role.workload.shape,
            lengths: Lengths::new(role.workload.sizes, role.workload.shape.producers.get()),
            index: role.index,
            lend,
        },
        ends,
        replies: replies.pod().ok()?,
    };
    peer.reply(Reply::Ready)?;
    peer.obey(orders.pod().ok()?)
}

struct Peer {
    share: Share,
    ends: Ends,
    replies: PodSender<ReplyWords, BoxSender>,
}

impl Peer {
    /// `None` if the session is gone.
    fn reply(&mut self, reply: Reply) -> Option<()> {
        self.replies.send(&reply.words()).ok()
    }

    /// Follows orders until the session closes them.
    fn obey(&mut self, mut orders: PodReceiver<OrderWords, BoxReceiver>) -> Option<()> {
        while let Ok(words) = orders.recv() {
            let order = Order::from_words(words)?;
            if matches!(order, Order::Consume | Order::Echo) {
                self.reply(Reply::Ready)?;
            }
            lifeline::beat(0);
            let done = self.carry_out(order)?;
            lifeline::rest();
            match done {
                Ok(reply) => self.reply(reply)?,
                Err(fault) => return self.reply(Reply::Fault(Told::of(&fault))),
            }
        }
        Some(())
    }

    /// `None` if it cannot be carried out.
    fn carry_out(&mut self, order: Order) -> Option<Result<Reply, Fault>> {
        let Self { share, ends, .. } = self;
        let before = Cost::so_far();
        let done = match order {
            Order::Produce(amount) => share.produce(ends.tx.as_mut()?, amount),
            Order::Consume => share.consume(ends.rx.as_mut()?),
            Order::Echo => share.echo(ends.tx.as_mut()?, ends.rx.as_mut()?),
            Order::Ping(amount) => {
                let mut latencies = Latencies::new();
                let (tx, rx) = (ends.tx.as_mut()?, ends.rx.as_mut()?);
                let done = share.ping(tx, rx, amount, &mut latencies);
                for (value, count) in latencies.steps() {
                    self.reply(Reply::Bucket { value, count })?;
                }
                done
            }
        };
        let cost = Cost::so_far().since(before);
        Some(done.map(|tally| Reply::Done(tally, cost)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_survives_the_environment() {
        let shape = "2x3".parse().expect("a shape");
        for core in [None, Some(7)] {
            for sizes in [Sizes::Fixed(64), Sizes::Range(0..=9)] {
                let role = Role {
                    workload: Workload::of(sizes).shape(shape).rate(0.1 + 0.2),
                    index: 1,
                    core,
                };
                assert_eq!(Role::from_text(&role.to_text()), Some(role));
            }
        }
        assert_eq!(Role::from_text("64 64 0 1 - 0 0 -"), None);
        assert_eq!(Role::from_text("1 1"), None);
    }
}
