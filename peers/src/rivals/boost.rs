//! `message_queue` of Boost.Interprocess: a mutex, two conditions and a heap of messages in shared memory.

#[cfg(has_boost)]
mod queue;

use crate::{
    row::{Kind, Row, Wait, Work},
    slices::Slice,
};

/// Blocking sends and receives, 8 MiB of messages.
#[cfg(has_boost)]
fn copied(size: usize, slices: u32) -> Vec<Slice> {
    use super::numbers;
    use crate::slices::{Other, Reader, fill, stream};
    use queue::Queue;

    let queue = Queue::create("boost", (8 << 20) / size, size);
    let name = queue.name();
    let mut theirs = None;
    let mut buf = vec![0; size];
    let mut out = vec![0; size];
    let receive = move |reader: &mut Reader| {
        let queue = theirs.get_or_insert_with(|| Queue::open(&name));
        let len = queue.receive(&mut buf);
        assert_eq!(len, size, "cut short");
        reader.read(&buf);
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(&mut out, number);
            queue.send(&out);
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

/// Four to four, 8 MiB of messages. Who waits sleeps in a condition.
#[cfg(has_boost)]
fn crowded(size: usize, slices: u32) -> Vec<Slice> {
    use super::numbers;
    use crate::{
        crowd::{self, Tally},
        slices::{Other, fill},
    };
    use queue::Queue;

    let queue = Queue::create("boost.crowd", (8 << 20) / size, size);
    let name = queue.name();
    let sender = || {
        let queue = Queue::open(&name);
        let mut out = vec![0; size];
        move |from, to| {
            for number in numbers(from, to) {
                fill(&mut out, number);
                queue.send(&out);
            }
        }
    };
    let receiver = || {
        let queue = Queue::open(&name);
        let mut buf = vec![0; size];
        move |tally: &mut Tally| {
            let len = queue.receive(&mut buf);
            tally.read(&buf[..len]);
        }
    };
    crowd::run(Other::Process, slices, 1, sender, receiver)
}

/// Blocking there and back.
#[cfg(has_boost)]
fn pinged(size: usize, slices: u32) -> Vec<Slice> {
    use crate::{nap, slices::fill};
    use queue::Queue;

    let there = Queue::create("boost.there", 64, size);
    let back = Queue::create("boost.back", 64, size);
    let names = [there.name(), back.name()];
    let mut theirs = None;
    let mut echo = vec![0; size];
    let mut out = vec![0; size];
    let mut buf = vec![0; size];
    let ping = |number| {
        fill(&mut out, number);
        there.send(&out);
        let len = back.receive(&mut buf);
        assert_eq!(buf[..len], out[..], "the echo");
    };
    let pong = move || {
        let [their, back] = theirs.get_or_insert_with(|| names.each_ref().map(|n| Queue::open(n)));
        let len = their.receive(&mut echo);
        back.send(&echo[..len]);
        u64::from_ne_bytes(*echo.first_chunk().expect("a number"))
    };
    nap::round_trip(slices, ping, pong)
}

#[cfg(not(has_boost))]
fn copied(_size: usize, _slices: u32) -> Vec<Slice> {
    crate::isolated::not_run(
        "no Boost or no C++ compiler when this was built: apt-get install g++ libboost-dev",
    )
}

#[cfg(not(has_boost))]
use copied as crowded;
#[cfg(not(has_boost))]
use copied as pinged;

pub(super) fn rows() -> Vec<Row> {
    let row = |work: Work, run: fn(usize, u32) -> Vec<Slice>| {
        Row::new(
            Kind::Rival,
            work,
            "boost message_queue",
            Wait::Park,
            move |n| run(work.size(), n),
        )
    };
    vec![
        row(Work::Stream(64), copied),
        row(Work::Stream(1 << 10), copied),
        row(Work::Stream(64 << 10), copied),
        row(Work::Stream(1 << 20), copied),
        row(Work::Crowd(64), crowded),
        row(Work::Trip(8), pinged),
    ]
}
