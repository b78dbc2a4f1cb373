//! One sender and many receivers in processes of their own, at different speeds, stopped and killed at any moment: each has seen every message, or
//! was told exactly how many it has missed.
//!
//! The children are this program again; they take their ends by `laneway::process::give`, or open them by name.

#[path = "broadcast/child.rs"]
mod child;
#[path = "broadcast/crowd.rs"]
mod crowd;
#[path = "broadcast/meaning.rs"]
mod meaning;

use std::env;

use libtest_mimic::{Arguments, Trial};

fn main() {
    if let Ok(role) = env::var(child::VARIABLE) {
        child::play(&role);
    }
    let mut trials = Vec::new();
    for &(name, case) in meaning::CASES.iter().chain(crowd::CASES) {
        trials.push(Trial::test(name, move || {
            case();
            Ok(())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
