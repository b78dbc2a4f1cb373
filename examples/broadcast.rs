//! One process tells many: each sees every quote from when it came, and who is too slow is told how many it has missed.
//!
//! `cargo run --example broadcast`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{env, error::Error, process::Command};

use laneway::{
    Channel, ReceiverExt, RecvError, SenderExt,
    process::{give, inherited_receiver},
};

/// What is told: a number, and a price.
type Quote = [u64; 2];

/// Follows the quotes until the last, and looks at each for so long.
fn watch(name: &str, slowness: u32) -> Result<(), Box<dyn Error>> {
    let mut quotes = inherited_receiver("quotes")?.pod::<Quote>()?;
    let (mut seen, mut missed, mut last) = (0, 0, 0);
    loop {
        match quotes.recv() {
            Ok([_, price]) => (seen, last) = (seen + 1, price),
            Err(RecvError::Lagged { missed: more }) => missed += more,
            Err(RecvError::Disconnected) => break,
            Err(error) => return Err(error.into()),
        }
        (0..slowness).for_each(|_| std::hint::spin_loop());
    }
    // Who missed some has the last one all the same.
    println!("{name}: {} quotes, the last {last}", seen + missed);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    if let [_, name, slowness] = env::args().collect::<Vec<_>>().as_slice() {
        return watch(name, slowness.parse()?);
    }
    let (tx, rx) = laneway::channel("shm+broadcast:?capacity=64KiB")?.pair()?;
    let mut tx = tx.pod::<Quote>()?;
    let mut watchers = Vec::new();
    for (name, slowness) in [("quick", "0"), ("slow", "20000")] {
        let mut command = Command::new(env::current_exe()?);
        command.args([name, slowness]);
        give(&mut command, "quotes", &rx)?;
        watchers.push(command.spawn()?);
    }
    drop(rx);
    for number in 0..20_000 {
        tx.send(&[number, 100 + number % 7])?; // waits for nobody
    }
    drop(tx);
    for mut watcher in watchers {
        assert!(watcher.wait()?.success());
    }
    Ok(())
}
