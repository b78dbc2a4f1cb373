//! Sends and receives messages in one process, for counting instructions: see tools/codegen.
//!
//! `codegen RING static|dynamic send|batch COUNT`

use std::{env, hint::black_box, process::ExitCode};

use laneway::{
    Channel, Deadline, Receiver, Sender,
    transport::{ShmLocked, ShmMpmc, ShmSpsc},
};

const BATCH: usize = 32;

fn one_by_one(mut tx: impl Sender, mut rx: impl Receiver, count: usize) {
    let message = [7; 64];
    let mut buf = [0; 64];
    for _ in 0..count {
        tx.try_send(black_box(&message)).expect("room");
        black_box(rx.try_recv(&mut buf).expect("a message"));
    }
}

fn in_batches(mut tx: impl Sender, mut rx: impl Receiver, count: usize) {
    let message: &[u8] = &[7; 64];
    let batch = [message; BATCH];
    for _ in 0..count / BATCH {
        tx.send_batch_by(black_box(&batch), Deadline::NOW)
            .expect("room");
        let mut each = |message: &[u8]| {
            black_box(message);
        };
        rx.drain_by(BATCH, Deadline::NOW, &mut each)
            .expect("messages");
    }
}

fn measure(
    channel: impl Channel<Sender: 'static, Receiver: 'static> + 'static,
    dispatch: &str,
    how: &str,
    count: usize,
) {
    let run_batch = how == "batch";
    if dispatch == "static" {
        let (tx, rx) = channel.pair().expect("opens");
        if run_batch {
            in_batches(tx, rx, count)
        } else {
            one_by_one(tx, rx, count)
        }
    } else {
        let (tx, rx) = channel.boxed().pair().expect("opens");
        if run_batch {
            in_batches(tx, rx, count)
        } else {
            one_by_one(tx, rx, count)
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [ring, dispatch, how, count] = args.as_slice() else {
        return ExitCode::from(2);
    };
    let count = count.parse().expect("a number");
    match ring.as_str() {
        "spsc" => measure(ShmSpsc::new(""), dispatch, how, count),
        "lock" => measure(ShmLocked::new(""), dispatch, how, count),
        "mpmc" => measure(ShmMpmc::new(""), dispatch, how, count),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}
