//! Two processes talk both ways over one object: `cargo run --example pipe_duplex`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use laneway::{
    ReceiverExt, RecvError,
    process::{Duplex, Entries, Process, duplex, inherited_receiver, simplex},
};

/// Counts the words of whatever it is sent.
fn count((): ()) -> Result<(), Box<dyn Error>> {
    let mut parent = Duplex::<usize, String>::inherited("parent")?;
    loop {
        match parent.recv() {
            Ok(text) => parent.send(&text.split_whitespace().count())?,
            Err(RecvError::Disconnected) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Adds up the numbers that it is sent, until there are no more.
fn add((): ()) -> Result<(), Box<dyn Error>> {
    let mut numbers = inherited_receiver("numbers")?.values::<f64>()?;
    let mut sum = 0.0;
    while let Ok(number) = numbers.recv() {
        sum += number;
    }
    println!("the child received {sum} in all");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let entries = Entries::new().entry("count", count);
    entries.entry("add", add).serve();
    let channel = laneway::channel("pipe:")?;

    let (mut here, there) = duplex::<String, usize>(&channel)?;
    let process = Process::new("count", &());
    let child = process.give("parent", &there)?.start()?;
    // What was given away is theirs: if the child dies, we are told.
    drop(there);
    for text in ["to be or not to be", "a lane is a way"] {
        here.send(&text.to_owned())?;
        println!("{text}: {} words", here.recv()?);
    }
    drop(here);
    assert!(child.join()?.success());

    // One way only, as Pipe(duplex=False).
    let (mut tx, rx) = simplex(&channel)?;
    let process = Process::new("add", &());
    let child = process.give("numbers", &rx)?.start()?;
    [0.5, 1.5, 2.5].iter().try_for_each(|n| tx.send(n))?;
    drop((tx, rx));
    assert!(child.join()?.success());
    Ok(())
}
