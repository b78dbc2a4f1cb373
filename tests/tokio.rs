//! Tasks of tokio send and receive on every kind of channel: nothing is lost, doubled or torn, whatever is cancelled and whoever dies, and
//! no channel has a thread of its own.
//!
//! Other processes are this program again, by the entries below.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests count, and give the other side time to fall asleep"
)]

#[path = "tokio/cancel.rs"]
mod cancel;
#[path = "tokio/ends.rs"]
mod ends;
#[path = "tokio/queues.rs"]
mod queues;
#[path = "tokio/runtimes.rs"]
mod runtimes;
#[path = "tokio/service.rs"]
mod service;

use std::{
    env,
    future::Future,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ::tokio::runtime::{Builder, Runtime};
use laneway::{BoxReceiver, BoxSender, Channel, process::Entries};
use libtest_mimic::{Arguments, Trial};

/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 300;
/// What takes longer never comes.
const HANGS: Duration = Duration::from_secs(60);
/// Every kind of channel; `NAME` and `PATH` are where the name goes. Small, so that senders wait too.
const KINDS: [&str; 9] = [
    "pipe:",
    "pipe:?mode=packet",
    "fifo:PATH",
    "fifo:PATH?mode=packet",
    "shm+lock:?capacity=64KiB",
    "shm+spsc:?capacity=64KiB",
    "shm+spsc:NAME?capacity=64KiB&peer=untrusted",
    "shm+mpmc:?capacity=64KiB",
    "sysv:",
];

fn main() {
    let entries = service::entries(Entries::new());
    let entries = ends::entries(entries);
    cancel::entries(entries).serve();
    let mut trials = service::trials();
    trials.extend(cancel::trials());
    trials.extend(ends::trials());
    trials.extend(queues::trials());
    trials.extend(runtimes::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A trial that passes unless it panics.
fn trial(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}

/// A process ends by itself if it hangs.
fn watch() {
    nix::unistd::alarm::set(WATCHDOG);
}

/// A runtime with so many workers.
fn runtime(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_all();
    builder.build().expect("starts")
}

/// Runs a future among others.
fn run(future: impl Future<Output = ()>) {
    runtime(2).block_on(future);
}

/// Both ends of a channel of this kind, with a name of its own if it has one.
fn pair(kind: &str) -> (BoxSender, BoxReceiver) {
    static COUNTER: AtomicU32 = AtomicU32::new(0);

    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("laneway-tokio.{}.{number}", process::id());
    let path = env::temp_dir().join(&name);
    let address = kind.replace("NAME", &name);
    let address = address.replace("PATH", &path.to_string_lossy());
    let channel = laneway::channel(&address).expect("a good address");
    channel.pair().unwrap_or_else(|e| panic!("{e}"))
}

/// Numbers that look like chance, the same each time.
fn chance(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 40
}
