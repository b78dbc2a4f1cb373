//! laneway's own rows.

use std::sync::Mutex;

use laneway::{
    Channel, Deadline, Endpoint, Receiver, Sender, WaitStrategy,
    transport::{Fifo, Pipe, PipeMode, ShmLocked, ShmMpmc, ShmSpsc, Sysv},
};

use super::{limits::futex_round_trip, numbers};
use crate::{
    Row,
    crowd::{self, Tally},
    nap,
    slices::{Other, Reader, Slice, fill, round_trip, stream},
    traces,
};

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

fn row(name: &'static str, run: impl Fn(u32) -> Vec<Slice> + 'static) -> Row {
    let unit = if name.starts_with("rtt") { "ns" } else { "M/s" };
    Row {
        name,
        unit,
        run: Box::new(run),
    }
}

pub(super) fn rows() -> Vec<Row> {
    const MIB: usize = 1 << 20;
    let spsc = || ShmSpsc::new("").capacity(8 * MIB);
    let lock = || ShmLocked::new("").capacity(8 * MIB);
    let fifo = || Fifo::new(format!("/tmp/{}", traces::name("fifo")));
    let packet = || Pipe::new().mode(PipeMode::Packet);
    let mpmc = || ShmMpmc::new("").capacity(8 * MIB);
    vec![
        row("64B spsc lent", move |n| lent(spsc(), 64, n)),
        row("64B spsc copied", move |n| copied(spsc(), 64, n)),
        row("64B spsc batch 32", move |n| batched(spsc(), 64, 32, n)),
        row("64B lock", move |n| copied(lock(), 64, n)),
        row("64B lock batch 64", move |n| batched(lock(), 64, 64, n)),
        row("64B lock drained", move |n| lent(lock(), 64, n)),
        row("64B mpmc", move |n| copied(mpmc(), 64, n)),
        row("64B mpmc drained", move |n| lent(mpmc(), 64, n)),
        row("8B spsc copied", move |n| copied(spsc(), 8, n)),
        row("8B lock batch 64", move |n| batched(lock(), 8, 64, n)),
        row("64B pipe", move |n| copied(Pipe::new(), 64, n)),
        row("64B pipe batch 256", move |n| {
            batched(Pipe::new(), 64, 256, n)
        }),
        row("64B pipe packet", move |n| copied(packet(), 64, n)),
        row("64B fifo", move |n| copied(fifo(), 64, n)),
        row("64B sysv", move |n| copied(Sysv::new(""), 64, n)),
        row("1KiB spsc lent", move |n| lent(spsc(), 1 << 10, n)),
        row("1KiB spsc copied", move |n| copied(spsc(), 1 << 10, n)),
        row("64KiB spsc lent", move |n| lent(spsc(), 64 << 10, n)),
        row("64KiB spsc copied", move |n| copied(spsc(), 64 << 10, n)),
        row("1MiB spsc lent", move |n| lent(spsc(), MIB, n)),
        row("1MiB spsc copied", move |n| copied(spsc(), MIB, n)),
        row("rtt 8B spsc spin", move |n| {
            pinged(spsc().wait(WaitStrategy::Spin), 8, n)
        }),
        row("rtt 8B spsc default", move |n| pinged(spsc(), 8, n)),
        // Next to each other, so that the machine changes as little as may be between them.
        row("rtt bare futex", futex_round_trip),
        row("rtt 8B spsc park", move |n| {
            woken(spsc().wait(WaitStrategy::Park), 8, n)
        }),
        row("rtt 8B lock spin", move |n| {
            pinged(lock().wait(WaitStrategy::Spin), 8, n)
        }),
        row("rtt 8B mpmc spin", move |n| {
            pinged(mpmc().wait(WaitStrategy::Spin), 8, n)
        }),
        row("rtt 8B pipe", move |n| pinged(Pipe::new(), 8, n)),
        row("rtt 8B sysv", move |n| pinged(Sysv::new(""), 8, n)),
        row("4x4 64B lock", move |n| crowded(lock(), n)),
        row("4x4 64B lock batch 64", move |n| {
            crowded_batched(lock(), 64, n)
        }),
        row("4x4 64B mpmc", move |n| crowded(mpmc(), n)),
        row("4x4 64B mpmc batch 64", move |n| {
            crowded_batched(mpmc(), 64, n)
        }),
        row("4x4 64B pipe packet", move |n| crowded(packet(), n)),
    ]
}
