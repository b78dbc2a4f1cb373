//! Ends that go to processes that are no children, and users who may and may not be across.
//!
//! Givers, takers and strangers are this program again, started side by side; they know of each other only a path.

#![expect(
    clippy::disallowed_types,
    reason = "a test is not part of the crate whose types they are"
)]

#[path = "passing/crowd.rs"]
mod crowd;
#[path = "passing/forged.rs"]
mod forged;
#[path = "passing/malformed.rs"]
mod malformed;
#[path = "passing/naps.rs"]
mod naps;
#[path = "passing/siblings.rs"]
mod siblings;
#[path = "passing/types.rs"]
mod types;
#[path = "passing/users.rs"]
mod users;

use std::{
    env, io,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{self, Child, Command},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use laneway::{Address, BoxChannel, Deadline, Registry};
use libtest_mimic::{Arguments, Trial};
use nix::unistd::alarm;

/// Tells a child what to do.
const VARIABLE: &str = "LANEWAY_PASSING";
/// A child that lives longer than this hangs.
const WATCHDOG: u32 = 60;

fn main() {
    if let Ok(task) = env::var(VARIABLE) {
        alarm::set(WATCHDOG);
        let words: Vec<&str> = task.split(' ').collect();
        match words.as_slice() {
            ["sibling", rest @ ..] => siblings::play(rest),
            ["forged", rest @ ..] => forged::play(rest),
            ["user", rest @ ..] => users::play(rest),
            ["crowd", rest @ ..] => crowd::play(rest),
            ["naps", rest @ ..] => naps::play(rest),
            _ => panic!("no task {task}"),
        }
        process::exit(0);
    }
    let trials = [
        siblings::trials(),
        malformed::trials(),
        forged::trials(),
        users::trials(),
        crowd::trials(),
        naps::trials(),
        types::trials(),
    ];
    libtest_mimic::run(
        &Arguments::from_args(),
        trials.into_iter().flatten().collect(),
    )
    .exit();
}

/// A deadline that only a hang reaches.
fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// A word that nobody else has.
fn unique(word: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);

    // ORDERING: Relaxed; only different numbers are wanted.
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("laneway-passing.{}.{number}.{word}", process::id())
}

/// What is tried over a channel.
type Case = fn(&BoxChannel);

/// These cases, over each transport whose channels are sockets.
fn over_sockets(cases: &[(&'static str, Case)]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in Registry::BUILTIN.drivers() {
        if !driver.keys().iter().any(|key| key.name == "allow_uid") {
            continue;
        }
        for &(case, run) in cases {
            let driver = *driver;
            trials.push(Trial::test(
                format!("{}/{case}", driver.scheme()),
                move || {
                    let name = driver.example_name(&unique("socket")).expect("has names");
                    let address = Address::new(driver.scheme(), name).expect("a good name");
                    run(&driver.channel(&address).expect("a good address"));
                    Ok(())
                },
            ));
        }
    }
    assert!(!trials.is_empty());
    trials
}

/// A path that goes with this.
struct Meeting(PathBuf);

impl Meeting {
    fn new() -> Self {
        Self(env::temp_dir().join(unique("meeting")))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens, and takes the first that comes.
fn wait_at(path: &str) -> UnixStream {
    let listener = UnixListener::bind(path).expect("listens");
    listener.accept().expect("somebody comes").0
}

/// Connects to whoever listens, perhaps later.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells that somebody listens"
)]
fn go_to(path: &str) -> UnixStream {
    loop {
        match UnixStream::connect(path) {
            Ok(socket) => return socket,
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ),
                "{error}"
            ),
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// This program again, with a task. Found by its inode, so that whoever may not walk to it can run it too.
fn again(task: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.env(VARIABLE, task).stdin(process::Stdio::null());
    command
}

/// Held for reading while a child is made. Until that runs its own program it has copies of all descriptors here.
static FORKING: RwLock<()> = RwLock::new(());

/// Waits until what was closed here is closed.
fn settle() {
    drop(FORKING.write().unwrap_or_else(PoisonError::into_inner));
}

/// A child; dropping it kills and reaps it.
struct Running(Child);

impl Running {
    fn start(task: &str) -> Self {
        Self::run(&mut again(task))
    }

    fn run(command: &mut Command) -> Self {
        let _forking = FORKING.read().unwrap_or_else(PoisonError::into_inner);
        Self(command.spawn().expect("starts itself"))
    }

    /// Waits for its end, which must be good.
    fn finish(mut self) {
        let status = self.0.wait().expect("a child");
        assert!(status.success(), "a child failed: {status}");
    }

    fn kill(mut self) {
        self.0.kill().expect("a child");
        self.0.wait().expect("a child");
        settle();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
