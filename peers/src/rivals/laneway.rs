//! laneway's own rows.

use std::sync::Mutex;

use laneway::{
    Channel, Deadline, Endpoint, Receiver, Sender, WaitStrategy,
    transport::{Fifo, Pipe, PipeMode, ShmLocked, ShmMpmc, ShmSpsc, Sysv},
};

use super::{limits::futex_round_trip, numbers};
use crate::{
    crowd::{self, Tally},
    nap,
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, Slice, fill, round_trip, stream},
    traces,
};

const MIB: usize = 1 << 20;
/// Messages of this size do not fit into a pipe as it comes.
const LARGE: usize = 64 << 10;

fn copied<C: Channel>(channel: C, size: usize, slices: u32) -> Vec<Slice> {
    let (mut tx, mut rx) = channel.pair().expect("opens");
    let mut out = vec![0; size];
    let mut buf = vec![0; size];
    let receive = move |reader: &mut Reader| {
        let len = rx.recv(&mut buf).expect("receives");
        reader.read(&buf[..len]);
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(&mut out, number);
            tx.send(&out).expect("sends");
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

fn lent<C: Channel>(channel: C, size: usize, slices: u32) -> Vec<Slice> {
    let (mut tx, mut rx) = channel.pair().expect("opens");
    let receive = move |reader: &mut Reader| {
        rx.drain_by(64, Deadline::NEVER, &mut |message| reader.read(message))
            .expect("receives");
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(tx.reserve(size, Deadline::NEVER).expect("room"), number);
            tx.commit(size).expect("sends");
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

fn batched<C: Channel>(channel: C, size: usize, batch: u64, slices: u32) -> Vec<Slice> {
    let (mut tx, mut rx) = channel.pair().expect("opens");
    let count = usize::try_from(batch).expect("small");
    let mut out = vec![vec![0; size]; count];
    let receive = move |reader: &mut Reader| {
        rx.drain_by(count, Deadline::NEVER, &mut |message| reader.read(message))
            .expect("receives");
    };
    let send = |from, to| {
        let mut filled = 0;
        for (message, number) in out.iter_mut().zip(numbers(from, to)) {
            fill(message, number);
            filled += 1;
        }
        let slices: Vec<&[u8]> = out.iter().take(filled).map(Vec::as_slice).collect();
        tx.send_batch_by(&slices, Deadline::NEVER).expect("sends");
    };
    stream(Other::Process, slices, batch, send, receive)
}

fn pinged<C: Channel>(channel: C, size: usize, slices: u32) -> Vec<Slice> {
    let (ping, pong) = sides(channel, size);
    round_trip(Other::Process, slices, ping, pong)
}

/// The same, of rounds in which both sides sleep.
fn woken<C: Channel>(channel: C, size: usize, slices: u32) -> Vec<Slice> {
    let (ping, pong) = sides(channel, size);
    nap::round_trip(slices, ping, pong)
}

/// There and back.
fn sides<C: Channel>(channel: C, size: usize) -> (impl FnMut(u64), impl FnMut() -> u64 + Send) {
    let (mut there, mut their) = channel.pair().expect("opens");
    let (mut back, mut ours) = channel.pair().expect("opens");
    let mut out = vec![0; size];
    let mut buf = vec![0; size];
    let mut echo = vec![0; size];
    let ping = move |number| {
        fill(&mut out, number);
        there.send(&out).expect("sends");
        let len = ours.recv(&mut buf).expect("receives");
        assert_eq!(buf[..len], out[..]);
    };
    let pong = move || {
        let len = their.recv(&mut echo).expect("receives");
        back.send(&echo[..len]).expect("sends");
        u64::from_ne_bytes(*echo.first_chunk().expect("a number"))
    };
    (ping, pong)
}

/// Four to four, one message a call.
fn crowded<C: Channel>(channel: C, slices: u32) -> Vec<Slice> {
    let (tx, rx) = channel.pair().expect("opens");
    let (tx, rx) = (Mutex::new(tx), Mutex::new(rx));
    let sender = || {
        let mut tx = sender_of(&channel, &tx);
        let mut out = [0; 64];
        move |from, to| {
            for number in numbers(from, to) {
                fill(&mut out, number);
                tx.send(&out).expect("sends");
            }
        }
    };
    let receiver = || {
        let mut rx = receiver_of(&channel, &rx);
        let mut buf = [0; 64];
        move |tally: &mut Tally| {
            let len = rx.recv(&mut buf).expect("receives");
            tally.read(&buf[..len]);
        }
    };
    crowd::run(Other::Process, slices, 1, sender, receiver)
}

/// Four to four, so many messages a call.
fn crowded_batched<C: Channel>(channel: C, batch: usize, slices: u32) -> Vec<Slice> {
    let (tx, rx) = channel.pair().expect("opens");
    let (tx, rx) = (Mutex::new(tx), Mutex::new(rx));
    let sender = || {
        let mut tx = sender_of(&channel, &tx);
        let mut out = vec![[0; 64]; batch];
        move |from, to| {
            let mut filled = 0;
            for (message, number) in out.iter_mut().zip(numbers(from, to)) {
                fill(message, number);
                filled += 1;
            }
            let mut rest: Vec<&[u8]> = out[..filled].iter().map(<[u8; 64]>::as_slice).collect();
            while !rest.is_empty() {
                let sent = tx.send_batch_by(&rest, Deadline::NEVER).expect("sends");
                rest.drain(..sent);
            }
        }
    };
    let receiver = || {
        let mut rx = receiver_of(&channel, &rx);
        move |tally: &mut Tally| {
            rx.drain_by(batch, Deadline::NEVER, &mut |message| tally.read(message))
                .expect("receives");
        }
    };
    let burst = u64::try_from(batch).expect("small");
    crowd::run(Other::Process, slices, burst, sender, receiver)
}

/// A sending end of a worker's own.
fn sender_of<C: Channel>(channel: &C, tx: &Mutex<C::Sender>) -> C::Sender {
    let handoff = tx.lock().expect("no panic").handoff().expect("hands over");
    channel.adopt_sender(handoff).expect("adopts")
}

/// A receiving end of a worker's own.
fn receiver_of<C: Channel>(channel: &C, rx: &Mutex<C::Receiver>) -> C::Receiver {
    let handoff = rx.lock().expect("no panic").handoff().expect("hands over");
    channel.adopt_receiver(handoff).expect("adopts")
}

/// A row that waits as the channel does at its defaults.
fn row(work: Work, who: &str, wait: Wait, run: impl Fn(usize, u32) -> Vec<Slice> + 'static) -> Row {
    Row::new(Kind::Laneway, work, who, wait, move |n| run(work.size(), n))
}

fn spsc() -> ShmSpsc {
    ShmSpsc::new("").capacity(8 * MIB)
}

fn lock() -> ShmLocked {
    ShmLocked::new("").capacity(8 * MIB)
}

fn mpmc() -> ShmMpmc {
    ShmMpmc::new("").capacity(8 * MIB)
}

/// At its default capacity, or larger where the message would not fit.
fn pipe(size: usize) -> Pipe {
    match size {
        ..LARGE => Pipe::new(),
        _ => Pipe::new().capacity(MIB),
    }
}

/// As [`pipe`].
fn fifo(size: usize) -> Fifo {
    let fifo = Fifo::new(format!("/tmp/{}", traces::name("fifo")));
    match size {
        ..LARGE => fifo,
        _ => fifo.capacity(MIB),
    }
}

fn packet() -> Pipe {
    Pipe::new().mode(PipeMode::Packet)
}

fn sysv() -> Sysv {
    Sysv::new("")
}

fn streams() -> Vec<Row> {
    use Wait::{Adaptive, Kernel};

    let mut rows = vec![
        row(Work::Stream(8), "spsc copied", Adaptive, |size, n| {
            copied(spsc(), size, n)
        }),
        row(Work::Stream(8), "lock batch 64", Adaptive, |size, n| {
            batched(lock(), size, 64, n)
        }),
        row(Work::Stream(64), "spsc batch 32", Adaptive, |size, n| {
            batched(spsc(), size, 32, n)
        }),
        row(Work::Stream(64), "lock batch 64", Adaptive, |size, n| {
            batched(lock(), size, 64, n)
        }),
        row(Work::Stream(64), "lock drained", Adaptive, |size, n| {
            lent(lock(), size, n)
        }),
        row(Work::Stream(64), "mpmc drained", Adaptive, |size, n| {
            lent(mpmc(), size, n)
        }),
        row(Work::Stream(64), "pipe batch 256", Kernel, |size, n| {
            batched(Pipe::new(), size, 256, n)
        }),
        row(Work::Stream(64), "pipe packet", Kernel, |size, n| {
            copied(packet(), size, n)
        }),
    ];
    for size in [64, 1 << 10, 64 << 10, MIB] {
        let work = Work::Stream(size);
        rows.push(row(work, "spsc lent", Adaptive, |size, n| {
            lent(spsc(), size, n)
        }));
        rows.push(row(work, "spsc copied", Adaptive, |size, n| {
            copied(spsc(), size, n)
        }));
    }
    for size in [64, 1 << 10, 64 << 10] {
        let work = Work::Stream(size);
        rows.push(row(work, "lock", Adaptive, |size, n| {
            copied(lock(), size, n)
        }));
        rows.push(row(work, "mpmc", Adaptive, |size, n| {
            copied(mpmc(), size, n)
        }));
        rows.push(row(work, "pipe", Kernel, |size, n| {
            copied(pipe(size), size, n)
        }));
        rows.push(row(work, "fifo", Kernel, |size, n| {
            copied(fifo(size), size, n)
        }));
    }
    for size in [64, 1 << 10] {
        rows.push(row(Work::Stream(size), "sysv", Adaptive, |size, n| {
            copied(sysv(), size, n)
        }));
    }
    rows
}

fn trips() -> Vec<Row> {
    use Wait::{Adaptive, Kernel, Park, Spin};

    let trip = |who, wait, run: fn(usize, u32) -> Vec<Slice>| row(Work::Trip(8), who, wait, run);
    vec![
        trip("spsc", Spin, |size, n| {
            pinged(spsc().wait(WaitStrategy::Spin), size, n)
        }),
        trip("spsc", Adaptive, |size, n| pinged(spsc(), size, n)),
        // Next to each other, so that the machine changes as little as may be between them.
        Row::new(
            Kind::Limit,
            Work::Trip(8),
            "bare futex",
            Park,
            futex_round_trip,
        ),
        trip("spsc", Park, |size, n| {
            woken(spsc().wait(WaitStrategy::Park), size, n)
        }),
        trip("lock", Spin, |size, n| {
            pinged(lock().wait(WaitStrategy::Spin), size, n)
        }),
        trip("mpmc", Spin, |size, n| {
            pinged(mpmc().wait(WaitStrategy::Spin), size, n)
        }),
        trip("pipe", Kernel, |size, n| woken(Pipe::new(), size, n)),
        trip("sysv", Adaptive, |size, n| pinged(sysv(), size, n)),
    ]
}

fn crowds() -> Vec<Row> {
    use Wait::{Adaptive, Kernel};

    let crowd =
        |who, wait, run: fn(u32) -> Vec<Slice>| row(Work::Crowd(64), who, wait, move |_, n| run(n));
    vec![
        crowd("lock", Adaptive, |n| crowded(lock(), n)),
        crowd("lock batch 64", Adaptive, |n| {
            crowded_batched(lock(), 64, n)
        }),
        crowd("mpmc", Adaptive, |n| crowded(mpmc(), n)),
        crowd("mpmc batch 64", Adaptive, |n| {
            crowded_batched(mpmc(), 64, n)
        }),
        crowd("pipe packet", Kernel, |n| crowded(packet(), n)),
        crowd("sysv", Adaptive, |n| crowded(sysv(), n)),
    ]
}

pub(super) fn rows() -> Vec<Row> {
    [streams(), trips(), crowds()]
        .into_iter()
        .flatten()
        .collect()
}
