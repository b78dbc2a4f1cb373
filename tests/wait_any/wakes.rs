//! Who sleeps is woken by a message, a death and a close, on every kind of channel, and by nothing else.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use laneway::{
    BoxReceiver, Channel, Deadline, Receiver, RecvError, Sender, WaitError,
    process::{Child, Entries, Process, inherited_receiver, inherited_sender},
    wait_any,
};
use libtest_mimic::Trial;
use nix::unistd::gettid;

use crate::{KINDS, borrow, pair, trial, watch};

/// Looks that find a thread asleep before it counts as asleep.
const ASLEEP: usize = 20;

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("obey", |()| obey())
        .entry("fork", |()| fork())
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in KINDS {
        trials.push(trial(format!("wakes/{kind}/a_message"), move || {
            wakes(kind, "send")
        }));
        trials.push(trial(format!("wakes/{kind}/a_close"), move || {
            wakes(kind, "close")
        }));
        trials.push(trial(format!("wakes/{kind}/a_death"), move || {
            wakes(kind, "die")
        }));
        trials.push(trial(
            format!("wakes/{kind}/what_is_there_is_not_waited_for"),
            move || {
                is_there(kind);
            },
        ));
    }
    trials.push(trial("wakes/many_times", many_times));
    trials.push(trial("wakes/a_forked_child", forked_child));
    trials.push(trial("wakes/the_deadline", the_deadline));
    trials.push(trial("wakes/a_queue_is_refused", a_queue_is_refused));
    // The check can fail: without the step nobody is woken. Only a build with the feature can leave it out.
    let has_steps = cfg!(feature = "crash-points");
    let without = trial("wakes/nobody_without_the_report", nobody_without_the_report);
    trials.push(without.with_ignored_flag(!has_steps));
    trials
}

/// Does what it is told, with the end that it was given.
fn obey() {
    watch();
    let mut orders = inherited_receiver("orders").expect("given");
    let mut tx = Some(inherited_sender("tx").expect("given"));
    let mut buf = [0; 16];
    while let Ok(len) = orders.recv(&mut buf) {
        match &buf[..len] {
            b"send" => tx.as_mut().expect("open").send(b"news").expect("sends"),
            b"close" => tx = None,
            b"die" => nix::sys::signal::raise(nix::sys::signal::SIGKILL).expect("dies"),
            #[cfg(feature = "crash-points")]
            b"leave out" => assert!(laneway::crash_points::leave_out("report-news")),
            other => panic!("{other:?}"),
        }
    }
}

/// A child that obeys, what to tell it by, and what it sends into.
fn servant(kind: &str) -> (Child, laneway::BoxSender, BoxReceiver) {
    let (tx, rx) = pair(kind);
    let (orders, taken) = pair("pipe:");
    let process = Process::new("obey", &()).give("tx", &tx).expect("gives");
    let process = process.give("orders", &taken).expect("gives");
    let child = process.end_with_parent().start().expect("starts");
    (child, orders, rx)
}

/// Has `act` happen once this thread sleeps.
fn once_asleep(act: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    let stat = format!("/proc/self/task/{}/stat", gettid());
    thread::spawn(move || {
        let mut asleep = 0;
        while asleep < ASLEEP {
            thread::sleep(Duration::from_millis(2));
            let text = fs::read_to_string(&stat).expect("a thread that lives");
            let sleeps = text.rsplit(") ").next().is_some_and(|s| s.starts_with('S'));
            asleep = if sleeps { asleep + 1 } else { 0 };
        }
        act();
    })
}

/// Receivers of every kind of channel to which nobody sends, with their senders.
fn silent() -> (Vec<laneway::BoxSender>, Vec<BoxReceiver>) {
    KINDS.iter().map(|kind| pair(kind)).unzip()
}

fn wakes(kind: &str, how: &'static str) {
    let (child, mut orders, rx) = servant(kind);
    let (_senders, mut receivers) = silent();
    receivers.insert(3, rx);
    let actor = once_asleep(move || {
        orders.send(how.as_bytes()).expect("is heard");
        // It lives on for as long as it is not known whether the sleeper wakes, and no longer.
        std::mem::forget(orders);
    });
    let ready = wait_any(&mut borrow(&mut receivers), Deadline::NEVER).expect("waits");
    assert_eq!(ready, 3);
    actor.join().expect("acts");
    let got = receivers[3].try_recv(&mut [0; 16]);
    match (how, got) {
        ("send", Ok(4)) | ("close" | "die", Err(RecvError::Disconnected)) => {}
        (_, other) => panic!("{other:?}"),
    }
    child.kill().expect("ends it");
    let status = child.join().expect("ends");
    assert_eq!(status.signal(), Some(nix::libc::SIGKILL), "{status}");
}

fn is_there(kind: &str) {
    let (_senders, mut receivers) = silent();
    for place in [0, 5, 10] {
        let (mut tx, rx) = pair(kind);
        receivers.insert(place, rx);
        tx.send(b"news").expect("sends");
        for deadline in [Deadline::NOW, Deadline::NEVER, Deadline::NOW] {
            let ready = wait_any(&mut borrow(&mut receivers), deadline).expect("is there");
            assert_eq!(ready, place);
        }
        assert_eq!(receivers[place].try_recv(&mut [0; 16]).expect("there"), 4);
        let again = wait_any(&mut borrow(&mut receivers), Deadline::NOW);
        assert!(matches!(again, Err(WaitError::Empty)), "{again:?}");
        drop((tx, receivers.remove(place)));
    }
}

