//! A queue: one process puts, another gets: `cargo run --example queue_put_get`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, time::Duration};

use laneway::{
    RecvError,
    process::{Entries, Process, Producer, Queue},
};
use serde::{Deserialize, Serialize};

/// Whatever serde can do.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
    note: Option<String>,
}

/// Puts orders, and ends. They are in the queue, whoever gets them and whenever.
fn order(items: Vec<String>) -> Result<(), Box<dyn Error>> {
    let mut orders = Producer::inherited("orders")?;
    for (item, count) in items.into_iter().zip(1..) {
        let note = (count == 2).then(|| "in a hurry".to_owned());
        orders.put(&Order { item, count, note })?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    Entries::new().entry("order", order).serve();

    // Over any channel that many may share: sysv:, pipe:?mode=packet, shm+lock: …
    let orders = Queue::<Order>::over(&laneway::channel("shm+mpmc:?capacity=64KiB")?)?;
    let items: Vec<String> = ["tea", "milk", "sugar"].map(str::to_owned).into();
    let process = Process::new("order", &items).give("orders", &orders.producer()?)?;
    let child = process.start()?;

    // Joined before anything was got: nothing hangs, and nothing is lost.
    assert!(child.join()?.success());
    println!("{} orders wait, empty: {}", orders.len(), orders.is_empty());

    // Here nothing is put, so when the child has gone too, the queue is over.
    let mut orders = orders.close();
    println!("{:?}", orders.get()?);
    for order in &mut orders {
        let Order { item, count, note } = order?;
        println!("{count} {item} {}", note.unwrap_or_default());
    }
    let rest = orders.get_timeout(Duration::from_millis(10));
    assert!(matches!(rest, Err(RecvError::Disconnected)));
    println!("no more orders");
    Ok(())
}
