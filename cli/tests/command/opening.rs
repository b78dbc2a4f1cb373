//! Opening, while somebody else opens or closes and does not come to an end.

use std::{
    fs::File,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::Signal,
};

use crate::{place::Place, running::Running};

/// Holds the gate of a channel, as a process does that was stopped while opening it.
fn stopped(place: &Place) -> (Running, Flock<File>) {
    let other = place.start("recv", &[]);
    other.until(|| place.exists());
    let path = place.segment();
    // The other may be in the gate itself for a moment.
    let gate = loop {
        let file = File::open(&path).expect("is there");
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(gate) => break gate,
            Err(_) => std::thread::yield_now(),
        }
    };
    (other, gate)
}

#[test]
fn the_time_covers_opening_too() {
    for scheme in ["shm+lock", "shm+mpmc"] {
        let place = Place::at(scheme);
        let (other, gate) = stopped(&place);
        for verb in ["recv", "send"] {
            let start = Instant::now();
            let ended = place.start(verb, &["--timeout", "0.3"]).finish();
            assert!(start.elapsed() >= Duration::from_millis(300));
            ended.badly(5, &[&place.address, "did not open within 300ms", "stopped"]);
        }
        drop(gate);
        other.signal(Signal::SIGTERM);
        other.ended().by(Signal::SIGTERM);
        place.assert_gone();
    }
}

#[test]
fn a_signal_ends_who_waits_to_open() {
    let place = Place::at("shm+lock");
    let (other, gate) = stopped(&place);
    let running = place.start("send", &[]);
    // It may not have come that far yet: then the signal ends it all the same.
    std::thread::sleep(Duration::from_millis(100));
    running.signal(Signal::SIGINT);
    running.ended().by(Signal::SIGINT);
    drop(gate);
    other.signal(Signal::SIGTERM);
    other.ended().by(Signal::SIGTERM);
    place.assert_gone();
}
