//! Unix sockets as pairs: a stream, where each message has its length in front of it, and packets that keep their bounds.

use std::{
    io::{BufReader, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

use super::numbers;
use crate::{
    crowd::{self, Tally},
    nap,
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, Slice, fill, stream},
};

/// Bytes of a length.
const HEAD: usize = 4;

/// One system call a message to send, as few as may be to receive.
struct Framed {
    tx: UnixStream,
    rx: BufReader<UnixStream>,
    /// Length and message.
    out: Vec<u8>,
    buf: Vec<u8>,
}

impl Framed {
    fn pair(size: usize) -> (Self, Self) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        (Self::new(ours, size), Self::new(theirs, size))
    }

    fn new(socket: UnixStream, size: usize) -> Self {
        let head = u32::try_from(size).expect("small").to_le_bytes();
        let mut out = vec![0; HEAD + size];
        out[..HEAD].copy_from_slice(&head);
        Self {
            tx: socket.try_clone().expect("another handle"),
            rx: BufReader::with_capacity(64 << 10, socket),
            out,
            buf: vec![0; size],
        }
    }

    fn send(&mut self, number: u64) {
        fill(&mut self.out[HEAD..], number);
        self.tx.write_all(&self.out).expect("sends");
    }

    fn receive(&mut self) -> &[u8] {
        let mut head = [0; HEAD];
        self.rx.read_exact(&mut head).expect("receives");
        let len = usize::try_from(u32::from_le_bytes(head)).expect("small");
        let message = self.buf.get_mut(..len).expect("a length of ours");
        self.rx.read_exact(message).expect("receives");
        message
    }
}

fn framed(size: usize, slices: u32) -> Vec<Slice> {
    let (mut tx, mut rx) = Framed::pair(size);
    let receive = move |reader: &mut Reader| reader.read(rx.receive());
    let send = |from, to| numbers(from, to).for_each(|number| tx.send(number));
    stream(Other::Process, slices, 1, send, receive)
}

fn framed_trip(size: usize, slices: u32) -> Vec<Slice> {
    let (mut ours, mut theirs) = Framed::pair(size);
    let ping = |number| {
        ours.send(number);
        assert!(ours.receive().chunks(8).all(|w| w == number.to_ne_bytes()));
    };
    let pong = move || {
        let number = u64::from_ne_bytes(*theirs.receive().first_chunk().expect("a number"));
        theirs.send(number);
        number
    };
    nap::round_trip(slices, ping, pong)
}

/// One end of a pair that moves packets.
struct Packets {
    socket: OwnedFd,
    out: Vec<u8>,
    buf: Vec<u8>,
}

impl Packets {
    fn pair(size: usize) -> (Self, Self) {
        let (family, kind) = (AddressFamily::Unix, SockType::SeqPacket);
        let pair = socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC);
        let (ours, theirs) = pair.expect("a pair");
        (Self::new(ours, size), Self::new(theirs, size))
    }

    fn new(socket: OwnedFd, size: usize) -> Self {
        Self {
            socket,
            out: vec![0; size],
            buf: vec![0; size],
        }
    }

    /// Another handle to the same end.
    fn again(&self) -> Self {
        let socket = self.socket.try_clone().expect("another handle");
        Self::new(socket, self.out.len())
    }

    fn send(&mut self, number: u64) {
        fill(&mut self.out, number);
        let sent = send(self.socket.as_raw_fd(), &self.out, MsgFlags::empty());
        assert_eq!(sent, Ok(self.out.len()), "sends");
    }

    fn receive(&mut self) -> &[u8] {
        let len = recv(self.socket.as_raw_fd(), &mut self.buf, MsgFlags::empty());
        let len = len.expect("receives");
        assert_eq!(len, self.buf.len(), "cut short");
        &self.buf
    }
}

fn packets(size: usize, slices: u32) -> Vec<Slice> {
    let (mut tx, mut rx) = Packets::pair(size);
    let receive = move |reader: &mut Reader| reader.read(rx.receive());
    let send = |from, to| numbers(from, to).for_each(|number| tx.send(number));
    stream(Other::Process, slices, 1, send, receive)
}

fn packet_trip(size: usize, slices: u32) -> Vec<Slice> {
    let (mut ours, mut theirs) = Packets::pair(size);
    let ping = |number| {
        ours.send(number);
        assert!(ours.receive().chunks(8).all(|w| w == number.to_ne_bytes()));
    };
    let pong = move || {
        let number = u64::from_ne_bytes(*theirs.receive().first_chunk().expect("a number"));
        theirs.send(number);
        number
    };
    nap::round_trip(slices, ping, pong)
}

/// Four to four at the two ends of one pair.
fn packet_crowd(size: usize, slices: u32) -> Vec<Slice> {
    let (ours, theirs) = Packets::pair(size);
    let sender = || {
        let mut tx = ours.again();
        move |from, to| numbers(from, to).for_each(|number| tx.send(number))
    };
    let receiver = || {
        let mut rx = theirs.again();
        move |tally: &mut Tally| tally.read(rx.receive())
    };
    crowd::run(Other::Process, slices, 1, sender, receiver)
}

pub(super) fn rows() -> Vec<Row> {
    let row = |work: Work, who, run: fn(usize, u32) -> Vec<Slice>| {
        Row::new(Kind::Rival, work, who, Wait::Kernel, move |n| {
            run(work.size(), n)
        })
    };
    let (stream, packet) = ("unix stream, framed", "unix seqpacket");
    let mut rows = vec![
        row(Work::Trip(8), stream, framed_trip),
        row(Work::Trip(8), packet, packet_trip),
        row(Work::Crowd(64), packet, packet_crowd),
    ];
    for size in [64, 1 << 10, 64 << 10] {
        rows.push(row(Work::Stream(size), stream, framed));
        rows.push(row(Work::Stream(size), packet, packets));
    }
    rows
}
