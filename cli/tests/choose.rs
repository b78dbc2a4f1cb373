//! `laneway choose` as people and scripts run it.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

fn laneway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_laneway"));
    command.arg("choose").args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (Output, String) {
    let output = laneway(arguments).output().expect("runs");
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    (output, text)
}

/// Objects that a process has named.
fn objects(pid: u32) -> Vec<PathBuf> {
    let own = format!("laneway-measure.{pid}.");
    let folders = [std::env::temp_dir(), "/dev/shm".into()];
    let entries = folders
        .iter()
        .flat_map(|f| fs::read_dir(f).expect("a folder").flatten());
    entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains(&own))
        .collect()
}

/// A file that goes when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(what: &str) -> Self {
        let name = format!("laneway-choose.{}.{what}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn with(what: &str, text: &str) -> Self {
        let scratch = Self::new(what);
        fs::write(&scratch.0, text).expect("writes");
        scratch
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }

    fn read(&self) -> String {
        fs::read_to_string(&self.0).expect("was written")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn starts(text: &str, label: &str) -> bool {
    text.lines().any(|line| line.starts_with(label))
}

/// Asserts that a screen is one.
fn is_a_screen(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(!text.contains('\x1b'), "colours, and no terminal");
}

#[test]
fn prints_one_screen_with_an_answer() {
    let (output, text) = run(&["--time", "1"]);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    assert!(output.stderr.is_empty(), "silent where nobody watches");
    is_a_screen(&text);
    for driver in laneway::Registry::BUILTIN.drivers() {
        let scheme = driver.scheme();
        let is_fit = driver
            .capabilities()
            .is_some_and(|can| can.gives_each_once());
        let row = if is_fit { "\n" } else { "\nREFUSED  " };
        assert!(
            text.contains(&format!("{row}{scheme}: ")),
            "{scheme}: {text}"
        );
    }
    for label in [
        "FOR", "ANSWER", "WHY", "FLIPS", "MAX", "FLOOR", "MACHINE", "NEXT",
    ] {
        assert!(starts(&text, &format!("{label} ")), "{label}: {text}");
    }
    for head in [
        "thrput",
        "p50",
        "p99",
        "p99.9",
        "max",
        "CPU/msg",
        "wakes/msg",
        "ctx/s",
        "vs floor",
        "verdict",
    ] {
        assert!(text.contains(head), "{head}: {text}");
    }
    assert!(text.contains("<- PICK"), "{text}");
    // What it tells to paste is an address that opens.
    let next = text
        .lines()
        .find(|line| line.starts_with("NEXT"))
        .expect("there");
    let address = next.split('"').nth(1).expect("quoted");
    laneway::channel(address).expect("a good address");
}

#[test]
fn bounds_that_nothing_keeps_are_told_with_what_to_relax() {
    let (output, text) = run(&["--time", "1", "--rate", "5k/s", "--slo", "p50<1ns"]);
    assert_eq!(output.status.code(), Some(4), "{text}");
    is_a_screen(&text);
    assert!(starts(&text, "ANSWER   none"), "{text}");
    assert!(text.contains("relax the service level"), "{text}");
    assert!(text.contains(" LATE\n"), "{text}");
    assert!(text.contains("5000 a second, by cpu, p50<1ns"), "{text}");
}

#[test]
fn what_is_needed_refuses_the_others_with_a_remedy() {
    let (output, text) = run(&["--time", "1", "--needs", "select,no-shm", "--named"]);
    assert!(matches!(output.status.code(), Some(0 | 3)));
    let refused = |line: &str| text.contains(line);
    assert!(refused("pipe: has no name -> hand its ends"), "{text}");
    assert!(
        refused("sysv: cannot be waited for together with others -> "),
        "{text}"
    );
    assert!(starts(&text, "ANSWER   fifo:"), "{text}");
}

#[test]
fn a_trace_is_sent_as_it_was_recorded() {
    let trace = Scratch::with("trace", "# two a millisecond\n64 500000\n4096 500000\n");
    let (output, json) = run(&["--time", "1", "--from-trace", trace.path(), "--json"]);
    assert!(matches!(output.status.code(), Some(0 | 3 | 4)));
    let value: Value = serde_json::from_str(&json).expect("JSON");
    let trace_in_json = &value["needs"]["workload"]["sizes"]["trace"];
    assert_eq!(trace_in_json[1]["size"], 4096);
    assert_eq!(trace_in_json[1]["gap"], 500_000);
    assert!(value["reports"][0]["arrivals"].is_object(), "it has a rate");
    // Without gaps there is none.
    let sizes = ["--time", "0.5", "--size-file", trace.path(), "--json"];
    let (_, json) = run(&sizes);
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert!(value["reports"][0]["arrivals"].is_null());
    // A bad one is told with its line.
    let bad = Scratch::with("bad-trace", "64 1\n64\n");
    let (output, _) = run(&["--from-trace", bad.path()]);
    let err = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err.contains("line 2") && err.contains("--size-file"),
        "{err}"
    );
}

