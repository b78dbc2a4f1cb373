//! Many to many: four producers and four consumers on two cores, in slices as all else.
//!
//! Producer and consumer number n run on core n modulo 2, so each core has two of either: a message finds a
//! consumer on its own core and on the other alike, and neither side can be starved by where it is. With eight on two cores,
//! who waits and does not sleep keeps somebody else from working, so what a queue does while it waits counts here.
//!
//! Two more play the probe before and after a slice, and sleep during it, as the eight sleep during the probe.
//! A slice's time runs from the common start until the last consumer has its last message.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::{
    futex::Tide,
    slices::{self, END, Line, Other, Slice},
};

/// How many on either side.
const SIDE: usize = 4;
const CONSUMERS: u32 = 4;
/// How long producers send.
const SLICE: Duration = Duration::from_millis(80);
/// Where a message's number has its producer's.
const PRODUCER: u32 = 48;

/// What all see. Times are nanoseconds since before the first slice.
#[repr(C)]
struct Field {
    /// How many slices have been opened.
    opened: Tide,
    /// How many workers have finished, over all slices.
    arrived: Tide,
    /// How many consumers have seen the end, over all slices.
    ended: Tide,
    /// How many producers have sent their last, over all slices.
    finished: Line,
    /// The slice of which everything is sent, counted from one.
    all_sent: Line,
    opened_at: Line,
    all_sent_at: Line,
    sent: [Line; SIDE],
    got: [Got; SIDE],
}

/// What a consumer has received in a slice.
#[repr(C, align(128))]
struct Got {
    counts: [AtomicU64; SIDE],
    sums: [AtomicU64; SIDE],
    last_at: AtomicU64,
}

/// Reads every byte of a consumer's messages, and counts them by producer.
pub(crate) struct Tally {
    counts: [u64; SIDE],
    sums: [u64; SIDE],
    next: [u64; SIDE],
    ended: bool,
}

impl Tally {
    fn new() -> Self {
        Self {
            counts: [0; SIDE],
            sums: [0; SIDE],
            next: [0; SIDE],
            ended: false,
        }
    }

