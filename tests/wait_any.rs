//! Whoever waits for several receivers at once is told of the first that has something, wherever that is and however it comes, and of
//! each as often as of another.
//!
//! Senders are this program again, by the entries below.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests count, and give the other side time to fall asleep"
)]

#[path = "wait_any/crowd.rs"]
mod crowd;
#[path = "wait_any/wakes.rs"]
mod wakes;

use std::{
    env, process,
    sync::atomic::{AtomicU32, Ordering},
};

use laneway::{BoxReceiver, BoxSender, Channel, Receiver, process::Entries};
use libtest_mimic::{Arguments, Trial};

/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 300;
/// Every kind of channel that can be waited for together with others. `NAME` and `PATH` are where the name goes.
const KINDS: [&str; 10] = [
    "pipe:",
    "pipe:?mode=packet",
    "fifo:PATH",
    "fifo:PATH?mode=packet",
    "shm+lock:",
    "shm+lock:NAME",
    "shm+spsc:",
    "shm+spsc:NAME?wait=park",
    "shm+mpmc:",
    "shm+mpmc:NAME",
];

fn main() {
    let entries = crowd::entries(Entries::new());
    wakes::entries(entries).serve();
    let mut trials = crowd::trials();
    trials.extend(wakes::trials());
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

/// Both ends of a channel of this kind, with a name of its own if it has one.
fn pair(kind: &str) -> (BoxSender, BoxReceiver) {
    static COUNTER: AtomicU32 = AtomicU32::new(0);

    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("laneway-wait-any.{}.{number}", process::id());
    let path = env::temp_dir().join(&name);
    let address = kind.replace("NAME", &name);
    let address = address.replace("PATH", &path.to_string_lossy());
    let channel = laneway::channel(&address).expect("a good address");
    channel.pair().expect("opens")
}

/// The receivers as `wait_any` takes them.
fn borrow(receivers: &mut [BoxReceiver]) -> Vec<&mut dyn Receiver> {
    let all = receivers.iter_mut();
    all.map(|receiver| &mut **receiver as &mut dyn Receiver)
        .collect()
}
