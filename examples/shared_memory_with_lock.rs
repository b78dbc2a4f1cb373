//! Processes change one value in shared memory: `cargo run --example shared_memory_with_lock`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, thread};

use laneway::{
    Channel, ReceiverExt, Sender,
    process::{Entries, Process, Shared, inherited_sender},
};

/// A balance, and the number of deposits: plain bytes, here or in a structure.
type Account = [u64; 2];

/// Deposits so often.
fn deposit(times: u64) -> Result<(), Box<dyn Error>> {
    let mut account = Shared::<Account>::inherited("account")?;
    for _ in 0..times {
        let mut account = account.lock()?;
        account[0] += 10;
        account[1] += 1;
    }
    Ok(())
}

/// Takes the lock, empties the account, and does not come to its end.
fn rob((): ()) -> Result<(), Box<dyn Error>> {
    let mut account = Shared::<Account>::inherited("account")?;
    let mut account = account.lock()?;
    account[0] = 0;
    inherited_sender("parent")?.send(b"locked")?;
    loop {
        thread::park();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let entries = Entries::new().entry("deposit", deposit);
    entries.entry("rob", rob).serve();
    let mut account = Shared::<Account>::new([0, 0])?;
    let mut children = Vec::new();
    for _ in 0..4 {
        let process = Process::new("deposit", &1000_u64);
        children.push(process.give("account", &account)?.start()?);
    }
    for child in children {
        assert!(child.join()?.success());
    }
    let [balance, deposits] = *account.lock()?;
    println!("{balance} after {deposits} deposits");

    let (tx, mut rx) = laneway::channel("pipe:")?.pair()?;
    let process = Process::new("rob", &()).give("account", &account)?;
    let robber = process.give("parent", &tx)?.start()?;
    drop(rx.loan()?);
    robber.kill()?;
    // The lock passes on at once, and what was not finished has not happened.
    println!("{} after the robbery", account.lock()?[0]);
    Ok(())
}
