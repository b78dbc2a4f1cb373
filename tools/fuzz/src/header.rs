//! Headers of segments: of one that lives, of one that nobody has open, and of one that is handed over.

use std::{
    fs::{self, File, OpenOptions},
    os::{
        fd::OwnedFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::PathBuf,
    process,
};

use fastrand::Rng;
use laneway::{
    BoxChannel, BoxReceiver, BoxSender, Channel, End, Handoff, OpenError, OpenErrorKind, Receiver,
    Sender,
};
use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};

use crate::{
    corpus::any,
    ring::{CAPACITY, HEADER, Kind, MAX},
    target::{Outcome, Target},
};

/// The words that are constant, or that openers write: the first ones of the header.
const CONSTANTS: usize = 9;
/// The words of `shape` in halves: layout and kind, lock and flags.
const HALVES: &[usize] = &[1, 4];

/// Opens what has a hostile header.
#[derive(Debug)]
pub(crate) struct Headers {
    name: String,
    path: PathBuf,
    channels: Vec<BoxChannel>,
    held: Option<Held>,
}

/// A segment that lives.
#[derive(Debug)]
struct Held {
    file: File,
    bytes: Vec<u8>,
    _end: Side,
}

/// An end that is held open, whichever.
#[derive(Debug)]
enum Side {
    Sender(#[expect(dead_code, reason = "held open")] BoxSender),
    Receiver(#[expect(dead_code, reason = "held open")] BoxReceiver),
}

impl Headers {
    pub(crate) fn new() -> Self {
        let name = format!("fuzz.{}", process::id());
        Self {
            path: PathBuf::from("/dev/shm").join(format!("laneway.{name}")),
            channels: Kind::ALL.map(|kind| kind.channel(&name)).into(),
            name,
            held: None,
        }
    }

    /// Has one of the channels open at one end.
    fn hold(&mut self, random: &mut Rng) {
        let channel = self.channels.get(random.usize(0..Kind::ALL.len()));
        let channel = channel.expect("one of all");
        let end = if random.bool() {
            Side::Sender(channel.sender().expect("opens anew"))
        } else {
            Side::Receiver(channel.receiver().expect("opens anew"))
        };
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        let bytes = fs::read(&self.path).expect("there");
        self.held = Some(Held {
            file: file.expect("there"),
            bytes,
            _end: end,
        });
    }

    /// The living segment with a hostile header, and as it was afterwards.
    fn live(&mut self, random: &mut Rng) -> Outcome {
        let (Some(held), Some(channel)) = (
            &self.held,
            self.channels.get(random.usize(0..Kind::ALL.len())),
        ) else {
            return "not begun";
        };
        let mut bytes = held.bytes.clone();
        let header = bytes.get_mut(..HEADER * 8).expect("as long");
        spoil(random, header);
        held.file.write_all_at(header, 0).expect("writes");
        let outcome = open(random, channel);
        held.file.write_all_at(&held.bytes, 0).expect("writes");
        outcome
    }

    /// A segment that nobody has open, of any length.
    fn stale(&mut self, random: &mut Rng) -> Outcome {
        let Some(held) = self.held.take() else {
            return "not begun";
        };
        let bytes = hostile(random, held.bytes.clone());
        // Its end goes, and with it the name.
        drop(held);
        assert!(!self.path.exists(), "the last one removes the name");
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path);
        file.expect("makes")
            .write_all_at(&bytes, 0)
            .expect("writes");
        let channel = self.channels.get(random.usize(0..Kind::ALL.len()));
        let outcome = open(random, channel.expect("one of all"));
        // What was refused is left as it was; what was opened is gone.
        match fs::remove_file(&self.path) {
            Ok(()) => assert!(!outcome.starts_with("works"), "{outcome}"),
            Err(_) => assert!(outcome.starts_with("works"), "{outcome}"),
        }
        self.hold(random);
        outcome
    }

    /// A descriptor that another process hands over.
    fn given(&mut self, random: &mut Rng) -> Outcome {
        let Some(held) = &self.held else {
            return "not begun";
        };
        let bytes = hostile(random, held.bytes.clone());
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let fd = memfd_create("laneway-fuzz", flags).expect("memory");
        let file = File::from(fd);
        file.write_all_at(&bytes, 0).expect("writes");
        // What is not sealed is not looked at further.
        if random.u8(0..16) > 0 {
            let seals = FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK);
            fcntl(&file, seals).expect("seals");
        }
        let kind = any(random, &[0, 1, 2]);
        let channel = Kind::ALL.get(kind).expect("one of all").channel("");
        let end = if random.bool() {
            End::Sender
        } else {
            End::Receiver
        };
        let handoff = Handoff {
            address: channel.address(),
            end,
            fds: vec![OwnedFd::from(file)],
        };
        match end {
            End::Sender => tell(channel.adopt_sender(handoff).map(|mut tx| send(&mut tx))),
            End::Receiver => tell(
                channel
                    .adopt_receiver(handoff)
                    .map(|mut rx| receive(&mut rx)),
            ),
        }
    }
}

