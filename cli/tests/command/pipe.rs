//! The pipe that a shell makes between the two commands.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use crate::{carry::noise, framing::Scrap, running::Running};

const LANEWAY: &str = env!("CARGO_BIN_EXE_laneway");

/// Runs a line in a shell: its code, what it wrote, what it said.
fn shell(line: &str) -> (Option<i32>, Vec<u8>, String) {
    let mut command = Command::new("bash");
    command.args(["-c", line]).stdin(Stdio::null());
    let output = command.output().expect("runs");
    let said = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), output.stdout, said)
}

#[test]
fn a_file_goes_through_at_every_framing() {
    let file = noise((1 << 20) + 13);
    let scrap = Scrap::with(&file);
    let path = scrap.path();
    for address in ["pipe:", "'pipe:?mode=packet'", "'pipe:?capacity=256KiB'"] {
        let line = format!(
            "set -o pipefail; {LANEWAY} send --raw {address} {path} | {LANEWAY} recv --raw {address}"
        );
        let (code, copy, said) = shell(&line);
        assert_eq!((code, said.as_str()), (Some(0), ""), "{address}");
        assert!(copy == file, "{address}: other bytes");
    }
    let line = format!(
        "set -o pipefail; printf 'one\\n\\nthree' | {LANEWAY} send pipe: | {LANEWAY} recv --framing len pipe:"
    );
    let (code, copy, said) = shell(&line);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(copy, b"\x03\0\0\0one\0\0\0\0\x05\0\0\0three");
}

#[test]
fn a_receiver_that_ends_is_told() {
    let line = format!(
        "yes | {LANEWAY} send pipe: | {LANEWAY} recv --count 2 pipe:; echo ${{PIPESTATUS[1]}}"
    );
    let (code, copy, said) = shell(&line);
    assert_eq!((code, copy.as_slice()), (Some(0), &b"y\ny\n4\n"[..]));
    assert!(said.contains("every receiver is gone"), "{said}");
}

#[test]
fn what_is_no_channel_is_told() {
    let line = format!("echo 'just some text' | {LANEWAY} recv pipe:");
    let (code, copy, said) = shell(&line);
    assert_eq!((code, copy.as_slice()), (Some(1), &b""[..]), "{said}");
    assert!(said.starts_with("laneway: pipe:: "), "{said}");
}

#[test]
fn without_a_pipe_those_with_names_are_told() {
    for verb in ["send", "recv"] {
        let mut command = Command::new(LANEWAY);
        command.args([verb, "pipe:"]);
        let null = File::open("/dev/null").expect("is there");
        command.stdin(null).stdout(Stdio::null());
        let output = command.output().expect("runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{said}");
        for word in [
            "no name",
            "fifo:/tmp/x",
            "sysv:/tmp/x",
            "shm+lock:x",
            "send 'pipe:' | laneway recv 'pipe:'",
        ] {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
    }
    // Nobody joins two others to a pipe by an address.
    let rm = Running::start(&["rm", "pipe:"]).finish();
    rm.badly(2, &["no name"]);
}
