//! Three processes produce, two consume, all over one channel: `cargo run --example producer_consumer`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{env, error::Error, process::Command};

use laneway::{
    Channel, Endpoint, ReceiverExt, SenderExt,
    process::{give, inherited_receiver, inherited_sender},
};

const JOBS: u64 = 10_000;

/// Sends every third job.
fn produce(first: u64) -> Result<(), Box<dyn Error>> {
    let mut jobs = inherited_sender("jobs")?.pod::<u64>()?;
    (first..JOBS)
        .step_by(3)
        .try_for_each(|job| jobs.send(&job))?;
    Ok(())
}

/// Takes jobs until every producer is gone, and tells how many there were and their sum.
fn consume() -> Result<(), Box<dyn Error>> {
    let mut jobs = inherited_receiver("jobs")?.pod::<u64>()?;
    let mut done = [0, 0];
    while let Ok(job) = jobs.recv() {
        done = [done[0] + 1, done[1] + job];
    }
    Ok(inherited_sender("results")?.pod()?.send(&done)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("consume") => return consume(),
        Some(first) => return produce(first.parse()?),
        None => {}
    }
    let (jobs, takers) = laneway::channel("shm+lock:")?.pair()?;
    let (results, totals) = laneway::channel("shm+lock:")?.pair()?;
    let start = |role: &str, end: &dyn Endpoint| {
        let mut command = Command::new(env::current_exe()?);
        give(&mut command, "jobs", end)?;
        give(&mut command, "results", &results)?;
        command.arg(role).spawn()
    };
    let mut children = vec![start("consume", &takers)?, start("consume", &takers)?];
    for first in ["0", "1", "2"] {
        children.push(start(first, &jobs)?);
    }
    drop((jobs, takers, results));
    let mut totals = totals.pod::<[u64; 2]>()?;
    let (one, other) = (totals.recv()?, totals.recv()?);
    println!("one consumer did {} jobs, the other {}", one[0], other[0]);
    assert_eq!(one[0] + other[0], JOBS);
    assert_eq!(one[1] + other[1], JOBS * (JOBS - 1) / 2);
    for mut child in children {
        assert!(child.wait()?.success());
    }
    Ok(())
}