/// One message at a time, each of which has to wake: a wake-up that is lost hangs.
fn many_times() {
    let (senders, mut receivers) = silent();
    let (turn, turns) = mpsc::channel::<usize>();
    let sending = thread::spawn(move || {
        let mut senders = senders;
        for place in turns {
            senders[place].send(b"news").expect("sends");
        }
    });
    for number in 0..4000 {
        let place = number * 7 % KINDS.len();
        turn.send(place).expect("is heard");
        let ready = wait_any(&mut borrow(&mut receivers), Deadline::NEVER).expect("waits");
        assert_eq!(ready, place, "message {number}");
        assert_eq!(receivers[place].try_recv(&mut [0; 16]).expect("there"), 4);
    }
    drop(turn);
    sending.join().expect("no panic");
}

/// A process that has waited before it forks: the child has its memory, and not the thread that hears.
fn fork() {
    watch();
    let mut rx = inherited_receiver("rx").expect("given");
    let first = wait_any(&mut [&mut rx], Deadline::after(Duration::from_millis(50)));
    assert!(matches!(first, Err(WaitError::Empty)), "{first:?}");
    let child = Process::fork(|| {
        watch();
        let mut rx = inherited_receiver("again").expect("given");
        let mut sender = inherited_sender("ready").expect("given");
        sender.send(b"waits").expect("is heard");
        let ready = wait_any(&mut [&mut rx], Deadline::NEVER).expect("waits");
        assert_eq!(ready, 0);
        assert_eq!(rx.try_recv(&mut [0; 16]).expect("there"), 4);
    });
    let ready = inherited_sender("ready").expect("given");
    let child = child.give("again", &rx).expect("gives");
    let child = child.give("ready", &ready).expect("gives").start();
    let status = child.expect("forks").join().expect("ends");
    assert!(status.success(), "{status}");
}

fn forked_child() {
    for kind in ["shm+lock:", "shm+spsc:", "shm+mpmc:", "pipe:"] {
        let (mut tx, rx) = pair(kind);
        let (ready_tx, mut ready) = pair("pipe:");
        let process = Process::new("fork", &()).give("rx", &rx).expect("gives");
        let process = process.give("ready", &ready_tx).expect("gives");
        let child = process.end_with_parent().start().expect("starts");
        drop((rx, ready_tx));
        ready.recv(&mut [0; 16]).expect("the grandchild waits");
        thread::sleep(Duration::from_millis(20));
        tx.send(b"news").expect("sends");
        let status = child.join().expect("ends");
        assert!(status.success(), "{kind}: {status}");
    }
}

fn the_deadline() {
    let (_senders, mut receivers) = silent();
    for millis in [0, 1, 30] {
        let start = Instant::now();
        let timeout = Duration::from_millis(millis);
        let none = wait_any(&mut borrow(&mut receivers), Deadline::after(timeout));
        assert!(matches!(none, Err(WaitError::Empty)), "{none:?}");
        assert!(start.elapsed() >= timeout, "{millis} ms");
    }
}

fn a_queue_is_refused() {
    let (_senders, mut receivers) = silent();
    let queue = laneway::channel("sysv:").expect("a good address");
    let (mut tx, rx) = queue.pair().expect("opens");
    tx.send(b"news").expect("sends");
    receivers.insert(2, rx);
    let refused = wait_any(&mut borrow(&mut receivers), Deadline::NOW);
    let error = refused.expect_err("a queue tells nobody");
    let WaitError::Unsupported { index: 2, address } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(address.as_ref(), Some(&queue.address()));
    let told = error.to_string();
    assert!(told.contains("sysv:") && told.contains("thread"), "{told}");
}

fn nobody_without_the_report() {
    const PAUSE: Duration = Duration::from_millis(500);

    for kind in ["shm+lock:", "shm+spsc:", "shm+mpmc:"] {
        let (child, mut orders, rx) = servant(kind);
        let (_senders, mut receivers) = silent();
        receivers.insert(3, rx);
        let none = wait_any(&mut borrow(&mut receivers), Deadline::after(PAUSE));
        assert!(matches!(none, Err(WaitError::Empty)), "{none:?}");
        orders.send(b"leave out").expect("is heard");
        let start = Instant::now();
        let actor = once_asleep(move || {
            orders.send(b"send").expect("is heard");
            std::mem::forget(orders);
        });
        // It is found by the look at the deadline, if it came by then, and by nothing before.
        let late = wait_any(&mut borrow(&mut receivers), Deadline::after(PAUSE));
        let slept = start.elapsed();
        actor.join().expect("acts");
        if late.is_err() {
            // The child was slow. Looking at once finds it some time.
            while wait_any(&mut borrow(&mut receivers), Deadline::NOW).is_err() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert_eq!(receivers[3].try_recv(&mut [0; 16]).expect("there"), 4);
        child.kill().expect("ends it");
        child.join().expect("ends");
        assert!(
            slept >= PAUSE,
            "{kind}: woken without a report after {slept:?}"
        );
    }
}
