//! Every example runs by itself, says what it should, and ends well. Each asserts its own result too.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::OnceLock,
};

/// What each example says, line by line; `*` stands for anything.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("hello", &["hello, world"]),
    ("named", &["the squares of 1 to 100 sum to 338350"]),
    (
        "typed",
        &[
            "shm+lock: the other end has declared a type of 16 bytes aligned to 8, this end a type of 16 bytes aligned to 4; *",
            "Reading { sensor: 7, count: 0, celsius: 20.0 }",
            "Reading { sensor: 7, count: 1, celsius: 20.5 }",
            "Reading { sensor: 7, count: 2, celsius: 21.0 }",
        ],
    ),
    (
        "producer_consumer",
        &["one consumer did * jobs, the other *"],
    ),
    (
        "broadcast",
        &[
            "*: 20000 quotes, the last 100",
            "*: 20000 quotes, the last 100",
        ],
    ),
    ("custom_transport", &["through my own transport"]),
    ("handoff", &["took first", "took second", "took third"]),
    (
        "fork_and_wait",
        &[
            "the parent is *",
            "the child is *, its parent *",
            "* ended: exit status: 7",
            "three more ended: [(0, Some(1)), (1, Some(2)), (2, Some(3))]",
            "all well: true",
        ],
    ),
    (
        "process_lifecycle",
        &[
            "hello, ada",
            "hello, ada",
            "greet ended: exit status: 0",
            "greet ended: exit status: 1",
            "idler is alive: true",
            "after 50 ms: None",
            "terminated: signal: 15 (SIGTERM)",
            "idler is alive: false",
            "the closure ended: exit status: 42",
        ],
    ),
    (
        "pipe_duplex",
        &[
            "to be or not to be: 6 words",
            "a lane is a way: 5 words",
            "the child received 4.5 in all",
        ],
    ),
    (
        "fifo_two_programs",
        &[
            "read: first in",
            "read: first out",
            "read: that is all",
            "3 lines",
            "the path is gone: true",
        ],
    ),
    (
        "queue_put_get",
        &[
            "3 orders wait, empty: false",
            "Order { item: \"tea\", count: 1, note: None }",
            "2 milk in a hurry",
            "3 sugar ",
            "no more orders",
        ],
    ),
    (
        "shared_memory_with_lock",
        &["40000 after 4000 deposits", "40000 after the robbery"],
    ),
    ("producers_consumers", &["sentinels: * ms", "close: * ms"]),
    (
        "pool_apply",
        &[
            "at once: 100",
            "job 1: 0",
            "job 2: 1",
            "job 3: 4",
            "job 4: 9",
            "job 5: 16",
            "in time: 400",
            "worker * ended with job 7 in its hands (exit status: 3); submit it again if it may be done twice",
            "and the pool goes on: 900",
            "Ok(7)",
            "Err(\"42 divided by nothing\")",
        ],
    ),
    (
        "pool_results",
        &[
            "[[\"not\", \"to\", \"be\", \"or\"], [\"question\", \"that\", \"the\", \"is\"]]",
            "[0, 1, 8, 27, 64, 125, 216, 343]",
            "in order: 1",
            "in order: 8",
            "in order: 27",
            "in any order: 371507500",
            "1728",
            "job * panicked in worker *: 13 brings bad luck",
            "2744",
        ],
    ),
    (
        "pipeline",
        &[
            "stage  workers  *  items/s  *",
            "read         1            0           84  *",
            "words        4           84           84  *",
            "count        2           84           84  *",
            "sink         1           84            0  *",
            "500000 words",
        ],
    ),
    (
        "tokio_service",
        &[
            "pipe:      50005000",
            "shm+lock:  50005000",
            "shm+mpmc:  50005000",
            "shm+spsc:  50005000",
            "sysv:      50005000",
        ],
    ),
];

/// The most lines an example may have; a whole transport has more.
const LONGEST: usize = 60;

/// An example, built as the tests are. Built here in case only this test was asked for.
fn example(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let own = env::current_exe().expect("own path");
        let folder = own.ancestors().nth(2).expect("in a folder of the target");
        let profile = if folder.ends_with("debug") {
            "test"
        } else {
            "release"
        };
        let status = Command::new(env!("CARGO"))
            // With the features that the whole workspace has, or it would all be built again.
            .args([
                "build",
                "--quiet",
                "--workspace",
                "--examples",
                "--profile",
                profile,
            ])
            .arg("--target-dir")
            .arg(folder.parent().expect("in a target"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(status.expect("cargo runs").success());
        folder.join("examples")
    });
    folder.join(name)
}

/// Starts an example that is ended if it hangs.
fn start(name: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new("timeout");
    command.arg("120").arg(example(name)).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("starts")
}

/// What it said, if it ended well.
fn finish(child: Child) -> Vec<String> {
    let output = child.wait_with_output().expect("is a child");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}\n{text}", output.status);
    text.lines().map(str::to_owned).collect()
}

/// Whether `line` is `pattern`, where each `*` stands for anything.
fn fits(line: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => line == pattern,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            (0..=line.len()).any(|skip| line.get(skip..).is_some_and(|line| fits(line, rest)))
        }),
    }
}

#[test]
fn patterns_tell_lines_apart() {
    assert!(fits("a 12 b", "a * b") && fits("x", "*") && fits("ab", "ab*"));
    assert!(!fits("a 12 c", "a * b") && !fits("ab", "a") && !fits("a", "ab"));
}

#[test]
fn each_says_what_it_should() {
    for (name, lines) in EXAMPLES {
        let said = finish(start(name, &[]));
        assert_eq!(said.len(), lines.len(), "{name}: {said:?}");
        for (line, pattern) in said.iter().zip(*lines) {
            assert!(fits(line, pattern), "{name}: {line}");
        }
    }
}

#[test]
fn each_is_tested_and_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in fs::read_dir(folder).expect("there") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let name = stem.expect("a plain name");
        let known = EXAMPLES.iter().any(|(known, _)| *known == name);
        assert!(known, "{name} is not tested");
        let lines = fs::read_to_string(&path).expect("text").lines().count();
        let exempt = name == "custom_transport";
        assert!(lines <= LONGEST || exempt, "{name} has {lines} lines");
    }
}

/// Two programs, whichever starts first, on every scheme that has names.
#[test]
fn named_works_in_either_order() {
    for driver in laneway::Registry::BUILTIN.drivers() {
        if !driver
            .capabilities()
            .is_some_and(|can| can.gives_each_once())
        {
            // What is sent before anybody has come is for nobody.
            continue;
        }
        for order in [["squares", "numbers"], ["numbers", "squares"]] {
            let unique = format!("laneway-examples.{}.{}", process::id(), order[0]);
            let Some(name) = driver.example_name(&unique) else {
                continue;
            };
            let address = format!("{}:{name}", driver.scheme());
            let [first, second] = order.map(|role| start("named", &[role, &address]));
            let said = [finish(first), finish(second)].concat();
            assert_eq!(said, ["338350"], "{address}");
        }
    }
}

#[test]
fn the_custom_transport_passes_the_suite() {
    let said = finish(start("custom_transport", &["--conformance"]));
    let (count, trials) = said.split_first().expect("lines");
    assert_eq!(*count, format!("{} trials", trials.len()));
    assert!(trials.len() > 80, "{count}");
    assert!(
        trials
            .iter()
            .all(|trial| trial.starts_with("socket//anonymous/"))
    );
}
