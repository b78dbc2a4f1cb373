//! One process becomes two, and waits for the other: `cargo run --example fork_and_wait`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]
#![expect(
    unsafe_code,
    reason = "to fork by hand is unsafe; see process_lifecycle for the other ways"
)]

use std::{error::Error, os::unix::process::parent_id, process};

use laneway::{
    Deadline,
    process::{Child, Fork, fork, wait_all, wait_any},
};

/// Forks a child that ends with `code`.
fn child(code: i32) -> Result<Child, Box<dyn Error>> {
    // SAFETY: no end of a channel is open, so nothing is shared by the two.
    match unsafe { fork() }? {
        Fork::Parent { child } => Ok(child),
        Fork::Child => process::exit(code),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let parent = process::id();
    println!("the parent is {parent}");
    // SAFETY: as above.
    let first = match unsafe { fork() }? {
        Fork::Parent { child } => child,
        Fork::Child => {
            println!("the child is {}, its parent {}", process::id(), parent_id());
            process::exit(if parent_id() == parent { 7 } else { 1 });
        }
    };
    println!("{} ended: {}", first.pid(), first.join()?);
    assert_eq!(
        first.exit_status().and_then(|status| status.code()),
        Some(7)
    );

    // Whichever ends first.
    let three = [child(1)?, child(2)?, child(3)?];
    let mut ended = Vec::new();
    while let Some((index, status)) = wait_any(&three, Deadline::NEVER)? {
        ended.push((index, status.code()));
    }
    ended.sort_unstable();
    println!("three more ended: {ended:?}");

    // All of them, and one that is not asked to end by itself.
    let two = [child(0)?, child(0)?];
    let codes = wait_all(&two, Deadline::NEVER)?.unwrap_or_default();
    println!("all well: {}", codes.iter().all(|status| status.success()));
    Ok(())
}
