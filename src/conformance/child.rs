//! What a child process of the suite does. The child is the test binary itself, run again.

use std::{
    env,
    process::{self, Child, Command, Stdio},
    sync::{PoisonError, RwLock},
};

use crate::{
    Address, Channel, Deadline, Endpoint, Receiver, RecvError, Registry, Sender,
    conformance::message::Numbered,
    process::{give, take},
};

/// Holds the role, the scheme and `static` or `dyn`.
const VARIABLE: &str = "LANEWAY_CONFORMANCE_CHILD";
/// Held for reading while a child is made. Until that runs its own program it holds what every other child was given, so that what
/// these held is not free yet when they have died.
static FORKING: RwLock<()> = RwLock::new(());
/// A child that lives longer than this ends itself.
const WATCHDOG: u32 = 300;

/// A started child; dropping it kills and reaps it.
pub(super) struct Running(Child);

impl Running {
    /// Starts this program again to play `role` on the endpoints given.
    pub(super) fn start(how: &str, role: &str, given: &[(&str, &dyn Endpoint)]) -> Self {
        let mut command = Command::new(env::current_exe().expect("own path"));
        command.stdout(Stdio::null());
        let mut scheme = String::new();
        for (key, endpoint) in given {
            give(&mut command, key, *endpoint).expect("gives");
            let handoff = endpoint.handoff().expect("hands over");
            handoff.address.scheme().clone_into(&mut scheme);
        }
        command.env(VARIABLE, format!("{role} {scheme} {how}"));
        let _forking = FORKING.read().unwrap_or_else(PoisonError::into_inner);
        Self(command.spawn().expect("starts itself"))
    }

    /// Waits for its end, which must be good.
    pub(super) fn finish(mut self) {
        let status = self.0.wait().expect("is a child");
        assert!(status.success(), "the child failed: {status}");
    }

