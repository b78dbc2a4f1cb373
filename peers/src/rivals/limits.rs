//! What the machine can do at best: the bare cache line, futex, pipe and System V queue.

use std::{
    fs::{self, File},
    hint::{black_box, spin_loop},
    io::{Read, Write},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Instant,
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::numbers;
use crate::{
    futex::{self, Tide},
    nap,
    row::{Kind, Row, Wait, Work},
    slices::{Control, Other, Reader, SLICE, Slice, fill, round_trip, run, shared, stream},
    traces,
};

fn cache_line(slices: u32) -> Vec<Slice> {
    let there: &'static AtomicU64 = &Control::shared().sum.0;
    let back: &'static AtomicU64 = &Control::shared().sum.0;
    let mut turn = 0;
    let mut seen = 0;
    let ping = |number: u64| {
        turn += 1;
        there.store(turn << 1 | u64::from(number == u64::MAX), Ordering::Release);
        while back.load(Ordering::Acquire) != turn {
            spin_loop();
        }
    };
    let pong = move || {
        let word = loop {
            let word = there.load(Ordering::Acquire);
            if word >> 1 != seen {
                break word;
            }
            spin_loop();
        };
        seen = word >> 1;
        back.store(seen, Ordering::Release);
        if word & 1 == 1 { u64::MAX } else { seen }
    };
    round_trip(Other::Process, slices, ping, pong)
}

/// What `wait=park` is measured against.
pub(super) fn futex_round_trip(slices: u32) -> Vec<Slice> {
    fn word(line: &'static AtomicU64) -> &'static AtomicU32 {
        // SAFETY: the lower half of a live word, only ever used as such.
        unsafe { AtomicU32::from_ptr(line.as_ptr().cast()) }
    }
    let there = word(&Control::shared().sum.0);
    let back = word(&Control::shared().sum.0);
    let mut turn = 0_u32;
    let mut seen = 0_u32;
    let ping = |number: u64| {
        turn = turn.wrapping_add(2);
        there.store(turn | u32::from(number == u64::MAX), Ordering::Release);
        futex::wake(there, 1);
        loop {
            let now = back.load(Ordering::Acquire);
            if now == turn {
                break;
            }
            futex::wait(back, now);
        }
    };
    let pong = move || {
        let word = loop {
            let word = there.load(Ordering::Acquire);
            if word & !1 != seen {
                break word;
            }
            futex::wait(there, word);
        };
        seen = word & !1;
        back.store(seen, Ordering::Release);
        futex::wake(back, 1);
        if word & 1 == 1 { u64::MAX } else { 0 }
    };
    nap::round_trip(slices, ping, pong)
}

fn bare_pipe(slices: u32) -> Vec<Slice> {
    let (rx, tx) = std::io::pipe().expect("a pipe");
    written(rx, tx, slices)
}

fn bare_fifo(slices: u32) -> Vec<Slice> {
    let path = format!("/tmp/{}", traces::name("fifo"));
    mkfifo(path.as_str(), Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
    // Does not wait for another, and keeps the two that follow from waiting.
    let both = File::options().read(true).write(true).open(&path);
    let rx = File::open(&path).expect("opens");
    let tx = File::options().write(true).open(&path).expect("opens");
    drop(both.expect("opens"));
    fs::remove_file(&path).expect("removes");
    written(rx, tx, slices)
}

/// One write and one read a message.
fn written(mut rx: impl Read + Send, mut tx: impl Write, slices: u32) -> Vec<Slice> {
    let mut out = [0; 64];
    let mut buf = [0; 64];
    let receive = move |reader: &mut Reader| {
        rx.read_exact(&mut buf).expect("reads");
        reader.read(&buf);
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(&mut out, number);
            tx.write_all(&out).expect("writes");
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

fn pipe_round_trip(slices: u32) -> Vec<Slice> {
    let (mut their, mut there) = std::io::pipe().expect("a pipe");
    let (mut ours, mut back) = std::io::pipe().expect("a pipe");
    let mut buf = [0; 8];
    let mut echo = [0; 8];
    let ping = |number: u64| {
        there.write_all(&number.to_ne_bytes()).expect("writes");
        ours.read_exact(&mut buf).expect("reads");
    };
    let pong = move || {
        their.read_exact(&mut echo).expect("reads");
        back.write_all(&echo).expect("writes");
        u64::from_ne_bytes(echo)
    };
    nap::round_trip(slices, ping, pong)
}

#[repr(C)]
struct Message {
    kind: i64,
    text: [u8; 64],
}

fn bare_sysv(slices: u32) -> Vec<Slice> {
    // SAFETY: takes numbers only.
    let id = unsafe { libc::msgget(libc::IPC_PRIVATE, libc::IPC_CREAT | 0o600) };
    assert!(id >= 0, "a queue");
    let mut out = Message {
        kind: 1,
        text: [0; 64],
    };
    let mut buf = Message {
        kind: 0,
        text: [0; 64],
    };
    let receive = move |reader: &mut Reader| {
        // SAFETY: a message with room for 64 bytes.
        let len = unsafe { libc::msgrcv(id, (&raw mut buf).cast(), 64, 0, 0) };
        assert_eq!(len, 64);
        reader.read(&buf.text);
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(&mut out.text, number);
            // SAFETY: a message with 64 bytes.
            let code = unsafe { libc::msgsnd(id, (&raw const out).cast(), 64, 0) };
            assert_eq!(code, 0);
        }
    };
    let kept = stream(Other::Process, slices, 1, send, receive);
    // SAFETY: takes no pointer.
    unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    kept
}

/// One copy of each message into 8 MiB, in turn, as a sender's into a ring. The other side sleeps.
fn memcpy(size: usize, slices: u32) -> Vec<Slice> {
    let out = vec![7_u8; size];
    let mut ring = vec![0_u8; 8 << 20];
    // SAFETY: zeroed it is valid.
    let over: &'static Tide = unsafe { shared() };
    run(
        Other::Process,
        slices,
        |_, _| {
            let start = Instant::now();
            let mut copied = 0_u64;
            while start.elapsed() < SLICE {
                for place in ring.chunks_exact_mut(size) {
                    place.copy_from_slice(black_box(&out));
                    black_box(place);
                    copied += 1;
                }
            }
            let rate = copied as f64 / start.elapsed().as_secs_f64() / 1e6;
            over.rise();
            rate
        },
        |_, turn| over.reach(u32::try_from(turn + 1).expect("few")),
    )
}

pub(super) fn rows() -> Vec<Row> {
    // Without a length, a check of the other side and all else that a library does: by hand, as people do.
    let by_hand =
        |work, who, run: fn(u32) -> Vec<Slice>| Row::new(Kind::Rival, work, who, Wait::Kernel, run);
    let copies = |size: usize| {
        Row::new(
            Kind::Limit,
            Work::Stream(size),
            "bare memcpy",
            Wait::Never,
            move |n| memcpy(size, n),
        )
    };
    vec![
        Row::new(
            Kind::Limit,
            Work::Trip(8),
            "bare cache line",
            Wait::Spin,
            cache_line,
        ),
        by_hand(Work::Trip(8), "bare pipe", pipe_round_trip),
        by_hand(Work::Stream(64), "bare pipe", bare_pipe),
        by_hand(Work::Stream(64), "bare fifo", bare_fifo),
        by_hand(Work::Stream(64), "bare sysv", bare_sysv),
        copies(64 << 10),
        copies(1 << 20),
    ]
}
