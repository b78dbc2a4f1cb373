//! ipc_ring: a ring in a mapped file for one writer and one reader, who are woken for each message.

use std::{fs, path::Path};

use ipc_ring::{RingReader, RingWriter};

use super::{lazy::Lazy, numbers};
use crate::{
    nap,
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, Slice, fill, stream},
    traces,
};

/// Where the other side finds a ring.
fn place(kind: &str) -> String {
    format!("/dev/shm/{}", traces::name(kind))
}

fn create(path: impl AsRef<Path>) -> RingWriter {
    RingWriter::create(path, 8 << 20).expect("a ring")
}

/// Opens what the other side makes, as soon as it is there, and removes its name.
fn open(path: impl AsRef<Path>) -> RingReader {
    loop {
        if let Ok(reader) = RingReader::open(&path) {
            fs::remove_file(path).expect("removes");
            return reader;
        }
        std::thread::yield_now();
    }
}

fn copied(size: usize, slices: u32) -> Vec<Slice> {
    let path = place("ipc_ring");
    let mut tx = create(&path);
    let mut theirs = Lazy::new();
    let mut out = vec![0; size];
    let mut buf = Vec::new();
    let receive = move |reader: &mut Reader| {
        let rx = theirs.get(|| open(&path));
        let len = rx.pop(&mut buf, None).expect("receives");
        assert_eq!(len, size, "cut short");
        reader.read(&buf);
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(&mut out, number);
            tx.push(&out, None).expect("sends");
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

fn pinged(size: usize, slices: u32) -> Vec<Slice> {
    let there = place("ipc_ring.there");
    let back = place("ipc_ring.back");
    let mut tx = create(&there);
    let mut ours = None;
    let mut theirs = Lazy::new();
    let mut out = vec![0; size];
    let mut buf = Vec::new();
    let mut echo = Vec::new();
    let paths = [there, back.clone()];
    let ping = |number| {
        fill(&mut out, number);
        tx.push(&out, None).expect("sends");
        let rx = ours.get_or_insert_with(|| open(&back));
        rx.pop(&mut buf, None).expect("receives");
        assert_eq!(buf, out, "the echo");
    };
    let pong = move || {
        let (tx, rx) = theirs.get(|| {
            let [there, back] = &paths;
            (create(back), open(there))
        });
        rx.pop(&mut echo, None).expect("receives");
        tx.push(&echo, None).expect("sends");
        u64::from_ne_bytes(*echo.first_chunk().expect("a number"))
    };
    nap::round_trip(slices, ping, pong)
}

pub(super) fn rows() -> Vec<Row> {
    let row = |work: Work, run: fn(usize, u32) -> Vec<Slice>| {
        Row::new(Kind::Rival, work, "ipc_ring", Wait::Park, move |n| {
            run(work.size(), n)
        })
    };
    vec![
        row(Work::Stream(64), copied),
        row(Work::Stream(1 << 10), copied),
        row(Work::Stream(64 << 10), copied),
        row(Work::Trip(8), pinged),
    ]
}
