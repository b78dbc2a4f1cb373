//! ipc-channel, its channel of bytes: packets through a unix socket, each received into a vector of its own.

use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, bytes_channel};

use super::numbers;
use crate::{
    nap,
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, Slice, fill, stream},
};

fn channel() -> (IpcBytesSender, IpcBytesReceiver) {
    bytes_channel().expect("a channel")
}

fn copied(size: usize, slices: u32) -> Vec<Slice> {
    let (tx, rx) = channel();
    let mut out = vec![0; size];
    let receive = move |reader: &mut Reader| {
        let message = rx.recv().expect("receives");
        assert_eq!(message.len(), size, "cut short");
        reader.read(&message);
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(&mut out, number);
            tx.send(&out).expect("sends");
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

fn pinged(size: usize, slices: u32) -> Vec<Slice> {
    let (there, their) = channel();
    let (back, ours) = channel();
    let mut out = vec![0; size];
    let ping = |number| {
        fill(&mut out, number);
        there.send(&out).expect("sends");
        assert_eq!(ours.recv().expect("receives"), out, "the echo");
    };
    let pong = move || {
        let message = their.recv().expect("receives");
        back.send(&message).expect("sends");
        u64::from_ne_bytes(*message.first_chunk().expect("a number"))
    };
    nap::round_trip(slices, ping, pong)
}

pub(super) fn rows() -> Vec<Row> {
    let row = |work: Work, run: fn(usize, u32) -> Vec<Slice>| {
        let who = "ipc-channel bytes";
        Row::new(Kind::Rival, work, who, Wait::Kernel, move |n| {
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
