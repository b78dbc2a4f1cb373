//! Jobs are handed to a pool of workers, and their results are got later: `cargo run --example pool_apply`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, time::Duration};

use laneway::process::{Entries, JobError, Pool};

fn square(x: u64) -> u64 {
    x * x
}

/// Fails in its own way: that is a result like any other.
fn divide((a, b): (u64, u64)) -> Result<u64, String> {
    a.checked_div(b)
        .ok_or_else(|| format!("{a} divided by nothing"))
}

/// Takes its worker with it.
fn crash(code: u64) -> u64 {
    std::process::exit(i32::try_from(code).unwrap_or(1))
}

fn main() -> Result<(), Box<dyn Error>> {
    // The functions that workers can run. A worker is this program again, and gets no further than this line.
    Entries::new()
        .function("square", square)
        .function("crash", crash)
        .function("divide", divide)
        .serve();

    let pool = Pool::<u64, u64>::new(4)?;
    println!("at once: {}", pool.apply("square", &10)?);

    let jobs: Result<Vec<_>, _> = (0..5).map(|x| pool.apply_async("square", &x)).collect();
    for job in jobs? {
        println!("job {}: {}", job.number(), job.get()?);
    }

    let job = pool.apply_async("square", &20)?;
    let result = job.get_timeout(Duration::from_secs(10));
    println!("in time: {}", result?);

    // In Python's pool this waits for ever.
    match pool.apply("crash", &3) {
        Err(error @ JobError::Died { .. }) => println!("{error}"),
        other => return Err(format!("{other:?}").into()),
    }
    println!("and the pool goes on: {}", pool.apply("square", &30)?);
    pool.join();

    let division = Pool::<(u64, u64), Result<u64, String>>::new(2)?;
    println!("{:?}", division.apply("divide", &(42, 6))?);
    println!("{:?}", division.apply("divide", &(42, 0))?);
    Ok(())
}
