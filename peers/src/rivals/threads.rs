//! Queues between threads, as reference: no process boundary.

use super::numbers;
use crate::{
    crowd::{self, Tally},
    row::{Kind, Row, Wait, Work},
    slices::{Other, Reader, fill, stream},
};

pub(super) fn rows() -> Vec<Row> {
    let rtrb = |slices| {
        let (mut tx, mut rx) = rtrb::RingBuffer::<[u8; 64]>::new((8 << 20) / 64);
        let receive = move |reader: &mut Reader| {
            loop {
                if let Ok(message) = rx.pop() {
                    return reader.read(&message);
                }
                std::hint::spin_loop();
            }
        };
        let send = |from, to| {
            for number in numbers(from, to) {
                let mut message = [0; 64];
                fill(&mut message, number);
                while tx.push(message).is_err() {
                    std::hint::spin_loop();
                }
            }
        };
        stream(Other::Thread, slices, 1, send, receive)
    };
    let crossbeam = |slices| {
        let (tx, rx) = crossbeam_channel::bounded::<[u8; 64]>((8 << 20) / 64);
        let receive = move |reader: &mut Reader| reader.read(&rx.recv().expect("receives"));
        let send = |from, to| {
            for number in numbers(from, to) {
                let mut message = [0; 64];
                fill(&mut message, number);
                tx.send(message).expect("sends");
            }
        };
        stream(Other::Thread, slices, 1, send, receive)
    };
    let crowded = |slices| {
        let (tx, rx) = crossbeam_channel::bounded::<[u8; 64]>((8 << 20) / 64);
        let sender = || {
            let tx = tx.clone();
            move |from, to| {
                for number in numbers(from, to) {
                    let mut message = [0; 64];
                    fill(&mut message, number);
                    tx.send(message).expect("sends");
                }
            }
        };
        let receiver = || {
            let rx = rx.clone();
            move |tally: &mut Tally| tally.read(&rx.recv().expect("receives"))
        };
        crowd::run(Other::Thread, slices, 1, sender, receiver)
    };
    let channel = "crossbeam-channel (threads)";
    vec![
        Row::new(
            Kind::Threads,
            Work::Stream(64),
            "rtrb (threads)",
            Wait::Spin,
            rtrb,
        ),
        // Who waits spins and yields a few times, then sleeps.
        Row::new(
            Kind::Threads,
            Work::Stream(64),
            channel,
            Wait::Adaptive,
            crossbeam,
        ),
        Row::new(
            Kind::Threads,
            Work::Crowd(64),
            channel,
            Wait::Adaptive,
            crowded,
        ),
    ]
}
