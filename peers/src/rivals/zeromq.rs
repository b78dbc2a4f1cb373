//! ZeroMQ over `ipc:`: libzmq, built from its source. Each side has a thread of its own that moves bytes through a unix
//! socket, on the same core as who uses it.

use zmq::{Context, Message, Socket, SocketType};

use super::{lazy::Lazy, numbers};
use crate::{
    nap,
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, Slice, fill, stream},
    traces,
};

/// How a side is tied to the place where they meet.
#[derive(Clone, Copy)]
enum Tie {
    Bind,
    Connect,
}

/// Made after the fork: a context has threads.
fn socket(kind: SocketType, tie: Tie, place: &str, size: usize) -> Socket {
    let context = Context::new();
    let socket = context.socket(kind).expect("a socket");
    let most = i32::try_from((8 << 20) / size).expect("small");
    socket.set_sndhwm(most).expect("a high-water mark");
    socket.set_rcvhwm(most).expect("a high-water mark");
    // Who comes first looks again after a millisecond.
    socket.set_reconnect_ivl(1).expect("an interval");
    match tie {
        Tie::Bind => socket.bind(place).expect("binds"),
        Tie::Connect => socket.connect(place).expect("connects"),
    }
    socket
}

fn place(kind: &str) -> String {
    format!("ipc:///tmp/{}", traces::name(kind))
}

/// Fills a message where it lies, and gives it away.
fn send(socket: &Socket, number: u64, size: usize) {
    let mut message = Message::with_size(size);
    fill(&mut message, number);
    socket.send(message, 0).expect("sends");
}

fn lent(size: usize, slices: u32) -> Vec<Slice> {
    let place = place("zmq");
    let there = place.clone();
    let mut ours = None;
    let mut theirs = Lazy::new();
    let mut message = Lazy::new();
    let receive = move |reader: &mut Reader| {
        let rx = theirs.get(|| socket(SocketType::PULL, Tie::Bind, &place, size));
        let message = message.get(Message::new);
        rx.recv(message, 0).expect("receives");
        assert_eq!(message.len(), size, "cut short");
        reader.read(message);
    };
    let send = |from, to| {
        let tx = ours.get_or_insert_with(|| socket(SocketType::PUSH, Tie::Connect, &there, size));
        numbers(from, to).for_each(|number| send(tx, number, size));
    };
    stream(Other::Process, slices, 1, send, receive)
}

fn pinged(size: usize, slices: u32) -> Vec<Slice> {
    let place = place("zmq");
    let there = place.clone();
    let mut ours = None;
    let mut theirs = Lazy::new();
    let ping = |number: u64| {
        let socket =
            ours.get_or_insert_with(|| socket(SocketType::PAIR, Tie::Connect, &there, size));
        send(socket, number, size);
        let echo = socket.recv_msg(0).expect("receives");
        assert!(echo.chunks(8).all(|word| word == number.to_ne_bytes()));
    };
    let pong = move || {
        let socket = theirs.get(|| socket(SocketType::PAIR, Tie::Bind, &place, size));
        let message = socket.recv_msg(0).expect("receives");
        let number = u64::from_ne_bytes(*message.first_chunk().expect("a number"));
        socket.send(message, 0).expect("sends");
        number
    };
    nap::round_trip(slices, ping, pong)
}

pub(super) fn rows() -> Vec<Row> {
    let row = |work: Work, run: fn(usize, u32) -> Vec<Slice>| {
        Row::new(Kind::Rival, work, "zeromq ipc", Wait::Kernel, move |n| {
            run(work.size(), n)
        })
    };
    vec![
        row(Work::Stream(64), lent),
        row(Work::Stream(1 << 10), lent),
        row(Work::Stream(64 << 10), lent),
        row(Work::Trip(8), pinged),
    ]
}
