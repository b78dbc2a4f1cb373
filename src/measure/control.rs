//! What a session and its peers tell each other, as plain words over pipes of our own.

use std::time::Duration;

use crate::{
    BoxReceiver, BoxSender, clock,
    measure::{
        cost::Cost,
        fault::{Fault, Trouble},
        floor::Floor,
        message::Tally,
        trace::Recorded,
        workload::Amount,
    },
    typed::{PodReceiver, PodSender},
};

/// An order in words.
pub(super) type OrderWords = [u64; 6];
/// A reply in words.
pub(super) type ReplyWords = [u64; 10];

/// The end that sends orders.
pub(super) type Orders = PodSender<OrderWords, BoxSender>;
/// The end that receives replies.
pub(super) type Replies = PodReceiver<ReplyWords, BoxReceiver>;

/// The key of the receiving end of the orders, at a peer.
pub(super) const ORDERS: &str = "measure.orders";
/// The key of the sending end of the replies, at a peer.
pub(super) const REPLIES: &str = "measure.replies";

/// When messages arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// When the first is due, in nanoseconds on the monotonic clock.
    pub(super) start: u64,
    /// Messages a second, of all producers together.
    pub(super) rate: f64,
}

/// What a peer is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// Send so much, then the marks that end it.
    Produce(Amount),
    /// Receive until the marks that end it.
    Consume,
    /// Send a message, wait for its echo, so often; then so many marks.
    Ping {
        /// How often.
        amount: Amount,
        /// How many echo, each until a mark.
        marks: u16,
    },
    /// Send back what comes, until so many marks.
    Echo {
        /// How many ping.
        marks: u16,
    },
    /// Send each message when it is due, then the marks that end it.
    Arrive(Amount, Pace),
    /// Receive until the marks that end it, and note how late each message is of so many a second.
    Collect {
        /// Messages a second, of all producers together.
        rate: f64,
    },
    /// What is being collected was first due then, in nanoseconds on the monotonic clock.
    Begin(u64),
    /// Send each message when it is due and take the answers, then send the marks that end it.
    Exchange(Amount, Pace),
    /// Play what lies below any channel.
    Play {
        /// What.
        floor: Floor,
        /// How many plays the session had before.
        turn: u64,
        /// Whether this side begins.
        leads: bool,
    },
    /// Know a message of the trace.
    Know(Recorded),
}

/// What a peer answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reply {
    /// It is ready: for orders, or for messages.
    Ready,
    /// It did what it was to do, and that cost so much.
    Done(Tally, Cost),
    /// So many messages took about so long.
    Bucket {
        /// Nanoseconds.
        value: u64,
        /// Messages.
        count: u64,
    },
    /// What it was to play took so long, or went so fast.
    Played(f64),
    /// The channel failed, and the peer ends.
    Fault(Told),
}

/// A fault that a peer can tell of: two words besides its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told([u64; 3]);

fn amount(amount: Amount) -> [u64; 2] {
    match amount {
        Amount::Messages(count) => [0, count],
        Amount::Time(time) => [1, clock::nanos(time)],
    }
}

const fn to_amount(kind: u64, number: u64) -> Amount {
    match kind {
        0 => Amount::Messages(number),
        _ => Amount::Time(Duration::from_nanos(number)),
    }
}

const fn pace(Pace { start, rate }: Pace) -> [u64; 2] {
    [start, rate.to_bits()]
}

const fn to_pace(start: u64, bits: u64) -> Pace {
    Pace {
        start,
        rate: f64::from_bits(bits),
    }
}

impl Order {
    pub(super) fn words(self) -> OrderWords {
        let words = |order, [kind, number]: [u64; 2], [start, rate]: [u64; 2], last| {
            [order, kind, number, start, rate, last]
        };
        const NONE: [u64; 2] = [0; 2];
        match self {
            Self::Produce(much) => words(0, amount(much), NONE, 0),
            Self::Consume => words(1, NONE, NONE, 0),
            Self::Ping {
                amount: much,
                marks,
            } => words(2, amount(much), NONE, marks.into()),
            Self::Echo { marks } => words(3, NONE, NONE, marks.into()),
            Self::Arrive(much, when) => words(4, amount(much), pace(when), 0),
            Self::Collect { rate } => words(5, NONE, pace(Pace { start: 0, rate }), 0),
            Self::Begin(start) => words(9, NONE, [start, 0], 0),
            Self::Exchange(much, when) => words(6, amount(much), pace(when), 0),
            Self::Play { floor, turn, leads } => {
                let place = Floor::ALL.iter().position(|other| *other == floor);
                let place = place.unwrap_or_default() as u64;
                words(7, [place, turn], NONE, leads.into())
            }
            Self::Know(Recorded { size, gap }) => words(8, [size as u64, gap], NONE, 0),
        }
    }

    /// `None` if it is no order.
    pub(super) fn from_words([order, kind, number, start, rate, last]: OrderWords) -> Option<Self> {
        let much = to_amount(kind, number);
        let when = to_pace(start, rate);
        let marks = u16::try_from(last).ok()?;
        Some(match order {
            0 => Self::Produce(much),
            1 => Self::Consume,
            2 => Self::Ping {
                amount: much,
                marks,
            },
            3 => Self::Echo { marks },
            4 => Self::Arrive(much, when),
            5 => Self::Collect { rate: when.rate },
            9 => Self::Begin(start),
            6 => Self::Exchange(much, when),
            7 => {
                let floor = Floor::ALL.get(usize::try_from(kind).ok()?)?;
                Self::Play {
                    floor: *floor,
                    turn: number,
                    leads: last == 1,
                }
            }
            8 => Self::Know(Recorded {
                size: usize::try_from(kind).ok()?,
                gap: number,
            }),
            _ => return None,
        })
    }
}

