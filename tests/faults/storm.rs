//! Signals at ten thousand a second: no call returns early, and nothing is lost.
#![expect(unsafe_code, reason = "a signal handler is installed")]
#![expect(
    clippy::disallowed_types,
    reason = "counts signals, which no model has"
)]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use laneway::{
    BoxChannel, Channel, Endpoint, Receiver, RecvError, SendError, Sender, conformance::Numbered,
};
use nix::{
    libc::c_int,
    sys::{
        signal::{
            SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, Signal, sigaction,
        },
        time::TimeSpec,
        timer::{Expiration, Timer, TimerSetTimeFlags},
    },
    time::ClockId,
};

use crate::{
    peer::{Peer, say_end},
    world::Case,
};

pub(crate) const CASES: &[Case] = &[
    Case::new("an_interrupted_channel_loses_nothing", loses_nothing),
    Case::new("a_deadline_is_kept_in_a_storm", deadlines),
];

/// Between two signals.
const PERIOD: Duration = Duration::from_micros(100);
/// Messages, and signals, at least.
const MESSAGES: u64 = 20_000;
const SIGNALS: u64 = 5_000;
/// How long calls wait.
const WAIT: Duration = Duration::from_millis(300);

static COUNT: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: c_int) {
    // ORDERING: Relaxed; only a count.
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// How many signals have come.
fn signals() -> u64 {
    // ORDERING: Relaxed; only a count.
    COUNT.load(Ordering::Relaxed)
}

/// Runs something while signals come that interrupt every call.
pub(crate) fn around(run: impl FnOnce()) {
    // Without SA_RESTART.
    let action = SigAction::new(
        SigHandler::Handler(count),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler only adds to an atomic.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("installs");
    let event = SigEvent::new(SigevNotify::SigevSignal {
        signal: Signal::SIGUSR1,
        si_value: 0,
    });
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, event).expect("a timer");
    let every = Expiration::Interval(TimeSpec::from_duration(PERIOD));
    timer.set(every, TimerSetTimeFlags::empty()).expect("sets");
    run();
    drop(timer);
}

fn loses_nothing(channel: &BoxChannel) {
    let (mut tx, rx) = channel.pair().expect("opens");
    let peer = Peer::start("storm", &rx);
    drop(rx);
    let numbered = Numbered::within(tx.limits());
    around(|| {
        let mut message = Vec::new();
        let mut number = 0;
        while number < MESSAGES || signals() < SIGNALS {
            numbered.write(number, &mut message);
            tx.send(&message).expect("sends");
            number += 1;
        }
        say_end(&mut tx);
        drop(tx);
    });
    peer.end();
}

fn deadlines(channel: &BoxChannel) {
    let (mut tx, mut rx) = channel.pair().expect("opens");
    around(|| {
        let before = signals();
        let start = Instant::now();
        let nothing = rx.recv_timeout(&mut [0; 64], WAIT);
        assert!(matches!(nothing, Err(RecvError::Empty)), "{nothing:?}");
        assert!(start.elapsed() >= WAIT, "{:?}", start.elapsed());
        let message = vec![7; 64.min(tx.limits().max_message)];
        while tx.try_send(&message).is_ok() {}
        let start = Instant::now();
        let full = tx.send_timeout(&message, WAIT);
        assert!(matches!(full, Err(SendError::Full)), "{full:?}");
        assert!(start.elapsed() >= WAIT, "{:?}", start.elapsed());
        assert!(signals() > before + 100, "only {} signals", signals());
    });
}
