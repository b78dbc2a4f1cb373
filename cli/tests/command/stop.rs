//! Ending early, for whatever reason, and leaving nothing.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::place::{Place, has_queue};

/// More than any channel and any pipe between the processes holds.
fn lots() -> Vec<u8> {
    "a line of no importance, one of very many\n"
        .repeat(200_000)
        .into_bytes()
}

#[test]
fn who_waits_alone_gives_up_in_time() {
    let start = Instant::now();
    for (verb, says) in [("send", "no receiver came"), ("recv", "nothing came")] {
        for place in Place::plain() {
            let before = start.elapsed();
            let ended = place.start(verb, &["--timeout", "0.2"]).finish();
            ended.badly(5, &[&place.address, says, "wait longer"]);
            assert!(start.elapsed() - before >= Duration::from_millis(200));
            place.assert_gone();
        }
    }
}

#[test]
fn the_receiver_gives_up_on_a_silent_sender() {
    for place in Place::plain() {
        let mut sender = place.start("send", &[]);
        let mut receiver = place.start("recv", &["--timeout", "0.2"]);
        sender.type_in(b"hello\n");
        assert_eq!(receiver.line(), "hello\n");
        receiver.finish().badly(5, &["nothing came"]);
        sender.finish().well();
        place.assert_gone();
    }
}

#[test]
fn a_signal_ends_who_waits_alone() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        for verb in ["send", "recv"] {
            for place in Place::plain() {
                let running = place.start(verb, &[]);
                running.until(|| place.exists() || !place.is_made_by(verb));
                running.signal(signal);
                running.ended().by(signal);
                place.assert_gone();
            }
        }
    }
}

#[test]
fn two_signals_for_one_leave_no_more_than_one_does() {
    // As `timeout` sends them: to its child, and to the group that the child is in.
    for _ in 0..20 {
        let place = Place::at("shm+spsc");
        let running = place.start("recv", &[]);
        running.until(|| place.exists());
        running.signal(Signal::SIGTERM);
        running.signal(Signal::SIGTERM);
        running.ended().by(Signal::SIGTERM);
        place.assert_gone();
    }
}

#[test]
fn a_signal_removes_the_queue_in_the_kernel_too() {
    let place = Place::at("sysv");
    let receiver = place.start("recv", &[]);
    receiver.until(|| place.queue().is_some());
    let key = place.queue().expect("just seen");
    receiver.signal(Signal::SIGINT);
    receiver.finish().by(Signal::SIGINT);
    assert!(!has_queue(key));
    assert!(!fs::exists(format!("/dev/shm/laneway.sysv.{key:08x}")).expect("a path"));
    place.assert_gone();
}

#[test]
fn a_signal_ends_who_waits_for_input() {
    for place in Place::plain() {
        let (mut sender, mut receiver) = place.start_both(false, &[]);
        sender.type_in(b"hello\n");
        assert_eq!(receiver.line(), "hello\n");
        sender.signal(Signal::SIGINT);
        sender.ended().by(Signal::SIGINT);
        assert_eq!(receiver.finish().well(), b"");
        place.assert_gone();
    }
}

#[test]
fn a_signal_ends_who_waits_for_room() {
    for place in Place::plain() {
        // Nobody reads what the receiver writes, so at last both of them wait for room.
        let (mut sender, mut receiver) = place.start_both(false, &[]);
        sender.feed(lots());
        assert!(receiver.line().starts_with("a line"));
        sender.signal(Signal::SIGTERM);
        sender.ended().by(Signal::SIGTERM);
        drop(receiver);
    }
    for place in Place::plain() {
        let (mut sender, mut receiver) = place.start_both(false, &[]);
        sender.feed(lots());
        assert!(receiver.line().starts_with("a line"));
        receiver.signal(Signal::SIGINT);
        receiver.ended().by(Signal::SIGINT);
        sender
            .ended()
            .badly(4, &[&place.address, "every receiver is gone"]);
        place.assert_gone();
    }
}

#[test]
fn a_sender_misses_a_receiver_that_was_killed() {
    for last in [&b"more\n"[..], b""] {
        for place in Place::plain() {
            let (mut sender, mut receiver) = place.start_both(false, &[]);
            sender.type_in(b"hello\n");
            assert_eq!(receiver.line(), "hello\n");
            // What it can take no more.
            receiver.signal(Signal::SIGSTOP);
            sender.type_in(b"to nobody\n");
            // It may be sent by then or not.
            thread::sleep(Duration::from_millis(50));
            receiver.signal(Signal::SIGKILL);
            receiver.ended().by(Signal::SIGKILL);
            sender.type_in(last);
            sender
                .finish()
                .badly(4, &[&place.address, "every receiver is gone"]);
            place.assert_gone();
        }
    }
}

#[test]
fn a_closed_output_ends_the_receiver_quietly() {
    for place in Place::plain() {
        // While much comes.
        let (mut sender, mut receiver) = place.start_both(true, &[]);
        sender.feed(lots());
        assert!(receiver.line().starts_with("a line"));
        receiver.stop_reading();
        receiver.ended().well();
        sender.ended().badly(4, &["every receiver is gone"]);
        place.assert_gone();
    }
    for place in Place::plain() {
        // While nothing comes.
        let (mut sender, mut receiver) = place.start_both(true, &[]);
        sender.type_in(b"hello\n");
        assert_eq!(receiver.line(), "hello\n");
        receiver.stop_reading();
        receiver.ended().well();
        sender.type_in(b"more\n");
        sender
            .ended()
            .badly(4, &["after 1 message", "laneway recv"]);
        place.assert_gone();
    }
}

#[test]
fn a_killed_sender_ends_the_receiver_and_leaves_nothing() {
    for place in Place::plain() {
        let (mut sender, mut receiver) = place.start_both(true, &[]);
        sender.type_in(b"hello\n");
        assert_eq!(receiver.line(), "hello\n");
        sender.signal(Signal::SIGKILL);
        sender.ended().by(Signal::SIGKILL);
        assert_eq!(receiver.ended().well(), b"");
        place.assert_gone();
    }
}