    /// Kills it without warning, and reaps it. What it was given is then held by nobody.
    pub(super) fn kill(mut self) {
        self.0.kill().expect("is a child");
        self.0.wait().expect("is a child");
        drop(FORKING.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `finish` or `kill` there is nobody to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Plays a child's role and ends the process, if this process is a child of the suite. First thing in `main`.
pub fn serve(registry: &Registry) {
    let Ok(text) = env::var(VARIABLE) else {
        return;
    };
    nix::unistd::alarm::set(WATCHDOG);
    let mut words = text.split(' ');
    let (role, scheme, how) = (words.next(), words.next(), words.next());
    let (Some(role), Some(scheme)) = (role, scheme) else {
        process::exit(2);
    };
    let mut drivers = registry.drivers().iter();
    let Some(driver) = drivers.find(|driver| driver.scheme() == scheme) else {
        process::exit(3);
    };
    if how == Some("static") {
        (driver.suite().child)(role);
    } else {
        play(role, |address| {
            driver.channel(address).expect("a good address")
        });
    }
    process::exit(0);
}

/// Plays `role` on channels that `open` makes.
pub(super) fn play<C: Channel>(role: &str, open: impl Fn(&Address) -> C) {
    let sender = |key: &str| {
        let handoff = take(key).expect("given");
        open(&handoff.address)
            .adopt_sender(handoff)
            .expect("adopts")
    };
    let receiver = |key: &str| {
        let handoff = take(key).expect("given");
        open(&handoff.address)
            .adopt_receiver(handoff)
            .expect("adopts")
    };
    let mut words = role.split(',');
    let number = |word: Option<&str>| word.and_then(|w| w.parse().ok()).expect("a number");
    match words.next() {
        // Sends the numbers from one to another.
        Some("send") => {
            let (from, to) = (number(words.next()), number(words.next()));
            send_numbered(&mut sender("tx"), from, to);
        }
        // Receives until disconnected, each in order from 0.
        Some("receive") => {
            let expected = number(words.next());
            assert_eq!(receive_in_order(&mut receiver("rx")), expected);
        }
        // Receives what it is fast enough for, until disconnected: everything was seen or missed.
        Some("follow") => {
            let expected = number(words.next());
            let seen = follow(&mut receiver("rx"), 0);
            assert_eq!(seen, expected);
        }
        // Passes what it receives on, until disconnected.
        Some("relay") => {
            let (mut rx, mut tx) = (receiver("rx"), sender("tx"));
            relay(&mut rx, &mut tx);
        }
        // Sends one message, then holds the end until it is killed.
        Some("hold_sender") => {
            let mut tx = sender("tx");
            send_numbered(&mut tx, 0, 1);
            loop {
                std::thread::park();
            }
        }
        // Receives one message, then holds the end until it is killed.
        Some("hold_receiver") => {
            let mut rx = receiver("rx");
            // Whoever was to send it may be killed first.
            if rx.peek(Deadline::NEVER).is_ok() {
                rx.consume();
            }
            loop {
                std::thread::park();
            }
        }
        other => unreachable!("no role {other:?}"),
    }
}

/// Sends numbered messages, in batches now and then.
pub(super) fn send_numbered(tx: &mut impl Sender, from: u64, to: u64) {
    let numbered = Numbered::within(tx.limits());
    let mut batch = vec![Vec::new(); 16];
    let mut next = from;
    while next < to {
        if next % 64 < 48 {
            let message = batch.first_mut().expect("not empty");
            numbered.write(next, message);
            tx.send(message).expect("sends");
            next += 1;
        } else {
            let count = usize::try_from((to - next).min(16)).expect("small");
            for (message, number) in batch.iter_mut().zip(next..).take(count) {
                numbered.write(number, message);
            }
            let slices: Vec<&[u8]> = batch.iter().take(count).map(Vec::as_slice).collect();
            let sent = tx.send_batch_by(&slices, Deadline::NEVER).expect("sends");
            assert_eq!(sent, count, "a batch without a deadline goes wholly");
            next += count as u64;
        }
    }
}

/// Receives numbered messages until disconnected, by every way of receiving, and tells how many.
pub(super) fn receive_in_order(rx: &mut impl Receiver) -> u64 {
    let numbered = Numbered::within(rx.limits());
    let mut buf = vec![0; 60 << 10];
    let mut next = 0;
    loop {
        let result = match next % 3 {
            0 => rx.recv(&mut buf).map(|len| {
                let number = numbered.check(buf.get(..len).expect("within"));
                assert_eq!(number, Some(next));
                next += 1;
            }),
            1 => rx.peek(Deadline::NEVER).map(|message| {
                assert_eq!(numbered.check(message), Some(next));
                next += 1;
            }),
            _ => {
                let drained = rx.drain_by(7, Deadline::NEVER, &mut |message| {
                    assert_eq!(numbered.check(message), Some(next));
                    next += 1;
                });
                drained.map(drop)
            }
        };
        match result {
            Ok(()) => rx.consume(),
            Err(RecvError::Disconnected) => return next,
            Err(error) => panic!("message {next}: {error}"),
        }
    }
}

/// Receives numbered messages from `next` until disconnected, each in order or told as missed, and tells which would come next.
pub(super) fn follow(rx: &mut impl Receiver, mut next: u64) -> u64 {
    let numbered = Numbered::within(rx.limits());
    let mut buf = vec![0; 60 << 10];
    loop {
        let result = match next % 3 {
            0 => rx.recv(&mut buf).map(|len| {
                let number = numbered.check(buf.get(..len).expect("within"));
                assert_eq!(number, Some(next));
                next += 1;
            }),
            1 => rx.peek(Deadline::NEVER).map(|message| {
                assert_eq!(numbered.check(message), Some(next));
                next += 1;
            }),
            _ => {
                let drained = rx.drain_by(7, Deadline::NEVER, &mut |message| {
                    assert_eq!(numbered.check(message), Some(next));
                    next += 1;
                });
                drained.map(drop)
            }
        };
        match result {
            Ok(()) => rx.consume(),
            Err(RecvError::Lagged { missed }) => next += missed,
            Err(RecvError::Disconnected) => return next,
            Err(error) => panic!("message {next}: {error}"),
        }
    }
}

fn relay(rx: &mut impl Receiver, tx: &mut impl Sender) {
    loop {
        match rx.peek(Deadline::NEVER) {
            Ok(message) => tx.send(message).expect("sends"),
            Err(RecvError::Disconnected) => return,
            Err(error) => panic!("{error}"),
        }
        rx.consume();
    }
}
