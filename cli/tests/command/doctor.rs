//! `laneway doctor`.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::running::Running;

/// The checks, and the exit code that came with them.
fn checks() -> (Vec<Value>, Option<i32>) {
    let ended = Running::start(&["doctor", "--json"]).finish();
    assert_eq!(ended.err, "");
    let report: Value = serde_json::from_slice(&ended.out).expect("JSON");
    assert_eq!(report["schema"], 1);
    (
        report["checks"].as_array().expect("a list").clone(),
        ended.code,
    )
}

#[test]
fn it_tells_the_settings_of_this_machine() {
    let (checks, _) = checks();
    for name in [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "fs.pipe-max-size",
        "fs.pipe-user-pages-soft",
        "fs.inotify.max_user_instances",
    ] {
        let check = checks.iter().find(|check| check["name"] == name);
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let value = fs::read_to_string(path).expect("reads");
        assert_eq!(check.expect(name)["value"], value.trim());
    }
    let names: BTreeSet<_> = checks.iter().map(|check| check["name"].as_str()).collect();
    for name in [
        "kernel",
        "cores",
        "governor",
        "/dev/shm",
        "descriptors",
        "locked memory",
        "container",
        "IPC namespace",
        "virtual machine",
    ] {
        assert!(names.contains(&Some(name)), "{name}: {names:?}");
    }
    let ipc = checks.iter().find(|check| check["name"] == "IPC namespace");
    let link = fs::read_link("/proc/self/ns/ipc").expect("reads");
    let value = ipc.expect("there")["value"].as_str().expect("text");
    assert!(value.starts_with(link.to_str().expect("text")), "{value}");
}

#[test]
fn the_code_says_whether_something_is_worth_mending() {
    let (checks, code) = checks();
    let sick: Vec<_> = checks
        .iter()
        .filter(|check| check["state"] == "warn")
        .collect();
    assert_eq!(code, Some(if sick.is_empty() { 0 } else { 3 }));
    let screen = Running::start(&["doctor"]).finish();
    assert_eq!((screen.code, screen.err.as_str()), (code, ""));
    let text = String::from_utf8(screen.out).expect("text");
    for check in &checks {
        let name = check["name"].as_str().expect("text");
        assert!(text.contains(&format!("     {name}: ")), "{name}: {text}");
        if let Some(mend) = check["mend"].as_str() {
            assert!(text.contains(&format!("$ {mend}\n")), "{mend}: {text}");
        }
    }
}

#[test]
fn a_low_limit_is_worth_mending() {
    use nix::sys::resource::{Resource, getrlimit};

    // Of a shell of its own, so that nobody else has it.
    let laneway = env!("CARGO_BIN_EXE_laneway");
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("reads");
    let script = format!("ulimit -S -n 64; exec {laneway} doctor --json");
    let mut shell = std::process::Command::new("sh");
    let output = shell.args(["-c", &script]).output().expect("runs");
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("a list").iter();
    let check = checks.clone().find(|check| check["name"] == "descriptors");
    let check = check.expect("there");
    assert_eq!(check["state"], "warn");
    assert_eq!(check["mend"], format!("ulimit -n {}", hard.min(4096)));
}
