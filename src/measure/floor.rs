//! Playing what no channel can beat, between the first producer and the first consumer.

use std::{
    hint::{black_box, spin_loop},
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Deadline,
    measure::{lifeline, link::Link},
    sync::{AtomicU64, Ordering},
    sys::futex,
};

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Floor {
    /// A cache line goes there and back, while both spin.
    CacheLine,
    /// Both sleep on a futex.
    Futex,
    /// Both sleep in the read of a byte.
    Pipe,
    /// One copies memory.
    Memcpy,
}

impl Floor {
    pub(super) const ALL: [Self; 4] = [Self::CacheLine, Self::Futex, Self::Pipe, Self::Memcpy];

    /// Round trips of a batch. It is the fastest batch that counts, so that an interruption does not.
    const BATCH: u64 = 100;
    /// Batches of a cache line.
    const BATCHES: u64 = 4;
    /// Round trips of sleepers.
    const SLEEPS: u64 = 40;
    /// Bytes that are copied at once: more than the caches of one core hold.
    const COPIED: usize = 4 << 20;
    /// How long it is copied.
    const COPYING: Duration = Duration::from_millis(4);
    /// How often a sleeper looks whether its session is gone.
    const LOOK: Duration = Duration::from_millis(100);

    /// Plays it, and tells the nanoseconds of a round trip, or the bytes a second. Of the side that does not lead
    /// the figure says nothing. `turn` counts the plays of the session. `None` if the other side is gone.
    pub(super) fn play(self, link: &mut Link, turn: u64, leads: bool) -> Option<f64> {
        match self {
            Self::CacheLine => cache_line(link.words.word(0), turn, leads),
            Self::Futex => sleepers(link, turn, leads),
            Self::Pipe => pipe(link, leads),
            Self::Memcpy if leads => Some(memcpy()),
            Self::Memcpy => Some(0.0),
        }
    }
}

/// Nanoseconds of each of so many.
fn nanos(start: Instant, count: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Spins until the word is `wanted`; `None` if the session is gone.
fn until(word: &AtomicU64, wanted: u64) -> Option<()> {
    let mut spins = 0_u32;
    // ORDERING: Acquire; pairs with the Release of the other side in `cache_line`.
    while word.load(Ordering::Acquire) != wanted {
        spin_loop();
        spins = spins.wrapping_add(1);
        if spins.is_multiple_of(1 << 14) {
            if lifeline::is_cut() {
                return None;
            }
            thread::yield_now();
        }
    }
    Some(())
}

fn cache_line(word: &AtomicU64, turn: u64, leads: bool) -> Option<f64> {
    let mut next = turn.wrapping_mul(2 * Floor::BATCH * Floor::BATCHES);
    let mut fastest = f64::INFINITY;
    for _ in 0..Floor::BATCHES {
        let start = Instant::now();
        for _ in 0..Floor::BATCH {
            let (there, back) = (next.wrapping_add(1), next.wrapping_add(2));
            if leads {
                // ORDERING: Release; pairs with the Acquire in `until`.
                word.store(there, Ordering::Release);
                until(word, back)?;
            } else {
                until(word, there)?;
                // ORDERING: Release; pairs with the Acquire in `until`.
                word.store(back, Ordering::Release);
            }
            next = back;
        }
        fastest = fastest.min(nanos(start, Floor::BATCH));
    }
    Some(fastest)
}

fn sleepers(link: &Link, turn: u64, leads: bool) -> Option<f64> {
    let word = link.words.half(1);
    let asleep_until = |wanted: u32| {
        loop {
            // ORDERING: Acquire; pairs with the Release in `ring`.
            let seen = word.load(Ordering::Acquire);
            if seen == wanted {
                return Some(());
            }
            if lifeline::is_cut() {
                return None;
            }
            futex::wait(word, seen, Deadline::after(Floor::LOOK));
        }
    };
    let ring = |number: u32| {
        // ORDERING: Release; pairs with the Acquire in `asleep_until`.
        word.store(number, Ordering::Release);
        futex::wake(word, 1).ok().map(drop)
    };
    let base = turn.wrapping_mul(2 * Floor::SLEEPS);
    let start = Instant::now();
    for round in 0..Floor::SLEEPS {
        // The low half: it only has to differ from the one before.
        let number = u32::try_from(base.wrapping_add(2 * round) & u64::from(u32::MAX)).ok()?;
        let (there, back) = (number.wrapping_add(1), number.wrapping_add(2));
        if leads {
            ring(there)?;
            asleep_until(back)?;
        } else {
            asleep_until(there)?;
            ring(back)?;
        }
    }
    Some(nanos(start, Floor::SLEEPS))
}

fn pipe(link: &mut Link, leads: bool) -> Option<f64> {
    let mut byte = [0; 1];
    let start = Instant::now();
    for _ in 0..Floor::SLEEPS {
        if leads {
            link.to.write_all(&byte).ok()?;
            link.from.read_exact(&mut byte).ok()?;
        } else {
            link.from.read_exact(&mut byte).ok()?;
            link.to.write_all(&byte).ok()?;
        }
    }
    Some(nanos(start, Floor::SLEEPS))
}

/// Bytes a second.
fn memcpy() -> f64 {
    // Not zeroes, which may all be one page.
    let from = vec![1_u8; Floor::COPIED];
    let mut to = vec![2_u8; Floor::COPIED];
    let start = Instant::now();
    let mut bytes = 0;
    while start.elapsed() < Floor::COPYING {
        black_box(&mut to).copy_from_slice(black_box(&from));
        bytes += Floor::COPIED;
    }
    bytes as f64 / start.elapsed().as_secs_f64()
}