impl Reply {
    pub(super) const fn words(self) -> ReplyWords {
        match self {
            Self::Ready => [0; 10],
            Self::Done(tally, cost) => [
                1,
                tally.count,
                tally.bytes,
                tally.sum,
                tally.squares,
                tally.start,
                tally.end,
                cost.cpu,
                cost.voluntary,
                cost.involuntary,
            ],
            Self::Bucket { value, count } => [2, value, count, 0, 0, 0, 0, 0, 0, 0],
            Self::Played(figure) => [4, figure.to_bits(), 0, 0, 0, 0, 0, 0, 0, 0],
            Self::Fault(Told([kind, first, second])) => [3, kind, first, second, 0, 0, 0, 0, 0, 0],
        }
    }

    /// `None` if it is no reply.
    pub(super) const fn from_words(words: ReplyWords) -> Option<Self> {
        let [reply, a, b, c, d, e, f, cpu, voluntary, involuntary] = words;
        Some(match reply {
            0 => Self::Ready,
            1 => Self::Done(
                Tally {
                    count: a,
                    bytes: b,
                    sum: c,
                    squares: d,
                    start: e,
                    end: f,
                },
                Cost {
                    cpu,
                    voluntary,
                    involuntary,
                },
            ),
            2 => Self::Bucket { value: a, count: b },
            3 => Self::Fault(Told([a, b, c])),
            4 => Self::Played(f64::from_bits(a)),
            _ => return None,
        })
    }
}

/// A trouble in two words.
const fn trouble(trouble: Trouble) -> [u64; 2] {
    match trouble {
        Trouble::Disconnected => [0, 0],
        Trouble::TooLarge => [1, 0],
        Trouble::GaveUp => [2, 0],
        Trouble::Corrupt => [3, 0],
        Trouble::Lagged => [5, 0],
        Trouble::System(code) => [4, code.unsigned_abs() as u64],
    }
}

fn to_trouble(kind: u64, code: u64) -> Trouble {
    match kind {
        0 => Trouble::Disconnected,
        1 => Trouble::TooLarge,
        2 => Trouble::GaveUp,
        3 => Trouble::Corrupt,
        5 => Trouble::Lagged,
        _ => Trouble::System(i32::try_from(code).unwrap_or_default()),
    }
}

impl Told {
    /// Those that no peer tells of are told as the one that a session finds out itself.
    pub(super) fn of(fault: &Fault) -> Self {
        let with = |fault, [kind, code]: [u64; 2]| Self([fault, kind, code]);
        match *fault {
            Fault::Altered => Self([0, 0, 0]),
            Fault::Resized { sent, received } => Self([1, sent, received]),
            Fault::Misplaced { expected, found } => Self([2, expected, found]),
            Fault::Sending { trouble: how } => with(3, trouble(how)),
            Fault::Receiving { trouble: how } => with(4, trouble(how)),
            Fault::Miscounted { sent, received } => Self([5, sent, received]),
            Fault::Mixed | Fault::Stalled | Fault::Died { .. } => Self([6, 0, 0]),
        }
    }

    pub(super) fn fault(self) -> Fault {
        let Self([kind, a, b]) = self;
        match kind {
            0 => Fault::Altered,
            1 => Fault::Resized {
                sent: a,
                received: b,
            },
            2 => Fault::Misplaced {
                expected: a,
                found: b,
            },
            3 => Fault::Sending {
                trouble: to_trouble(a, b),
            },
            4 => Fault::Receiving {
                trouble: to_trouble(a, b),
            },
            5 => Fault::Miscounted {
                sent: a,
                received: b,
            },
            _ => Fault::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        let time = Amount::Time(Duration::from_millis(3));
        let pace = Pace {
            start: 5,
            rate: 0.1 + 0.2,
        };
        for order in [
            Order::Produce(Amount::Messages(7)),
            Order::Consume,
            Order::Ping {
                amount: time,
                marks: 3,
            },
            Order::Echo { marks: 64 },
            Order::Arrive(time, pace),
            Order::Collect { rate: pace.rate },
            Order::Begin(17),
            Order::Exchange(time, pace),
            Order::Play {
                floor: Floor::Pipe,
                turn: 9,
                leads: true,
            },
            Order::Know(Recorded { size: 8, gap: 7 }),
        ] {
            assert_eq!(Order::from_words(order.words()), Some(order));
        }
        let trouble = Trouble::System(32);
        for fault in [
            Fault::Altered,
            Fault::Sending { trouble },
            Fault::Resized {
                sent: 3,
                received: 2,
            },
        ] {
            let reply = Reply::Fault(Told::of(&fault));
            let Some(Reply::Fault(told)) = Reply::from_words(reply.words()) else {
                panic!("{fault} was lost");
            };
            assert_eq!(told.fault(), fault);
        }
        assert_eq!(Order::from_words([99, 0, 0, 0, 0, 0]), None);
    }
}
