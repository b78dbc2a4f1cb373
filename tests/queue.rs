//! A queue gives each item once, says when it is over, and loses to a killed consumer what that had in its hands and nothing else.
//!
//! Children are this program again, by the entries below.

#[path = "queue/crowd.rs"]
mod crowd;
#[path = "queue/joins.rs"]
mod joins;
#[path = "queue/marks.rs"]
mod marks;
#[path = "queue/meaning.rs"]
mod meaning;

use laneway::{BoxChannel, Channel, Fan, Registry, process::Entries};
use libtest_mimic::{Arguments, Trial};

/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 300;

fn main() {
    let entries = crowd::entries(Entries::new());
    let entries = joins::entries(entries);
    meaning::entries(entries).serve();
    let mut trials = meaning::trials();
    trials.extend(joins::trials());
    trials.extend(crowd::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A trial that passes unless it panics.
fn trial(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}

/// A child ends by itself if it hangs.
fn watch() {
    nix::unistd::alarm::set(WATCHDOG);
}

/// The addresses of all channels without a name that a queue can have.
fn addresses() -> Vec<String> {
    let mut found = Vec::new();
    for driver in Registry::BUILTIN.drivers() {
        for variant in driver.variants() {
            let address = format!("{}:?{variant}", driver.scheme());
            let can = channel(&address).capabilities();
            let many = (can.senders, can.receivers) == (Fan::Many, Fan::Many);
            if many && can.anonymous {
                found.push(address);
            }
        }
    }
    assert!(found.len() >= 4, "{found:?}");
    found
}

fn channel(address: &str) -> BoxChannel {
    laneway::channel(address.trim_end_matches('?')).expect("a good address")
}