    #[inline]
    pub(crate) fn read(&mut self, message: &[u8]) {
        let (words, rest) = message.as_chunks::<8>();
        assert!(words.len() == 8 && rest.is_empty(), "cut short");
        let number = u64::from_ne_bytes(words[0]);
        let mut sum = 0_u64;
        for word in words {
            sum = sum.wrapping_add(u64::from_ne_bytes(*word));
        }
        assert!(sum == number.wrapping_mul(8), "torn: {number:x}");
        if number == END {
            self.ended = true;
            return;
        }
        let producer = usize::try_from(number >> PRODUCER).expect("small");
        let turn = number & ((1 << PRODUCER) - 1);
        assert!(
            turn >= self.next[producer],
            "doubled or out of order: {turn} of producer {producer} came after {}",
            self.next[producer] - 1
        );
        self.next[producer] = turn + 1;
        self.counts[producer] += 1;
        self.sums[producer] += turn;
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Million messages a second of four to four. `sender` and `receiver` are called by each worker, once, for what
/// it sends and receives with: the first sends the numbers from one to another, [`END`] alone if they are equal;
/// the second receives at least one message and gives all to the tally.
pub(crate) fn run<S, R>(
    other: Other,
    slices: u32,
    burst: u64,
    sender: impl Fn() -> S + Sync,
    receiver: impl Fn() -> R + Sync,
) -> Vec<Slice>
where
    S: FnMut(u64, u64),
    R: FnMut(&mut Tally),
{
    let epoch = Instant::now();
    // SAFETY: zeroed it is valid.
    let field: &'static Field = unsafe { slices::shared() };
    let work = |worker: usize| {
        slices::pin(worker % 2);
        if worker < SIDE {
            produce(field, epoch, worker, slices, burst, sender());
        } else {
            consume(field, epoch, worker - SIDE, slices, receiver());
        }
    };
    let play = || {
        slices::run(
            other,
            slices,
            |_, turn| {
                field
                    .opened_at
                    .0
                    .store(nanos_since(epoch), Ordering::Relaxed);
                field.opened.rise();
                field.arrived.reach(arrivals(turn));
                value(field)
            },
            |_, turn| field.arrived.reach(arrivals(turn)),
        )
    };
    match other {
        Other::Thread => std::thread::scope(|scope| {
            let work = &work;
            for worker in 0..2 * SIDE {
                scope.spawn(move || work(worker));
            }
            play()
        }),
        Other::Process => {
            let fork = |worker| slices::fork_to(|| work(worker));
            let children: Vec<_> = (0..2 * SIDE).map(fork).collect();
            let kept = play();
            children.into_iter().for_each(slices::reap);
            kept
        }
    }
}

fn nanos_since(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_nanos()).expect("some years")
}

/// How many workers have finished when this slice is over.
fn arrivals(turn: u64) -> u32 {
    u32::try_from((turn + 1) * 2 * SIDE as u64).expect("not that many slices")
}

fn produce(
    field: &Field,
    epoch: Instant,
    index: usize,
    slices: u32,
    burst: u64,
    mut send: impl FnMut(u64, u64),
) {
    let base = (index as u64) << PRODUCER;
    for turn in 0..slices {
        field.opened.reach(turn + 1);
        let start = field.opened_at.0.load(Ordering::Relaxed);
        let length = u64::try_from(SLICE.as_nanos()).expect("short");
        let mut sent = 0;
        while nanos_since(epoch) - start < length {
            for _ in 0..(64 / burst).max(1) {
                send(base + sent, base + sent + burst);
                sent += burst;
            }
        }
        field.sent[index].0.store(sent, Ordering::Relaxed);
        let finished = field.finished.0.fetch_add(1, Ordering::AcqRel) + 1;
        if finished == u64::from(turn + 1) * SIDE as u64 {
            field
                .all_sent_at
                .0
                .store(nanos_since(epoch), Ordering::Relaxed);
            field
                .all_sent
                .0
                .store(u64::from(turn + 1), Ordering::Release);
            // One after another, so that nobody takes two of them in a batch.
            for ended in turn * CONSUMERS..(turn + 1) * CONSUMERS {
                send(END, END);
                field.ended.reach(ended + 1);
            }
        }
        field.arrived.rise();
    }
}

fn consume(
    field: &Field,
    epoch: Instant,
    index: usize,
    slices: u32,
    mut receive: impl FnMut(&mut Tally),
) {
    let got = &field.got[index];
    for turn in 0..slices {
        // Nothing is sent before the slice opens, and what is sent then may be taken at once.
        field.opened.reach(turn + 1);
        let mut tally = Tally::new();
        let mut last_at = 0;
        let mut seen = 0;
        while !tally.ended {
            receive(&mut tally);
            // Until everything is sent, the time of the last message cannot be this one's.
            if field.all_sent.0.load(Ordering::Relaxed) == u64::from(turn + 1)
                && tally.total() != seen
            {
                last_at = nanos_since(epoch);
            }
            seen = tally.total();
        }
        for producer in 0..SIDE {
            got.counts[producer].store(tally.counts[producer], Ordering::Relaxed);
            got.sums[producer].store(tally.sums[producer], Ordering::Relaxed);
        }
        got.last_at.store(last_at, Ordering::Relaxed);
        field.ended.rise();
        field.arrived.rise();
    }
}

/// What a slice that is over comes to. What was sent and what was received must be the same.
fn value(field: &Field) -> f64 {
    let mut total = 0;
    for (producer, sent) in field.sent.iter().enumerate() {
        let sent = sent.0.load(Ordering::Relaxed);
        let mut count = 0;
        let mut sum = 0;
        for got in &field.got {
            count += got.counts[producer].load(Ordering::Relaxed);
            sum += got.sums[producer].load(Ordering::Relaxed);
        }
        let due = sent * sent.saturating_sub(1) / 2;
        assert!(
            count == sent && sum == due,
            "producer {producer} sent {sent} messages, sum {due}; received were {count}, sum {sum}"
        );
        total += sent;
    }
    let last = field
        .got
        .iter()
        .map(|got| got.last_at.load(Ordering::Relaxed));
    let end = last.fold(field.all_sent_at.0.load(Ordering::Relaxed), u64::max);
    let nanos = end - field.opened_at.0.load(Ordering::Relaxed);
    total as f64 / nanos as f64 * 1e3
}
