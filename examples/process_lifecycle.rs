//! A process is described, started, watched, ended: `cargo run --example process_lifecycle`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, thread, time::Duration};

use laneway::{
    Channel, Sender,
    process::{Entries, Process, inherited_sender},
};

/// Greets, in a process of its own. What it returns is how that ends.
fn greet((name, times): (String, u32)) -> Result<(), String> {
    for _ in 0..times {
        println!("hello, {name}");
    }
    if times == 0 {
        return Err(format!("{name} was not greeted"));
    }
    Ok(())
}

/// Says that it is there, and then does nothing for ever.
fn idle((): ()) {
    let mut parent = inherited_sender("parent").expect("given");
    parent.send(b"here").expect("the parent listens");
    loop {
        thread::park();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // A started process is this program again, and gets no further than this line.
    Entries::new()
        .entry("greet", greet)
        .entry("idle", idle)
        .serve();

    let child = Process::new("greet", &("ada".to_owned(), 2_u32)).start()?;
    println!("{} ended: {}", child.name(), child.join()?);
    let child = Process::new("greet", &("bob".to_owned(), 0_u32)).start()?;
    println!("{} ended: {}", child.name(), child.join()?);

    let (tx, mut rx) = laneway::channel("pipe:")?.pair()?;
    let idle = Process::new("idle", &()).name("idler").end_with_parent();
    let child = idle.give("parent", &tx)?.start()?;
    laneway::Receiver::recv(&mut rx, &mut [0; 8])?;
    println!("{} is alive: {}", child.name(), child.is_alive());
    let waited = child.join_timeout(Duration::from_millis(50))?;
    println!("after 50 ms: {waited:?}");
    child.terminate()?;
    println!("terminated: {}", child.join()?);
    println!("{} is alive: {}", child.name(), child.is_alive());

    // A closure runs in a copy of this process instead, as long as that has one thread.
    let base = 40;
    let child = Process::fork(move || std::process::ExitCode::from(base + 2)).start()?;
    println!("the closure ended: {}", child.join()?);
    Ok(())
}
