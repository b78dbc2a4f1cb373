//! What cannot be is said, with what to do, and leaves nothing.

use std::fs;

use crate::{
    place::Place,
    running::{Finished, Running},
};

/// Runs `laneway` to its end, with nothing to read.
fn run(arguments: &[&str]) -> Finished {
    Running::start(arguments).finish()
}

#[test]
fn bad_addresses_are_shown_with_the_place() {
    let cases = [
        ("nonsense", "start with a scheme", "\n  ^\n"),
        ("smoke:signals", "use one of pipe, fifo", "\n  ^\n"),
        (
            "fifo:/tmp/x?capcity=1",
            "takes mode, capacity",
            "\n              ^\n",
        ),
        (
            "fifo:/tmp/x?capacity=0",
            "a size such as",
            "\n                       ^\n",
        ),
        ("fifo:/tmp/%zz", "%25", "\n            ^\n"),
        ("shm+lock:a/b", "slash", "\n           ^\n"),
        ("sysv:/tmp/x?id=0", "1 to 255", "\n                 ^\n"),
    ];
    for verb in ["send", "recv"] {
        for (address, says, caret) in cases {
            run(&[verb, address]).badly(2, &[says, &format!("\n  {address}\n"), caret]);
        }
    }
}

#[test]
fn a_channel_without_a_name_is_refused_with_those_that_have_one() {
    for verb in ["send", "recv"] {
        run(&[verb, "shm+lock:"]).badly(2, &["no name", "use shm+lock:x\n"]);
        run(&[verb, "fifo:"]).badly(2, &["no name", "use fifo:/tmp/x\n"]);
    }
}

#[test]
fn wrong_usage_has_its_own_code() {
    let place = Place::at("fifo");
    let address = place.address.as_str();
    for arguments in [
        &["send"][..],
        &["juggle"],
        &["recv", address, "--count", "0"],
        &["recv", address, "--timeout", "-1"],
        &["recv", address, "--timeout", "soon"],
        &["send", address, "--size", "1KiB"],
        &["send", address, "--raw", "--size", "0"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.err.contains("error:"), "{arguments:?}: {}", ended.err);
    }
    place.assert_gone();
}

#[test]
fn what_is_in_the_way_stays_and_is_told() {
    let place = Place::at("fifo");
    let path = place.address.strip_prefix("fifo:").expect("a FIFO");
    fs::write(path, "precious").expect("writes");
    run(&["send", &place.address]).badly(3, &["not a FIFO", "another name"]);
    run(&["recv", &place.address]).badly(3, &["not a FIFO", "another name"]);
    assert_eq!(fs::read(path).expect("reads"), b"precious");
    run(&["recv", "fifo:/nowhere/at/all"]).badly(3, &["does not exist"]);
}

#[test]
fn the_only_place_is_taken_once() {
    let place = Place::at("fifo");
    let (mut sender, mut receiver) = place.start_both(true, &[]);
    sender.type_in(b"both are there\n");
    assert_eq!(receiver.line(), "both are there\n");
    place
        .start("recv", &[])
        .finish()
        .badly(3, &["another process"]);
    place
        .start("send", &[])
        .finish()
        .badly(3, &["another process"]);
    sender.finish().well();
    receiver.finish().well();
    place.assert_gone();
}

#[test]
fn a_line_that_is_too_long_is_not_cut() {
    for place in Place::spelled() {
        let max = place.max_message();
        let longest = "x".repeat(max);
        let (mut sender, receiver) = place.start_both(true, &[]);
        sender.feed(format!("short\n{longest}\n{longest}x\nnever\n").into_bytes());
        let received = receiver.finish().well();
        assert!(received == format!("short\n{longest}\n").as_bytes());
        sender
            .finish()
            .badly(1, &["line 3", &max.to_string(), "--raw"]);
        place.assert_gone();
    }
}

#[test]
fn a_block_that_is_too_large_is_refused_at_the_start() {
    for place in Place::plain() {
        let max = place.max_message();
        let size = (max + 1).to_string();
        let ended = place.start("send", &["--raw", "--size", &size]).finish();
        ended.badly(2, &[&size, &max.to_string()]);
        place.assert_gone();
    }
}