#[test]
fn flags_change_what_a_preset_says() {
    let arguments = [
        "--preset", "rpc", "--size", "100", "--rate", "max", "--by", "rate", "--time", "0.5",
        "--json",
    ];
    let (output, json) = run(&arguments);
    assert!(matches!(output.status.code(), Some(0 | 3)));
    let value: Value = serde_json::from_str(&json).expect("JSON");
    let needs = &value["needs"];
    assert_eq!(needs["workload"]["reply"], true, "the preset's");
    assert_eq!(needs["workload"]["sizes"]["fixed"], 100);
    assert_eq!(needs["workload"]["rate"], Value::Null);
    assert_eq!(needs["objective"], "rate");
}

#[test]
fn a_saved_choice_gives_the_same_words_again() {
    let saved = Scratch::new("again.json");
    let (output, text) = run(&["--time", "1", "--json", saved.path()]);
    let (replayed, again) = run(&["--replay", saved.path()]);
    assert_eq!(text, again);
    assert_eq!(output.status.code(), replayed.status.code());
    // And other words if other things count.
    let (_, simplest) = run(&["--replay", saved.path(), "--by", "simplicity"]);
    assert!(starts(&simplest, "ANSWER   pipe:"), "{simplest}");
    let (none, _) = run(&["--replay", saved.path(), "--slo", "p50<1ns"]);
    assert_eq!(none.status.code(), Some(4));
}

