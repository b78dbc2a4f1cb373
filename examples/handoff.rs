//! An open end goes to a program that is no child, over a socket: `cargo run --example handoff` starts a giver and a taker.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    env,
    error::Error,
    fs, io,
    os::unix::net::{UnixListener, UnixStream},
    process::{self, Command},
    thread,
};

use laneway::{Channel, Deadline, ReceiverExt, Sender, process::Courier};

/// Has a channel without a name, so nobody else could open it, and gives its receiving end away.
fn give(socket: &UnixStream) -> Result<(), Box<dyn Error>> {
    let (mut tx, rx) = laneway::channel("shm:")?.pair()?;
    Courier::new(socket).give(&rx, Deadline::NEVER)?;
    // Whoever takes it has it; here it would only be in the way.
    drop(rx);
    let words = ["first", "second", "third"];
    Ok(words.iter().try_for_each(|word| tx.send(word.as_bytes()))?)
}

/// Takes it, and receives until the giver has gone.
fn take(socket: &UnixStream) -> Result<(), Box<dyn Error>> {
    let mut rx = Courier::new(socket).take_receiver(Deadline::NEVER)?;
    while let Ok(word) = rx.loan() {
        println!("took {}", String::from_utf8_lossy(&word));
    }
    Ok(())
}

/// Connects to the taker, who may come later.
fn meet(path: &str) -> io::Result<UnixStream> {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    loop {
        match UnixStream::connect(path) {
            Err(e) if matches!(e.kind(), NotFound | ConnectionRefused) => thread::yield_now(),
            met => return met,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["give", path] => return give(&meet(path)?),
        ["take", path] => return take(&UnixListener::bind(path)?.accept()?.0),
        _ => {}
    }
    let path = env::temp_dir().join(format!("laneway-handoff.{}", process::id()));
    let program = env::current_exe()?;
    let start = |role| Command::new(&program).arg(role).arg(&path).spawn();
    let (mut giver, mut taker) = (start("give")?, start("take")?);
    assert!(giver.wait()?.success() && taker.wait()?.success());
    Ok(fs::remove_file(&path)?)
}
