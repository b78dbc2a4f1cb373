//! A service of tokio that adds up what other processes send it: a task for each channel, and no thread for any.
//! `cargo run --example tokio_service --features tokio`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, time::Duration};

use laneway::{
    BoxReceiver, Channel, RecvError, Sender,
    process::{Entries, Process, inherited_sender},
    tokio::AsyncReceiver,
};
use tokio::{runtime::Builder, task::JoinSet, time::timeout};

/// What a client is, in a process of its own.
fn client(count: u64) {
    let mut tx = inherited_sender("numbers").expect("given");
    for number in 1..=count {
        tx.send(&number.to_le_bytes()).expect("the service lives");
    }
}

/// What the service does for each client.
async fn sum(name: &'static str, rx: BoxReceiver) -> Result<(&'static str, u64), RecvError> {
    let mut rx = AsyncReceiver::new(rx);
    let (mut sum, mut buf) = (0, [0; 8]);
    loop {
        // Cancelled whenever a second passes: nothing is lost by that.
        let Ok(received) = timeout(Duration::from_secs(1), rx.recv(&mut buf)).await else {
            continue;
        };
        match received {
            Ok(_) => sum += u64::from_le_bytes(buf),
            Err(RecvError::Disconnected) => return Ok((name, sum)),
            Err(error) => return Err(error),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    Entries::new().entry("client", client).serve();
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let mut tasks = JoinSet::new();
    let mut clients = Vec::new();
    for address in ["pipe:", "shm+lock:", "shm+spsc:", "shm+mpmc:", "sysv:"] {
        let (tx, rx) = laneway::channel(address)?.pair()?;
        let process = Process::new("client", &10_000_u64).give("numbers", &tx)?;
        clients.push(process.start()?);
        tasks.spawn_on(sum(address, rx), runtime.handle());
    }
    let mut sums = runtime.block_on(tasks.join_all());
    sums.sort_by_key(|sum| sum.as_ref().map_or("", |(address, _)| address));
    for sum in sums {
        let (address, sum) = sum?;
        println!("{address:<10} {sum}");
    }
    for client in clients {
        client.join()?;
    }
    Ok(())
}
