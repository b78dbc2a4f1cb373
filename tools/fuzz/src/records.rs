//! Words of a live ring: its cursors, its records, its state words, its locks and bells, between honest calls.

use std::os::fd::AsFd;

use fastrand::Rng;
use laneway::{
    BoxChannel, BoxReceiver, BoxSender, Channel, Deadline, Endpoint, Receiver, RecvError,
    SendError, Sender,
};

use crate::{
    memory::Words,
    ring::{self, CAPACITY, Kind, MAX},
    target::{Outcome, Target},
};

/// Writes over a ring and uses it.
#[derive(Debug)]
pub(crate) struct Records {
    kind: Kind,
    channel: BoxChannel,
    live: Option<Live>,
    buffer: Vec<u8>,
}

/// A ring that is open.
#[derive(Debug)]
struct Live {
    words: Words,
    tx: BoxSender,
    rx: BoxReceiver,
}

/// The memory of a ring that `end` has open.
pub(crate) fn words(end: &dyn Endpoint) -> Words {
    let handoff = end.handoff().expect("an end can be handed over");
    Words::map(handoff.fds.first().expect("one descriptor").as_fd())
}

impl Records {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            channel: kind.channel(""),
            live: None,
            buffer: vec![0; CAPACITY],
        }
    }
}

impl Target for Records {
    fn begin(&mut self, random: &mut Rng) {
        self.live = None;
        let (mut tx, rx) = self.channel.pair().expect("a pair opens");
        for _ in 0..random.u8(0..4) {
            tx.try_send(&[7; 100]).expect("there is room");
        }
        let words = words(&tx);
        self.live = Some(Live { words, tx, rx });
    }

    fn input(&mut self, random: &mut Rng) -> Outcome {
        let Some(live) = &mut self.live else {
            return "not begun";
        };
        for _ in 0..random.u8(1..4) {
            let at = ring::place(random, self.kind, live.words.count());
            let value = ring::value(random, live.words.get(at));
            live.words.set(at, value);
        }
        let mut outcome = "";
        for _ in 0..random.u8(1..4) {
            outcome = act(random, &mut live.tx, &mut live.rx, &mut self.buffer);
        }
        outcome
    }
}

/// A call that must end at once, with a message or an error that fits.
fn act(random: &mut Rng, tx: &mut BoxSender, rx: &mut BoxReceiver, buffer: &mut [u8]) -> Outcome {
    let len = random.usize(0..=MAX + 1);
    let message = buffer.get(..len).unwrap_or_default().to_vec();
    match random.u8(0..9) {
        0 | 1 => sent(tx.try_send(&message)),
        2 => {
            let messages = [&message[..len / 2], b"", &message[..len / 4]];
            sent(tx.send_batch_by(&messages, Deadline::NOW).map(drop))
        }
        3 => match tx.reserve(len, Deadline::NOW) {
            Ok(room) => {
                assert!(room.is_empty() || room.len() == len);
                room.fill(1);
                if random.bool() {
                    return sent(tx.commit(len));
                }
                tx.abort();
                "reserved"
            }
            Err(error) => sent(Err(error)),
        },
        4 | 5 => {
            let room = buffer
                .get_mut(..random.usize(0..=CAPACITY))
                .unwrap_or_default();
            let most = room.len();
            received(rx.try_recv(room).inspect(|&len| assert!(len <= most)))
        }
        6 => {
            let mut seen = 0;
            let most = random.usize(0..40);
            let drained = rx.drain_by(most, Deadline::NOW, &mut |message| {
                assert!(message.len() <= CAPACITY);
                seen += message.iter().map(|&byte| usize::from(byte)).sum::<usize>();
            });
            std::hint::black_box(seen);
            received(drained.inspect(|&count| assert!(count <= most)))
        }
        7 => {
            let found = rx.peek(Deadline::NOW).map(<[u8]>::len);
            if found.is_ok() && random.bool() {
                assert!(rx.peeked().len() <= CAPACITY);
                rx.consume();
            }
            received(found)
        }
        _ => {
            for depth in [tx.depth(), rx.depth()] {
                std::hint::black_box(depth.expect("asks memory only"));
            }
            "depth"
        }
    }
}

fn sent(result: Result<(), SendError>) -> Outcome {
    match result {
        Ok(()) => "sent",
        Err(SendError::Full) => "full",
        Err(SendError::TooLarge { .. }) => "too large",
        Err(SendError::Poisoned) => "poisoned",
        Err(SendError::Disconnected) => "disconnected",
        Err(error) => panic!("{error}"),
    }
}

fn received(result: Result<usize, RecvError>) -> Outcome {
    match result {
        Ok(_) => "received",
        Err(RecvError::Empty) => "empty",
        Err(RecvError::TooSmall { needed }) => {
            assert!(needed <= CAPACITY);
            "too small"
        }
        Err(RecvError::Corrupt) => "corrupt",
        Err(RecvError::Poisoned) => "poisoned",
        Err(RecvError::Disconnected) => "disconnected",
        Err(error) => panic!("{error}"),
    }
}
