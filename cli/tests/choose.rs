//! `laneway choose` as people and scripts run it.

use std::{
    fs,
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

#[test]
fn prints_one_screen_with_an_answer() {
    let (output, text) = run(&["--time", "1"]);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    assert!(output.stderr.is_empty(), "silent where nobody watches");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    for scheme in ["pipe:", "fifo:", "sysv:", "shm+lock:"] {
        assert!(text.contains(&format!("\n {scheme} ")), "{scheme}: {text}");
    }
    let start = |label: &str| text.lines().any(|line| line.starts_with(label));
    for label in ["ANSWER ", "WHY ", "MACHINE ", "NEXT "] {
        assert!(start(label), "{label}: {text}");
    }
    // What it tells to paste is an address that opens.
    let next = text
        .lines()
        .find(|line| line.starts_with("NEXT"))
        .expect("there");
    let address = next.split('"').nth(1).expect("quoted");
    laneway::channel(address).expect("a good address");
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
fn writes_a_file_besides_the_screen() {
    let name = format!("laneway-choose.{}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let (output, text) = run(&["--time", "0.5", "--json", path.to_str().expect("text")]);
    let written = fs::read(&path);
    fs::remove_file(&path).expect("was written");
    assert!(matches!(output.status.code(), Some(0 | 3)));
    assert!(text.contains("ANSWER"));
    let value: Value = serde_json::from_slice(&written.expect("reads")).expect("JSON");
    assert_eq!(value["schema"], 2);
    let (output, _) = run(&["--time", "0.5", "--json", "/nowhere/at/all.json"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn several_sizes_make_a_table() {
    let (output, text) = run(&["--time", "0.5", "--size", "8,16KiB", "--markdown"]);
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
    let start = Instant::now();
    while objects(child.id()).len() < 6 {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it makes no objects"
        );
        thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn a_signal_leaves_nothing_behind() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut child = measuring();
        let pid = i32::try_from(child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("is ours");
        let status = child.wait().expect("is ours");
        assert_eq!(status.code(), Some(code));
        assert_eq!(objects(child.id()), Vec::<PathBuf>::new());
    }
}
