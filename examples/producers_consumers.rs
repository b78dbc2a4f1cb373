//! Five producers, five consumers, ended in two ways: `cargo run --release --example producers_consumers`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, time::Instant};

use laneway::Deadline;
use laneway::process::{Consumer, Entries, Process, Producer, Queue, wait_all};

const SIDE: u64 = 5;
const EACH: u64 = 1000;
/// `None` says to a consumer that there is nothing more, as in Python.
type Item = Option<u64>;

fn produce(first: u64) -> Result<(), Box<dyn Error>> {
    let mut items = Producer::<Item>::inherited("items")?;
    (first..first + EACH).try_for_each(|number| items.put(&Some(number)))?;
    Ok(())
}

/// Gets until a sentinel comes, or until nobody can put any more.
fn consume((): ()) -> Result<(), Box<dyn Error>> {
    let mut items = Consumer::<Item>::inherited("items")?;
    let mut sum = 0;
    for item in &mut items {
        let Some(number) = item? else { break };
        sum += number;
    }
    Producer::inherited("sums")?.put(&sum)?;
    Ok(())
}

fn run(how: &str) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let (items, sums) = (Queue::<Item>::new()?, Queue::<u64>::new()?);
    let (mut producers, mut consumers) = (vec![], vec![]);
    for index in 0..SIDE {
        let producer = Process::new("produce", &(index * EACH));
        producers.push(producer.give("items", &items.producer()?)?.start()?);
        let consumer = Process::new("consume", &()).give("items", &items.consumer()?)?;
        consumers.push(consumer.give("sums", &sums.producer()?)?.start()?);
    }
    let (mut end, _) = items.split();
    let ended = wait_all(&producers, Deadline::NEVER)?.unwrap_or_default();
    assert!(ended.iter().all(|status| status.success()));
    if how == "sentinels" {
        (0..SIDE).try_for_each(|_| end.put(&None))?;
    }
    end.close(); // Or just that: with the last that could put, it is over.
    let sum: Result<u64, _> = sums.close().iter().sum();
    assert_eq!(sum?, (0..SIDE * EACH).sum());
    println!("{how}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let entries = Entries::new().entry("produce", produce);
    entries.entry("consume", consume).serve();
    ["sentinels", "close"].into_iter().try_for_each(run)
}
