//! Two programs that know nothing of each other but a name: `cargo run --example named`.
//!
//! Run without arguments it is the first, and starts the second; either may start first. To see both at work, use two
//! terminals: `cargo run --example named -- squares shm+lock:squares`, and the same with `numbers`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{env, error::Error, process, time::Duration};

use laneway::{Channel, Deadline, Receiver, RecvError, Sender};

/// Receives numbers until nobody sends any more, and tells the sum of their squares.
fn squares(address: &str) -> Result<u64, Box<dyn Error>> {
    // Opening does not wait for the other side; receiving does.
    let mut rx = laneway::channel(address)?.receiver()?;
    let mut sum = 0;
    let mut number = [0; 8];
    loop {
        match rx.recv(&mut number) {
            Ok(_) => sum += u64::from_le_bytes(number).pow(2),
            Err(RecvError::Disconnected) => return Ok(sum),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends the numbers from 1 to 100.
fn numbers(address: &str) -> Result<(), Box<dyn Error>> {
    let mut tx = laneway::channel(address)?.sender()?;
    for number in 1..=100_u64 {
        tx.send(&number.to_le_bytes())?;
    }
    // What was sent waits for a receiver as long as one end is open, so do not leave before there is one.
    tx.wait_peer(Deadline::after(Duration::from_secs(60)))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["numbers", address] => return numbers(address),
        ["squares", address] => println!("{}", squares(address)?),
        _ => {
            let address = format!("shm+lock:laneway-example.{}", process::id());
            let mut second = process::Command::new(env::current_exe()?)
                .args(["numbers", &address])
                .spawn()?;
            let sum = squares(&address)?;
            println!("the squares of 1 to 100 sum to {sum}");
            assert_eq!(sum, 338_350);
            assert!(second.wait()?.success());
        }
    }
    Ok(())
}
