//! Bytes of pipes and FIFOs, written by somebody who is not laneway.

use std::{
    env,
    fs::{File, OpenOptions},
    io::Write,
    path::PathBuf,
    process,
};

use fastrand::Rng;
use laneway::{
    BoxReceiver, BoxSender, Channel, Deadline, Endpoint, Receiver, RecvError, Sender,
    transport::{Fifo, Pipe, PipeMode},
};

use crate::{
    corpus::{self, any},
    target::{Outcome, Target},
};

/// The longest input: all of a pipe's life must fit into it, also where each is a packet.
const LONGEST: usize = 5000;
/// How many inputs a pipe gets.
const LIFE: u8 = 8;

/// Writes into a pipe and receives from it.
#[derive(Debug)]
pub(crate) struct Frames {
    seeds: Vec<Vec<u8>>,
    path: PathBuf,
    live: Option<Live>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Live {
    raw: File,
    tx: BoxSender,
    rx: BoxReceiver,
    left: u8,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self {
            seeds: corpus::frames(),
            path: env::temp_dir().join(format!("laneway-fuzz.{}", process::id())),
            live: None,
            buffer: vec![0; 70_000],
        }
    }

    /// A new pipe, mostly without a name.
    fn open(&self, random: &mut Rng) -> Live {
        let mode = match random.u8(0..3) {
            0 => PipeMode::Packet,
            _ => PipeMode::Stream,
        };
        let (tx, rx, raw);
        if random.u8(0..16) == 0 {
            let fifo = Fifo::new(&self.path).mode(mode).boxed();
            (tx, rx) = fifo.pair().expect("opens");
            raw = OpenOptions::new()
                .write(true)
                .open(&self.path)
                .expect("a FIFO");
        } else {
            (tx, rx) = Pipe::new().mode(mode).boxed().pair().expect("opens");
            let mut handoff = tx.handoff().expect("a descriptor");
            raw = File::from(handoff.fds.pop().expect("one descriptor"));
        }
        Live {
            raw,
            tx,
            rx,
            left: LIFE,
        }
    }

    /// Bytes that look like frames, or not.
    fn bytes(&self, random: &mut Rng) -> Vec<u8> {
        let mut bytes = match random.u8(0..4) {
            0 => any(random, &self.seeds),
            1 => (0..random.usize(0..64)).map(|_| random.u8(..)).collect(),
            _ => {
                let mut bytes = Vec::new();
                for _ in 0..random.u8(1..4) {
                    frame(random, &mut bytes);
                }
                bytes
            }
        };
        if random.bool() {
            corpus::mutate(random, &mut bytes, |random| random.u8(..));
        }
        bytes.truncate(LONGEST);
        bytes
    }
}

/// A frame, whose word may lie.
fn frame(random: &mut Rng, bytes: &mut Vec<u8>) {
    let len = match random.u8(0..8) {
        0 => random.usize(4080..4100),
        _ => random.usize(0..100),
    };
    let told = match random.u8(0..8) {
        0 => random.u32(..),
        1 => 65_536 + random.u32(0..16) - 8,
        _ => u32::try_from(len).unwrap_or_default(),
    };
    let padding = match random.u8(0..4) {
        0 => random.u32(0..4096),
        1 => random.u32(0..64),
        _ => 0,
    };
    let word = if random.u8(0..4) == 0 {
        told
    } else {
        1 << 31 | random.u32(0..128) << 24 | padding << 12 | told & 0xfff
    };
    bytes.extend_from_slice(&word.to_le_bytes());
    bytes.extend((0..len).map(|_| random.u8(..)));
    if padding < 64 {
        bytes.extend((0..padding).map(|_| 0));
    }
    if random.u8(0..8) == 0 {
        bytes.extend_from_slice(&(!word).to_le_bytes());
    }
}

impl Target for Frames {
    fn begin(&mut self, random: &mut Rng) {
        // The last one removes a FIFO's name.
        self.live = None;
        self.live = Some(self.open(random));
    }

    fn input(&mut self, random: &mut Rng) -> Outcome {
        let bytes = self.bytes(random);
        let Some(live) = &mut self.live else {
            return "not begun";
        };
        live.left -= 1;
        if random.u8(0..4) == 0 {
            // Among what an honest sender writes.
            live.tx.try_send(&[5; 40]).expect("there is room");
        }
        live.raw.write_all(&bytes).expect("there is room");
        let mut outcome = receive(random, &mut live.rx, &mut self.buffer);
        let over = live.left == 0 || outcome == "corrupt";
        if over
            && let Some(Live {
                raw, tx, mut rx, ..
            }) = self.live.take()
        {
            drop((raw, tx));
            outcome = last(&mut rx, &mut self.buffer);
            drop(rx);
            self.live = Some(self.open(random));
        }
        outcome
    }
}

/// Takes what is there: every call ends at once.
fn receive(random: &mut Rng, rx: &mut BoxReceiver, buffer: &mut [u8]) -> Outcome {
    let mut outcome = "empty";
    // No more messages than bytes were written.
    for _ in 0..usize::from(LIFE) * LONGEST {
        let result = match random.u8(0..3) {
            0 => rx.try_recv(buffer).map(drop),
            1 => {
                let most = random.usize(1..64);
                rx.drain_by(most, Deadline::NOW, &mut |message| {
                    assert!(message.len() <= 1 << 20);
                })
                .map(drop)
            }
            _ => {
                let found = rx.peek(Deadline::NOW).map(drop);
                rx.consume();
                found
            }
        };
        match result {
            Ok(()) => outcome = "received",
            Err(RecvError::Empty) => return outcome,
            Err(RecvError::Corrupt) => return "corrupt",
            Err(RecvError::TooSmall { needed }) => panic!("{needed} bytes wanted"),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("more messages than bytes")
}

/// After its senders are gone, whatever is left, the end is seen.
fn last(rx: &mut BoxReceiver, buffer: &mut [u8]) -> Outcome {
    let mut corrupt = 0;
    for _ in 0..usize::from(LIFE) * LONGEST {
        match rx.recv_by(buffer, Deadline::NOW) {
            Ok(_) => {}
            Err(RecvError::Disconnected) if corrupt > 0 => return "corrupt, then the end",
            Err(RecvError::Disconnected) => return "the end",
            Err(RecvError::Corrupt) => {
                corrupt += 1;
                if corrupt > 3 {
                    return "corrupt for good";
                }
            }
            Err(error) => panic!("{error} after the end"),
        }
    }
    panic!("more messages than bytes")
}
