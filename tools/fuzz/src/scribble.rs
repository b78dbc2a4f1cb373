//! A process that writes over a live ring, while another sends and receives with deadlines.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use laneway::{
    BoxReceiver, BoxSender, Channel, Deadline, Endpoint, Receiver, RecvError, SendError, Sender,
};

use crate::{
    memory::Words,
    ring::{self, Kind, MAX},
    target::Note,
};

/// How long a ring lives: what is written over stays so.
const ROUND: Duration = Duration::from_millis(200);
/// The longest deadline of a call.
const DEADLINE: Duration = Duration::from_millis(20);
/// How long a call may take beyond its deadline: what a machine that does something else takes, and no more.
const GRACE: Duration = Duration::from_secs(1);

/// What came of some calls.
#[derive(Debug, Default)]
struct Tally {
    counts: BTreeMap<&'static str, u64>,
    /// The most by which a call passed its deadline.
    late: Duration,
}

impl Tally {
    /// Notes a call that began at `start` and had `allowed`.
    fn note(&mut self, outcome: &'static str, start: Instant, allowed: Duration) {
        *self.counts.entry(outcome).or_default() += 1;
        self.late = self.late.max(start.elapsed().saturating_sub(allowed));
    }

    fn add(&mut self, other: Self) {
        for (outcome, count) in other.counts {
            *self.counts.entry(outcome).or_default() += count;
        }
        self.late = self.late.max(other.late);
    }
}

/// Runs each ring for so long. `false` if a call passed its deadline by more than a machine's whim.
pub(crate) fn run(seed: u64, each: Duration) -> bool {
    let note = Note::new();
    let mut sound = true;
    let mut number = 0;
    for kind in Kind::ALL {
        let mut tally = Tally::default();
        let start = Instant::now();
        while start.elapsed() < each {
            note.write(number);
            tally.add(round(kind, seed.wrapping_add(number)));
            number += 1;
        }
        let told: Vec<String> = tally
            .counts
            .iter()
            .map(|(o, n)| format!("{o} {n}"))
            .collect();
        let calls: u64 = tally.counts.values().sum();
        println!(
            "scribble {} {:.0} s, {calls} calls, {:.1} ms beyond a deadline at most: {}",
            kind.word(),
            start.elapsed().as_secs_f64(),
            tally.late.as_secs_f64() * 1e3,
            told.join(", ")
        );
        sound &= tally.late <= GRACE;
    }
    sound
}

/// One ring's life.
fn round(kind: Kind, seed: u64) -> Tally {
    let (mut tx, mut rx) = kind.channel("").pair().expect("opens");
    let mut handoff = tx.handoff().expect("a descriptor");
    let fd = handoff.fds.pop().expect("one descriptor");
    // The scribbler is no end: it holds a descriptor that is not counted, or its death would be a peer's.
    let mut scribbler = start(fd, seed).expect("starts");
    let over = AtomicBool::new(false);
    let mut tally = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&mut tx, seed, &over));
        let receiver = scope.spawn(|| receive(&mut rx, seed, &over));
        thread::sleep(ROUND);
        over.store(true, Ordering::Relaxed);
        let mut tally = sender.join().expect("no panic");
        tally.add(receiver.join().expect("no panic"));
        tally
    });
    scribbler.kill().expect("is a child");
    scribbler.wait().expect("is a child");
    *tally.counts.entry("rings").or_default() += 1;
    tally
}

fn start(fd: OwnedFd, seed: u64) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .args(["scribbler", "--here", "--seed", &seed.to_string()])
        .stdin(Stdio::from(fd))
        .spawn()
}

fn send(tx: &mut BoxSender, seed: u64, over: &AtomicBool) -> Tally {
    let mut random = Rng::with_seed(seed);
    let mut tally = Tally::default();
    while !over.load(Ordering::Relaxed) {
        let message = vec![3; random.usize(0..=MAX)];
        let allowed = DEADLINE.mul_f32(random.f32());
        let start = Instant::now();
        let outcome = match tx.send_timeout(&message, allowed) {
            Ok(()) => "sent",
            Err(SendError::Full) => "full",
            Err(SendError::Poisoned) => "poisoned",
            Err(SendError::Disconnected) => "disconnected",
            Err(error) => panic!("{error}"),
        };
        tally.note(outcome, start, allowed);
    }
    tally
}

fn receive(rx: &mut BoxReceiver, seed: u64, over: &AtomicBool) -> Tally {
    let mut random = Rng::with_seed(!seed);
    let mut tally = Tally::default();
    let mut buf = [0; ring::CAPACITY];
    while !over.load(Ordering::Relaxed) {
        let allowed = DEADLINE.mul_f32(random.f32());
        let start = Instant::now();
        let result = match random.u8(0..4) {
            0 => rx.drain_by(64, Deadline::after(allowed), &mut |message| {
                let sum: u64 = message.iter().map(|&byte| u64::from(byte)).sum();
                std::hint::black_box(sum);
            }),
            1 => {
                let found = rx.peek(Deadline::after(allowed)).map(<[u8]>::len);
                rx.consume();
                found
            }
            _ => rx.recv_by(&mut buf, Deadline::after(allowed)),
        };
        let outcome = match result {
            Ok(_) => "received",
            Err(RecvError::Empty) => "empty",
            Err(RecvError::Corrupt) => "corrupt",
            Err(RecvError::Poisoned) => "poisoned",
            Err(RecvError::Disconnected) => "disconnected",
            Err(RecvError::TooSmall { .. }) => "too small",
            Err(error) => panic!("{error}"),
        };
        tally.note(outcome, start, allowed);
    }
    tally
}

/// Writes over the ring that is its standard input, until it is killed or the one who started it is gone.
pub(crate) fn scribbler(seed: u64) -> bool {
    let words = Words::map(io::stdin().as_fd());
    let mut random = Rng::with_seed(seed ^ 0x5c71_bb1e);
    // Whose ring: its header says.
    let kind = match words.get(1) >> 32 {
        1 => Kind::Lock,
        3 => Kind::Spsc,
        _ => Kind::Mpmc,
    };
    // From without a pause to now and then, so that there is traffic between two of its words as well.
    let pause = [0, 0, 100, 10_000, 1_000_000][random.usize(0..5)];
    let parent = std::os::unix::process::parent_id();
    loop {
        for _ in 0..1000 {
            let at = ring::place(&mut random, kind, words.count());
            let value = ring::value(&mut random, words.get(at));
            words.set(at, value);
            for _ in 0..pause {
                std::hint::spin_loop();
            }
            if pause > 10_000 && std::os::unix::process::parent_id() != parent {
                return true;
            }
        }
        if std::os::unix::process::parent_id() != parent {
            return true;
        }
    }
}