#[test]
fn two_files_are_compared_machines_first() {
    let one = Scratch::new("one.json");
    run(&["--time", "0.5", "--json", one.path()]);
    let mut value: Value = serde_json::from_str(&one.read()).expect("JSON");
    value["machine"]["kernel"] = "Linux 7.1 x86_64".into();
    let rate = value
        .pointer_mut("/reports/0/throughput/rate/median")
        .expect("measured");
    *rate = (rate.as_f64().expect("a number") * 4.0).into();
    let other = Scratch::with("other.json", &value.to_string());
    let (output, text) = run(&["--compare", one.path(), other.path()]);
    assert_eq!(output.status.code(), Some(0));
    is_a_screen(&text);
    let place = |wanted: &str| {
        text.find(wanted)
            .unwrap_or_else(|| panic!("{wanted}: {text}"))
    };
    assert!(
        place("-> Linux 7.1 x86_64") < place("B against A"),
        "machines first"
    );
    let row = text
        .lines()
        .find(|line| line.starts_with("pipe:"))
        .expect("a row");
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((cells[1], cells[2]), ("4.00x", "1.00x"), "{row}");

    value["schema"] = 1.into();
    let old = Scratch::with("old.json", &value.to_string());
    let (output, _) = run(&["--compare", one.path(), old.path()]);
    let err = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err.contains("schema is 1") && err.contains("measure again"),
        "{err}"
    );
    let (output, _) = run(&["--compare", one.path(), "/nowhere.json"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn json_has_it_all_and_the_code_agrees() {
    let (output, text) = run(&["--time", "1", "--size", "9000", "--shape", "2x1", "--json"]);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let at = |pointer: &str| {
        value
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer}"))
    };
    assert_eq!(at("/schema"), 2);
    assert_eq!(at("/needs/workload/shape/producers"), 2);
    let rounds = at("/plan/rounds").as_u64();
    let measured = at("/reports/0/rounds")
        .as_array()
        .map(|all| all.len() as u64);
    assert_eq!(measured, rounds);
    let sysv = at("/refused").as_array().expect("a list").iter();
    let sysv = sysv
        .clone()
        .find(|refused| refused["address"] == "sysv:")
        .expect("too long");
    assert_eq!(sysv["refusal"], "too_long");
    assert_eq!(sysv["settings"][0]["name"], "kernel.msgmax");
    let code = match at("/recommendation/verdict").as_str() {
        Some("answer") => 0,
        Some("tie") => 3,
        other => panic!("{other:?}"),
    };
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn writes_files_besides_the_screen() {
    let (json, html) = (Scratch::new("beside.json"), Scratch::new("beside.html"));
    let (output, text) = run(&[
        "--time",
        "0.5",
        "--json",
        json.path(),
        "--html",
        html.path(),
    ]);
    assert!(matches!(output.status.code(), Some(0 | 3)));
    assert!(text.contains("ANSWER"));
    let value: Value = serde_json::from_str(&json.read()).expect("JSON");
    assert_eq!(value["schema"], 2);
    assert!(html.read().starts_with("<!DOCTYPE html>"));
    let (output, _) = run(&["--time", "0.5", "--json", "/nowhere/at/all.json"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn several_sizes_make_a_table_and_a_list() {
    let name = format!("laneway-choose.{}.list.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let table = ["--time", "0.5", "--size", "8,16KiB", "--markdown"];
    let save = ["--json", path.to_str().expect("text")];
    let (output, text) = run(&[&table[..], &save].concat());
    let written = fs::read(&path);
    fs::remove_file(&path).expect("was written");
    let list: Vec<Value> = serde_json::from_slice(&written.expect("reads")).expect("JSON");
    assert_eq!(list.len(), 2, "one for each size");
    assert_eq!(output.status.code(), Some(0));
    assert!(text.contains("|  | 8 B | 16 KiB |"), "{text}");
    assert!(
        text.contains("16 KiB: `sysv:` message 16384 B > kernel.msgmax"),
        "{text}"
    );
}

#[test]
fn nonsense_is_told_before_anything_runs() {
    for arguments in [
        &["--size", "0"][..],
        &["--size", "many"],
        &["--size", "1GiB"],
        &["--shape", "0x1"],
        &["--shape", "2"],
        &["--time", "nan"],
        &["--time", "-1"],
        &["--by", "taste"],
        &["--size", "8,64"],
        &["--json", "--markdown"],
        &["--rate", "fast"],
        &["--rate", "0"],
        &["--slo", "p98<1us"],
        &["--cpu-budget", "much"],
        &["--needs", "speed"],
        &["--preset", "everything"],
        &["--wait", "sleep"],
        &["--size", "8..4"],
        &["--size", "8", "--from-trace", "/dev/null"],
        &["--from-trace", "/dev/null"],
        &["--replay", "/dev/null"],
        &["--replay", "x.json", "--size", "8"],
        &["--compare", "x.json"],
        &["--compare", "x.json", "y.json", "--size", "8"],
    ] {
        let (output, text) = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text.is_empty() && !output.stderr.is_empty(),
            "{arguments:?}"
        );
    }
}

/// Starts a long measurement and waits until it has objects.
fn measuring() -> Child {
    let child = laneway(&["--time", "600"])
        .stdout(Stdio::null())
        .spawn()
        .expect("runs");
    wait_until("it makes objects", || objects(child.id()).len() >= 6);
    child
}

/// The processes that one has started.
fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("runs");
    let lists = threads.flatten().filter_map(|thread| {
        let path = thread.path().join("children");
        fs::read_to_string(path).ok()
    });
    let pids = lists.flat_map(|list| {
        let pids = list
            .split_whitespace()
            .map(|pid| pid.parse().expect("a pid"));
        pids.collect::<Vec<u32>>()
    });
    pids.collect()
}

/// System V queues that one of these processes has used last.
fn queues(pids: &[u32]) -> Vec<String> {
    let queues = fs::read_to_string("/proc/sysvipc/msg").expect("has queues");
    let used = queues.lines().skip(1).filter(|line| {
        let mut users = line.split_whitespace().skip(5).take(2);
        users.any(|pid| pids.iter().any(|known| pid == known.to_string()))
    });
    used.map(str::to_owned).collect()
}

/// Waits until `done`.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_kill_in_the_middle_leaves_nothing_behind() {
    let mut child = measuring();
    let is_busy = || {
        let peers = children(child.id());
        // Two for each transport.
        peers.len() >= 12 && !queues(&peers).is_empty()
    };
    wait_until("all its peers are there, and use a queue", is_busy);
    let peers = children(child.id());
    child.kill().expect("is ours");
    child.wait().expect("is ours");
    let lives = |pid: &u32| fs::exists(format!("/proc/{pid}")).expect("can be looked at");
    wait_until("its peers end", || !peers.iter().any(lives));
    assert_eq!(objects(child.id()), Vec::<PathBuf>::new());
    assert_eq!(queues(&peers), Vec::<String>::new());
}

#[test]
fn a_signal_leaves_nothing_behind() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = measuring();
        let pid = i32::try_from(child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("is ours");
        let status = child.wait().expect("is ours");
        assert_eq!(status.signal(), Some(signal as i32), "as shells count it");
        assert_eq!(objects(child.id()), Vec::<PathBuf>::new());
    }
}
