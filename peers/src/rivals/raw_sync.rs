//! A ring as it is written with raw_sync and shared_memory: a mutex around head, tail and slots.

use raw_sync::locks::{LockImpl, LockInit, Mutex};
use shared_memory::{Shmem, ShmemConf};

use super::{lazy::Lazy, numbers};
use crate::{
    crowd::{self, Tally},
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, Slice, fill, round_trip, stream},
    traces,
};

/// Bytes of all slots.
const ROOM: usize = 8 << 20;
/// Where the lock's data begins.
const DATA: usize = 128;

/// What the lock is for.
#[repr(C)]
struct Data<const SLOT: usize> {
    head: usize,
    tail: usize,
    slots: [u8; ROOM],
}

impl<const SLOT: usize> Data<SLOT> {
    const SLOTS: usize = ROOM / SLOT;

    fn slot(&mut self, number: usize) -> &mut [u8; SLOT] {
        let (slots, _) = self.slots.as_chunks_mut();
        &mut slots[number % Self::SLOTS]
    }
}

/// A segment and its lock.
struct Ring<const SLOT: usize> {
    lock: Box<dyn LockImpl>,
    segment: Shmem,
}

impl<const SLOT: usize> Ring<SLOT> {
    fn create(kind: &str) -> Self {
        let segment = ShmemConf::new()
            .os_id(traces::name(kind))
            .size(DATA + size_of::<Data<SLOT>>())
            .create()
            .expect("a segment");
        let base = segment.as_ptr();
        assert!(Mutex::size_of(Some(base)) <= DATA);
        // SAFETY: within the segment.
        let data = unsafe { base.add(DATA) };
        // SAFETY: room for a lock, which nobody else uses yet. The data is zeroed, which is empty.
        let (lock, _) = unsafe { Mutex::new(base, data) }.expect("a lock");
        Self { lock, segment }
    }

    fn open(name: &str) -> Self {
        let segment = ShmemConf::new().os_id(name).open().expect("the segment");
        let base = segment.as_ptr();
        // SAFETY: within the segment.
        let data = unsafe { base.add(DATA) };
        // SAFETY: `create` has put a lock here.
        let (lock, _) = unsafe { Mutex::from_existing(base, data) }.expect("the lock");
        Self { lock, segment }
    }

    fn name(&self) -> String {
        self.segment.get_os_id().into()
    }

    /// Puts a message in; false when full.
    fn push(&self, message: &[u8; SLOT]) -> bool {
        let guard = self.lock.lock().expect("locks");
        // SAFETY: the lock is held, and its data is this.
        let data = unsafe { &mut *guard.cast::<Data<SLOT>>() };
        if data.tail - data.head == Data::<SLOT>::SLOTS {
            return false;
        }
        *data.slot(data.tail) = *message;
        data.tail += 1;
        true
    }

    /// Takes a message out; false when empty.
    fn pop(&self, message: &mut [u8; SLOT]) -> bool {
        let guard = self.lock.lock().expect("locks");
        // SAFETY: the lock is held, and its data is this.
        let data = unsafe { &mut *guard.cast::<Data<SLOT>>() };
        if data.tail == data.head {
            return false;
        }
        *message = *data.slot(data.head);
        data.head += 1;
        true
    }

    fn send(&self, message: &[u8; SLOT]) {
        while !self.push(message) {
            std::hint::spin_loop();
        }
    }

    fn receive(&self, message: &mut [u8; SLOT]) {
        while !self.pop(message) {
            std::hint::spin_loop();
        }
    }
}

fn copied<const SLOT: usize>(slices: u32) -> Vec<Slice> {
    let ring = Ring::<SLOT>::create("raw_sync");
    let name = ring.name();
    let mut theirs = Lazy::new();
    let mut buf = [0; SLOT];
    let mut out = [0; SLOT];
    let receive = move |reader: &mut Reader| {
        theirs.get(|| Ring::<SLOT>::open(&name)).receive(&mut buf);
        reader.read(&buf);
    };
    let send = |from, to| {
        for number in numbers(from, to) {
            fill(&mut out, number);
            ring.send(&out);
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

/// Four to four. Who finds it full or empty gives up the core: eight on two would wait for those who spin.
fn crowded<const SLOT: usize>(slices: u32) -> Vec<Slice> {
    let ring = Ring::<SLOT>::create("raw_sync.crowd");
    let name = ring.name();
    let sender = || {
        let ring = Ring::<SLOT>::open(&name);
        let mut out = [0; SLOT];
        move |from, to| {
            for number in numbers(from, to) {
                fill(&mut out, number);
                while !ring.push(&out) {
                    std::thread::yield_now();
                }
            }
        }
    };
    let receiver = || {
        let ring = Ring::<SLOT>::open(&name);
        let mut buf = [0; SLOT];
        move |tally: &mut Tally| {
            while !ring.pop(&mut buf) {
                std::thread::yield_now();
            }
            tally.read(&buf);
        }
    };
    crowd::run(Other::Process, slices, 1, sender, receiver)
}

fn pinged<const SLOT: usize>(slices: u32) -> Vec<Slice> {
    let there = Ring::<SLOT>::create("raw_sync.there");
    let back = Ring::<SLOT>::create("raw_sync.back");
    let names = [there.name(), back.name()];
    let mut theirs = Lazy::new();
    let mut echo = [0; SLOT];
    let mut out = [0; SLOT];
    let mut buf = [0; SLOT];
    let ping = |number| {
        fill(&mut out, number);
        there.send(&out);
        back.receive(&mut buf);
        assert_eq!(buf, out, "the echo");
    };
    let pong = move || {
        let [their, back] = theirs.get(|| names.each_ref().map(|name| Ring::<SLOT>::open(name)));
        their.receive(&mut echo);
        back.send(&echo);
        u64::from_ne_bytes(*echo.first_chunk().expect("a number"))
    };
    round_trip(Other::Process, slices, ping, pong)
}

pub(super) fn rows() -> Vec<Row> {
    let row = |work, wait, run: fn(u32) -> Vec<Slice>| {
        Row::new(Kind::Rival, work, "raw_sync + shared_memory", wait, run)
    };
    vec![
        row(Work::Stream(64), Wait::Spin, copied::<64>),
        row(Work::Stream(1 << 10), Wait::Spin, copied::<{ 1 << 10 }>),
        row(Work::Stream(64 << 10), Wait::Spin, copied::<{ 64 << 10 }>),
        row(Work::Crowd(64), Wait::Yield, crowded::<64>),
        row(Work::Trip(8), Wait::Spin, pinged::<8>),
    ]
}
