//! The command, and what a case is.

use std::process::{Command, Stdio};

use serde_json::Value;

/// A case: its name, and what panics if the command does wrong.
pub(crate) type Case = (&'static str, fn());

/// The command, not started.
pub(crate) fn laneway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_laneway"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What it writes, when it has ended well.
pub(crate) fn said(arguments: &[&str]) -> String {
    let output = laneway(arguments).output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
    String::from_utf8(output.stdout).expect("text")
}

/// One look.
pub(crate) fn look(interval: &str) -> Value {
    let json = said(&["top", "--once", "--json", "--interval", interval]);
    assert_eq!(json.lines().count(), 1, "{json}");
    serde_json::from_str(&json).expect("JSON")
}
