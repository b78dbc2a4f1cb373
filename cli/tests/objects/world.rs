//! A process of its own for each case, children that hold channels, and the command.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::{
        fd::AsRawFd,
        unix::{
            fs::PermissionsExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    time::Duration,
};

use laneway::{Address, BoxChannel, Channel, Deadline, Receiver, Registry, process::Queue};
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    unistd::{alarm, pause},
};
use serde_json::Value;

use crate::private::{self, snapshot::Snapshot};

/// Tells a child what to do.
pub(crate) const VARIABLE: &str = "LANEWAY_OBJECTS";
/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 240;
/// Somebody without any right.
pub(crate) const NOBODY: u32 = 65534;

/// A case: its name, and what panics if the command does wrong.
pub(crate) type Case = (&'static str, fn());

/// Does what the parent says and ends, if this process is a child.
pub(crate) fn serve(cases: &[Case]) {
    let Ok(task) = env::var(VARIABLE) else {
        return;
    };
    alarm::set(WATCHDOG);
    match task.split_once(' ') {
        None => private::enter(),
        Some(("case", name)) => {
            private::enter();
            let case = cases.iter().find(|(known, _)| *known == name);
            warm();
            let before = Snapshot::take();
            (case.expect("a case").1)();
            before.assert_same("at the end of the case");
        }
        Some(("hold", address)) => {
            hold(address, |channel| Box::new(channel.pair().expect("opens")))
        }
        Some(("send", address)) => hold(address, |channel| {
            Box::new(channel.sender().expect("opens"))
        }),
        Some(("receive", address)) => hold(address, |channel| {
            Box::new(channel.receiver().expect("opens"))
        }),
        Some(("queue", address)) => hold(address, |channel| {
            let queue = Queue::<u64>::over(&channel).expect("opens");
            Box::new((queue, channel))
        }),
        Some(_) => process::exit(2),
    }
    process::exit(0);
}

/// Has laneway start what it keeps for the life of a process, so that it is not taken for something left.
fn warm() {
    let channel = laneway::channel("shm+lock:?capacity=64KiB").expect("good");
    let (_tx, mut rx) = channel.pair().expect("opens");
    let nothing = rx.peek(Deadline::after(Duration::from_millis(100)));
    assert!(nothing.is_err(), "nothing was sent");
}

/// Opens, says so, and stays until it is killed.
#[expect(clippy::print_stdout, reason = "the answer to the parent")]
fn hold(address: &str, open: fn(BoxChannel) -> Box<dyn std::any::Any>) {
    // The place for all of them is small.
    let size = if address.starts_with("shm") {
        "?capacity=64KiB"
    } else {
        ""
    };
    let channel = laneway::channel(&format!("{address}{size}"));
    let ends = open(channel.expect("a good address"));
    println!("up");
    std::io::stdout().flush().expect("the parent reads");
    pause();
    drop(ends);
}

/// A child that has a channel open. Killed when dropped.
pub(crate) struct Holder(Child);

impl Holder {
    /// One that does `verb`: `hold` both ends, `send`, `receive`, or hold a `queue`.
    pub(crate) fn start(verb: &str, address: &str) -> Self {
        let mut command = private::again(VARIABLE, &format!("{verb} {address}"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("text");
        assert_eq!(line, "up\n", "{address}");
        Self(child)
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("our child");
        assert_eq!(self.0.wait().expect("our child").signal(), Some(9));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // After its end there is nobody to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address of every transport that has names.
pub(crate) fn addresses(word: &str) -> Vec<String> {
    let drivers = Registry::BUILTIN.drivers().iter();
    let addresses = drivers.filter_map(|driver| {
        // The rings have one place for all their names.
        let ring = driver.scheme().trim_start_matches("shm+");
        let name = driver.example_name(&format!("laneway-objects-{word}-{ring}"))?;
        let address = Address::new(driver.scheme(), name).expect("a good example");
        let named = driver.channel(&address).expect("good").capabilities().named;
        named.then(|| address.to_string())
    });
    let addresses: Vec<String> = addresses.collect();
    assert!(addresses.len() >= 5, "{addresses:?}");
    addresses
}

/// How the command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().expect("runs");
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Asserts that it did what it was asked, without a complaint, and gives what it wrote.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        self.out
    }

    /// Asserts that it failed with this code and said all of this.
    #[track_caller]
    pub(crate) fn badly(self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in says {
            assert!(self.err.contains(word), "no {word:?} in {:?}", self.err);
        }
    }
}

/// Runs `laneway` to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Ended::of(Command::new(env!("CARGO_BIN_EXE_laneway")).args(arguments))
}

/// The same as somebody without any right, who may not even walk to it.
pub(crate) fn run_as_nobody(arguments: &[&str]) -> Ended {
    let file = fs::File::open(env!("CARGO_BIN_EXE_laneway")).expect("there");
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).expect("ours");
    let mut command = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ended::of(command.args(arguments).uid(NOBODY).gid(NOBODY))
}

/// All objects as `laneway ls --json` shows them.
pub(crate) fn listed() -> Vec<Value> {
    rows(&run(&["ls", "--json"]).well())
}

/// The objects in the JSON of `ls`.
pub(crate) fn rows(json: &str) -> Vec<Value> {
    let json: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(json["schema"], 1);
    json["objects"].as_array().expect("a list").clone()
}

/// The states of all objects, with what they belong to, in order.
pub(crate) fn states() -> Vec<String> {
    let mut states: Vec<String> = listed()
        .iter()
        .map(|row| {
            let address = row["address"].as_str().unwrap_or("-");
            let word = |key: &str| row[key].as_str().expect("text").to_owned();
            format!("{address} {} {}", word("kind"), word("state"))
        })
        .collect();
    states.sort();
    states
}

/// A path in the temporary folder.
pub(crate) fn path(name: &str) -> PathBuf {
    env::temp_dir().join(name)
}

/// Sets who may do what with a file.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("is ours");
}

/// Asserts that nothing went, and that what is foreign or corrupt was told, each on a line.
#[track_caller]
pub(crate) fn assert_stays(told: &str) {
    assert!(!told.is_empty(), "what is there is told");
    for line in told.lines() {
        let is_odd = line.contains(" (foreign): ") || line.contains(" (corrupt): ");
        assert!(line.starts_with("left /") && is_odd, "{told}");
    }
}