impl Target for Headers {
    fn begin(&mut self, random: &mut Rng) {
        self.held = None;
        self.hold(random);
    }

    fn input(&mut self, random: &mut Rng) -> Outcome {
        match random.u8(0..16) {
            0 => self.stale(random),
            1..4 => self.given(random),
            _ => self.live(random),
        }
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        self.held = None;
        // Only if an input was not met as it should be is there anything.
        let _ = fs::remove_file(&self.path);
        debug_assert!(!self.name.is_empty());
    }
}

/// Changes some words of a header: mostly the constants, sometimes those that change.
fn spoil(random: &mut Rng, header: &mut [u8]) {
    let mut words: Vec<u64> = header
        .chunks_exact(8)
        .filter_map(|word| word.try_into().ok().map(u64::from_le_bytes))
        .collect();
    for _ in 0..random.u8(1..4) {
        let at = match random.u8(0..8) {
            0 => random.usize(0..HEADER),
            1 => any(random, &[128 / 8, 256 / 8, 392 / 8, 520 / 8]),
            _ => random.usize(0..CONSTANTS),
        };
        if let Some(word) = words.get_mut(at) {
            *word = constant(random, at, *word);
        }
    }
    for (bytes, word) in header.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

/// What a constant might be.
fn constant(random: &mut Rng, at: usize, old: u64) -> u64 {
    if HALVES.contains(&at) && random.bool() {
        let half = random.u64(0..8);
        return if random.bool() {
            old & !0xffff_ffff | half
        } else {
            old & 0xffff_ffff | half << 32
        };
    }
    let capacity = CAPACITY as u64;
    match random.u8(0..10) {
        0 => 0,
        1 => u64::MAX,
        2 => random.u64(..),
        3 => 1 << random.u32(0..64),
        4 => (1_u64 << random.u32(0..64)).wrapping_sub(1024),
        5 => old ^ 1 << random.u32(0..64),
        6 => any(
            random,
            &[
                capacity,
                capacity / 64 * 8,
                MAX as u64,
                capacity + 1,
                1024,
                8,
            ],
        ),
        7 => old.wrapping_add(8),
        8 => old.wrapping_sub(8),
        _ => random.u64(0..4096),
    }
}

/// A whole segment with a hostile header and perhaps another length; sometimes only noise, sometimes nothing at all.
fn hostile(random: &mut Rng, sound: Vec<u8>) -> Vec<u8> {
    let mut bytes = sound;
    match random.u8(0..8) {
        0 => bytes.truncate(random.usize(0..bytes.len())),
        1 => bytes.resize(random.usize(0..3 * CAPACITY), random.u8(..)),
        2 => {
            // As long as a header that is sound by itself says.
            let capacity = 1_usize << random.u32(9..13);
            let trailer = any(random, &[0, 8, 24, capacity / 8, capacity, 4]);
            bytes.resize(HEADER * 8 + capacity + trailer, 0);
            for (at, value) in [(16, capacity), (48, trailer)] {
                let place = bytes.get_mut(at..at + 8).expect("within the header");
                place.copy_from_slice(&(value as u64).to_le_bytes());
            }
            return bytes;
        }
        3 => bytes.as_mut_slice().fill_with(|| random.u8(..)),
        _ => {}
    }
    let header = bytes.len().min(HEADER * 8) / 8 * 8;
    spoil(random, bytes.get_mut(..header).unwrap_or_default());
    bytes
}

fn open(random: &mut Rng, channel: &BoxChannel) -> Outcome {
    if random.bool() {
        tell(channel.sender().map(|mut tx| send(&mut tx)))
    } else {
        tell(channel.receiver().map(|mut rx| receive(&mut rx)))
    }
}

/// Uses a sender that was opened. Whatever it says, it says at once.
fn send(tx: &mut BoxSender) -> Outcome {
    for len in [0, 100, tx.limits().max_message.min(CAPACITY)] {
        if let Err(error) = tx.try_send(&vec![1; len]) {
            drop(error);
            return "works, sends not";
        }
    }
    "works, sends"
}

/// Uses a receiver that was opened.
fn receive(rx: &mut BoxReceiver) -> Outcome {
    let mut buf = [0; 2 * CAPACITY];
    match rx.try_recv(&mut buf) {
        Ok(_) => "works, receives",
        Err(_) => "works, receives not",
    }
}

fn tell(opened: Result<Outcome, OpenError>) -> Outcome {
    let error = match opened {
        Ok(outcome) => return outcome,
        Err(error) => error,
    };
    assert!(error.to_string().len() > 10, "{error:?}");
    match error.kind {
        OpenErrorKind::Corrupt => "corrupt",
        OpenErrorKind::Shape { .. } => "shape",
        OpenErrorKind::Refused(_) => "refused",
        OpenErrorKind::Busy => "busy",
        OpenErrorKind::Handoff => "handoff",
        OpenErrorKind::Unproven(_) => "unproven",
        OpenErrorKind::NoSpace { .. } => "no space",
        kind => panic!("{kind:?}: {error}"),
    }
}
