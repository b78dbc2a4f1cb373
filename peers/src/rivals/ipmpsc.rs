//! ipmpsc: a ring in a file behind a process-shared mutex and condition, messages through bincode.

use std::fs;

use ipmpsc::{Receiver, Sender, SharedRingBuffer};
use serde_bytes::Bytes;

use super::numbers;
use crate::{
    nap,
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, Slice, fill, stream},
    traces,
};

/// A ring's file, removed with this.
struct Place(String);

impl Place {
    fn new(kind: &str) -> Self {
        Self(format!("/dev/shm/{}", traces::name(kind)))
    }

    fn create(&self) -> SharedRingBuffer {
        SharedRingBuffer::create(&self.0, 8 << 20).expect("a ring")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("removes");
    }
}

fn open(path: &str) -> SharedRingBuffer {
    SharedRingBuffer::open(path).expect("the ring")
}

/// Bytes as bytes: bincode copies them in at once, and lends them out in place.
fn copied(size: usize, slices: u32) -> Vec<Slice> {
    let place = Place::new("ipmpsc");
    let tx = Sender::new(place.create());
    let path = place.0.clone();
    let mut theirs = None;
    let mut out = vec![0; size];
    let receive = move |reader: &mut Reader| {
        let rx = theirs.get_or_insert_with(|| Receiver::new(open(&path)));
        let mut context = rx.zero_copy_context();
        let message: &[u8] = context.recv().expect("receives");
        assert_eq!(message.len(), size, "cut short");
        reader.read(message);
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(&mut out, number);
            tx.send(&Bytes::new(&out)).expect("sends");
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

fn pinged(size: usize, slices: u32) -> Vec<Slice> {
    let places = [Place::new("ipmpsc.there"), Place::new("ipmpsc.back")];
    let there = Sender::new(places[0].create());
    let mut back = Receiver::new(places[1].create());
    let paths = places.each_ref().map(|place| place.0.clone());
    let mut theirs = None;
    let mut out = vec![0; size];
    let ping = |number| {
        fill(&mut out, number);
        there.send(&Bytes::new(&out)).expect("sends");
        let mut context = back.zero_copy_context();
        let message: &[u8] = context.recv().expect("receives");
        assert_eq!(message, out, "the echo");
    };
    let pong = move || {
        let (their, back) = theirs.get_or_insert_with(|| {
            let [there, back] = paths.each_ref().map(|path| open(path));
            (Receiver::new(there), Sender::new(back))
        });
        let mut context = their.zero_copy_context();
        let message: &[u8] = context.recv().expect("receives");
        back.send(&Bytes::new(message)).expect("sends");
        u64::from_ne_bytes(*message.first_chunk().expect("a number"))
    };
    nap::round_trip(slices, ping, pong)
}

pub(super) fn rows() -> Vec<Row> {
    let row = |work: Work, run: fn(usize, u32) -> Vec<Slice>| {
        Row::new(Kind::Rival, work, "ipmpsc", Wait::Park, move |n| {
            run(work.size(), n)
        })
    };
    vec![
        row(Work::Stream(64), copied),
        row(Work::Stream(1 << 10), copied),
        row(Work::Stream(64 << 10), copied),
        row(Work::Stream(1 << 20), copied),
        row(Work::Trip(8), pinged),
    ]
}
