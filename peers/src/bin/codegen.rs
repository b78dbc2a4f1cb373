//! Sends and receives messages in one process, for counting instructions: see tools/codegen and tools/counting.
//!
//! `codegen CHANNEL static|dynamic send|wait|batch COUNT`

use std::{
    env,
    hint::black_box,
    process::{self, ExitCode},
};

use laneway::{
    Channel, Deadline, Receiver, Sender,
    transport::{Fifo, Pipe, PipeMode, ShmBroadcast, ShmLocked, ShmMpmc, ShmSpsc, Sysv},
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

/// By calls that may wait, and never have to.
fn waiting(mut tx: impl Sender, mut rx: impl Receiver, count: usize) {
    let message = [7; 64];
    let mut buf = [0; 64];
    for _ in 0..count {
        tx.send(black_box(&message)).expect("goes");
        black_box(rx.recv(&mut buf).expect("comes"));
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
    if dispatch == "static" {
        let (tx, rx) = channel.pair().expect("opens");
        run(tx, rx, how, count);
    } else {
        let (tx, rx) = channel.boxed().pair().expect("opens");
        run(tx, rx, how, count);
    }
}

/// Apart, so that the loops of one channel have the registers for themselves.
#[inline(never)]
fn run(tx: impl Sender, rx: impl Receiver, how: &str, count: usize) {
    match how {
        "batch" => in_batches(tx, rx, count),
        "wait" => waiting(tx, rx, count),
        _ => one_by_one(tx, rx, count),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [ring, dispatch, how, count] = args.as_slice() else {
        return ExitCode::from(2);
    };
    let count = count.parse().expect("a number");
    let fifo = env::temp_dir().join(format!("laneway-codegen.{}", process::id()));
    match ring.as_str() {
        "spsc" => measure(ShmSpsc::new(""), dispatch, how, count),
        "lock" => measure(ShmLocked::new(""), dispatch, how, count),
        "mpmc" => measure(ShmMpmc::new(""), dispatch, how, count),
        "broadcast" => measure(ShmBroadcast::new(""), dispatch, how, count),
        "pipe" => measure(Pipe::new(), dispatch, how, count),
        "packet" => measure(Pipe::new().mode(PipeMode::Packet), dispatch, how, count),
        "fifo" => measure(Fifo::new(fifo), dispatch, how, count),
        "sysv" => measure(Sysv::new(""), dispatch, how, count),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}
