//! Python's queues, by `peers/python/rivals.py`: two processes that play while both sides here sleep on the same cores.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

use nix::unistd::getpid;

use crate::{
    futex::Tide,
    row::{Kind, Need, Row, Wait, Work},
    slices::{Other, SLICE, Slice, die_with, run, shared},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/rivals.py");
const FASTER_FIFO: &str = "faster-fifo==1.5.2";

/// The environment that this tool installs into: `target/peers-python`.
fn home() -> PathBuf {
    let program = env::current_exe().expect("knows its path");
    let target = program.ancestors().nth(2).expect("lies in target/release");
    target.join("peers-python")
}

/// Python itself, with what was installed for it where there is something.
pub(crate) fn interpreter() -> PathBuf {
    let installed = home().join("bin/python");
    match installed.exists() {
        true => installed,
        false => "python3".into(),
    }
}

/// Runs a command to its end; the last thing that it complains about, if it fails.
fn complete(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_owned();
    let unstartable = |error| format!("{}: {error}", program.display());
    let output = command.output().map_err(unstartable)?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.trim_end().lines().next_back();
    Err(last.unwrap_or("fails without a word").to_owned())
}

/// Whether a queue is there.
fn has(kind: &str) -> Result<(), String> {
    complete(Command::new(interpreter()).args([SCRIPT, "--check", kind]))
}

/// Python and its own queues.
fn python() -> Result<(), String> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();

    let look = || has("Queue").map_err(|why| format!("{why}: apt-get install python3"));
    FOUND.get_or_init(look).clone()
}

/// The same and faster-fifo, which is installed if it can be.
pub(crate) fn faster_fifo() -> Result<(), String> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();

    let install = || {
        python()?;
        if has("faster-fifo").is_ok() {
            return Ok(());
        }
        let home = home();
        let what = |why| format!("{why}: pip install {FASTER_FIFO} in {}", home.display());
        complete(Command::new("python3").args(["-m", "venv"]).arg(&home)).map_err(what)?;
        let quietly = ["install", "--quiet", "--disable-pip-version-check"];
        let mut pip = Command::new(home.join("bin/pip"));
        complete(pip.args(quietly).arg(FASTER_FIFO)).map_err(what)?;
        has("faster-fifo").map_err(what)
    };
    FOUND.get_or_init(install).clone()
}

/// The script, at work.
struct Script {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Script {
    fn start(kind: &str, size: usize, way: &str) -> Self {
        let mut command = Command::new(interpreter());
        command
            .args([SCRIPT, kind, &size.to_string(), way])
            .arg(SLICE.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let parent = getpid();
        let prepare = move || {
            die_with(parent);
            Ok(())
        };
        // SAFETY: makes system calls only.
        unsafe { command.pre_exec(prepare) };
        let mut child = command.spawn().expect("starts Python");
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut script = Self {
            child,
            orders,
            answers,
        };
        assert_eq!(script.answer(), "ready");
        script
    }

    /// The next line that it prints.
    fn answer(&mut self) -> String {
        let mut line = String::new();
        if self.answers.read_line(&mut line).expect("reads") == 0 {
            let mut complaint = String::new();
            let errors = self.child.stderr.as_mut().expect("piped");
            errors.read_to_string(&mut complaint).expect("reads");
            let last = complaint.trim_end().lines().next_back();
            panic!("{}", last.unwrap_or("ends without a word"));
        }
        line.trim_end().to_owned()
    }

    /// Plays a slice: how many messages or rounds, and nanoseconds.
    fn play(&mut self) -> (f64, f64) {
        self.orders.write_all(b"\n").expect("writes");
        let answer = self.answer();
        let (count, nanos) = answer.split_once(' ').expect("two numbers");
        let number = |text: &str| text.parse().expect("a number");
        (number(count), number(nanos))
    }

    fn end(mut self) {
        drop(self.orders);
        assert!(self.child.wait().expect("ends").success());
    }
}

/// Plays slices of `kind`; `value` makes a figure of a count and its nanoseconds.
fn play(kind: &str, size: usize, way: &str, slices: u32, value: fn(f64, f64) -> f64) -> Vec<Slice> {
    let mut script = Script::start(kind, size, way);
    // SAFETY: zeroed it is valid.
    let over: &'static Tide = unsafe { shared() };
    let kept = run(
        Other::Process,
        slices,
        |_, _| {
            let (count, nanos) = script.play();
            over.rise();
            value(count, nanos)
        },
        |_, turn| over.reach(u32::try_from(turn + 1).expect("few")),
    );
    script.end();
    kept
}

/// A row of a queue that the script knows by this name.
fn row(work: Work, kind: &'static str, wait: Wait, need: Need) -> Row {
    let who = format!("python {kind}");
    let run = move |slices| match work {
        Work::Stream(size) | Work::Crowd(size) => {
            play(kind, size, "one-way", slices, |count, nanos| {
                count / nanos * 1e3
            })
        }
        Work::Trip(size) => play(kind, size, "round-trip", slices, |count, nanos| {
            nanos / count
        }),
    };
    Row::new(Kind::Rival, work, &who, wait, run).needs(need)
}

pub(super) fn rows() -> Vec<Row> {
    let works = [
        Work::Stream(64),
        Work::Stream(1 << 10),
        Work::Stream(64 << 10),
        Work::Trip(8),
    ];
    let queues: [(&str, Wait, Need); 4] = [
        ("Queue", Wait::Kernel, python),
        ("SimpleQueue", Wait::Kernel, python),
        ("Pipe", Wait::Kernel, python),
        ("faster-fifo", Wait::Park, faster_fifo),
    ];
    let of = |(kind, wait, need)| works.map(|work| row(work, kind, wait, need));
    queues.into_iter().flat_map(of).collect()
}
