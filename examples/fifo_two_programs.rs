//! Two programs that share nothing but a path: `cargo run --example fifo_two_programs`.
//!
//! Run without arguments it starts both. To see them at work use two terminals, in any order:
//! `cargo run --example fifo_two_programs -- write /tmp/lines` and the same with `read`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{env, error::Error, process, process::Command, time::Duration};

use laneway::{Channel, Deadline, Endpoint, ReceiverExt, RecvError, SenderExt};

const LINES: [&str; 3] = ["first in", "first out", "that is all"];

/// Writes lines into the named pipe.
fn write(path: &str) -> Result<(), Box<dyn Error>> {
    let mut tx = laneway::channel(&format!("fifo:{path}"))?.sender()?;
    // It does not block until there is a reader, as open(2) would: what is sent waits. Only leaving must be put off.
    tx.wait_peer(Deadline::after(Duration::from_secs(60)))?;
    let mut tx = tx.values::<String>()?;
    for line in LINES {
        tx.send(&line.to_owned())?;
    }
    Ok(())
}

/// Reads lines until nobody writes any more.
fn read(path: &str) -> Result<usize, Box<dyn Error>> {
    let rx = laneway::channel(&format!("fifo:{path}"))?.receiver()?;
    let mut rx = rx.values::<String>()?;
    let mut count = 0;
    loop {
        match rx.recv() {
            Ok(line) => println!("read: {line}"),
            Err(RecvError::Disconnected) => return Ok(count),
            Err(error) => return Err(error.into()),
        }
        count += 1;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", path] => write(path)?,
        ["read", path] => println!("{} lines", read(path)?),
        _ => {
            let path = env::temp_dir().join(format!("laneway-fifo.{}", process::id()));
            let start = |role| {
                let mut command = Command::new(env::current_exe()?);
                command.arg(role).arg(&path).spawn()
            };
            let mut programs = [start("read")?, start("write")?];
            for program in &mut programs {
                assert!(program.wait()?.success());
            }
            println!("the path is gone: {}", !path.exists());
        }
    }
    Ok(())
}
