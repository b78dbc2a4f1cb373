//! Forks, each in a process of one thread that was started for it.

use std::{
    cell::Cell,
    fs::File,
    io::{Read, Write},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

use laneway::{
    Channel, Deadline, Endpoint, Receiver, ReceiverExt, RecvError, Registry, Sender, SenderExt,
    process::{
        Entries, Fork, ForkError, Process, fork, fork_anyway, inherited_receiver, inherited_sender,
        wait_all,
    },
};
use libtest_mimic::Trial;
use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, waitid},
    unistd::pipe,
};

use crate::{
    life::{assert_gone, exists},
    watch,
};

/// What is run in a process of its own.
const CASES: &[(&str, fn())] = &[
    ("a_closure_ends_with_its_code", codes),
    ("fork_returns_twice", twice),
    ("beside_threads_it_refuses", refuses),
    ("the_watcher_is_no_hindrance", watcher),
    ("given_ends_work_on_every_transport", given),
    ("a_child_holds_no_end_that_it_was_not_given", no_strays),
    ("a_captured_end_is_closed", captured),
    ("what_was_printed_is_printed_once", printed_once),
    ("a_handle_in_a_child_ends_nobody", handle_in_a_child),
    ("no_zombie_stays", no_zombie),
];

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("forks", |name: String| {
            watch();
            let case = CASES.iter().find(|(known, _)| *known == name);
            (case.expect("a case").1)();
        })
        .entry("print", |()| print())
}

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(name, _): &(&'static str, fn())| {
        let name = *name;
        Trial::test(format!("forks/{name}"), move || {
            let child = Process::new("forks", &name.to_owned()).start()?;
            match child.join()? {
                status if status.success() => Ok(()),
                status => Err(format!("{status}").into()),
            }
        })
    };
    CASES.iter().map(trial).collect()
}

fn codes() {
    let code = |process: Process| {
        process
            .start()
            .expect("starts")
            .join()
            .expect("ends")
            .code()
    };
    assert_eq!(code(Process::fork(|| ())), Some(0));
    assert_eq!(code(Process::fork(|| ExitCode::from(9))), Some(9));
    assert_eq!(code(Process::fork(|| Err::<(), _>("on purpose"))), Some(1));
    let panics = || -> () { panic!("on purpose") };
    assert_eq!(code(Process::fork(panics)), Some(101));
    let comm = || {
        let name = std::fs::read_to_string("/proc/self/comm").expect("there");
        assert_eq!(name, "counter\n");
    };
    assert_eq!(code(Process::fork(comm).name("counter")), Some(0));
}

fn twice() {
    let before = std::process::id();
    // SAFETY: no endpoint is open.
    match unsafe { fork() }.expect("forks") {
        Fork::Parent { child } => {
            assert_eq!(std::process::id(), before);
            assert_ne!(child.pid(), before);
            assert_eq!(child.join().expect("ends").code(), Some(5));
            assert!(!exists(child.pid()));
        }
        Fork::Child => {
            let parent = nix::unistd::getppid().as_raw().unsigned_abs();
            std::process::exit(if parent == before { 5 } else { 6 });
        }
    }
}

fn refuses() {
    let (_hold, wait) = mpsc::channel::<()>();
    let (up, is_up) = mpsc::channel();
    let stay = move || {
        // By now it has its name.
        up.send(()).expect("is waited for");
        wait.recv()
    };
    let other = thread::Builder::new().name("in the way".to_owned());
    other.spawn(stay).expect("starts");
    is_up.recv().expect("comes");
    // SAFETY: no endpoint is open.
    let refused = unsafe { fork() };
    let Err(error @ ForkError::Threads { .. }) = &refused else {
        panic!("{refused:?}");
    };
    assert!(error.to_string().contains("(in the way)"), "{error}");
    // SAFETY: no endpoint is open, and the child only ends.
    match unsafe { fork_anyway() }.expect("forks") {
        Fork::Parent { child } => assert!(child.join().expect("ends").success()),
        // SAFETY: it ends.
        Fork::Child => unsafe { nix::libc::_exit(0) },
    }
}

/// After a long sleep laneway has a thread of its own; the child does without.
fn watcher() {
    let (tx, mut rx) = laneway::channel("shm+mpmc:")
        .expect("good")
        .pair()
        .expect("opens");
    let nothing = rx.recv_timeout(&mut [0; 8], Duration::from_millis(100));
    assert!(matches!(nothing, Err(RecvError::Empty)));
    let threads = std::fs::read_dir("/proc/self/task").expect("there").count();
    assert_eq!(threads, 2, "the watcher runs");
    let process = Process::fork(|| {
        let mut tx = inherited_sender("tx").expect("given");
        let (_tx, mut rx) = laneway::channel("shm+mpmc:")
            .expect("good")
            .pair()
            .expect("opens");
        let nothing = rx.recv_timeout(&mut [0; 8], Duration::from_millis(100));
        assert!(matches!(nothing, Err(RecvError::Empty)));
        tx.send(b"slept").expect("sends");
    });
    let child = process
        .give("tx", &tx)
        .expect("gives")
        .start()
        .expect("starts");
    drop(tx);
    assert_eq!(&*rx.loan().expect("comes"), b"slept");
    assert!(child.join().expect("ends").success());
}

fn given() {
    for driver in Registry::BUILTIN.drivers() {
        let address = format!("{}:", driver.scheme());
        let Ok((tx, rx)) = laneway::channel(&address).expect("good").pair() else {
            continue;
        };
        let (back_tx, back) = laneway::channel(&address)
            .expect("good")
            .pair()
            .expect("opens");
        let process = Process::fork(|| {
            let mut rx = inherited_receiver("rx")
                .expect("given")
                .values::<u64>()
                .expect("opens");
            let mut tx = inherited_sender("tx")
                .expect("given")
                .values()
                .expect("opens");
            loop {
                match rx.recv() {
                    Ok(number) => tx.send(&(2 * number)).expect("sends"),
                    Err(RecvError::Disconnected) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            inherited_receiver("rx").expect_err("taken");
            inherited_receiver("other").expect_err("not given");
        });
        let process = process
            .give("rx", &rx)
            .and_then(|process| process.give("tx", &back_tx));
        let child = process.expect("gives").start().expect("starts");
        drop((rx, back_tx));
        let mut tx = tx.values().expect("opens");
        let mut back = back.values::<u64>().expect("opens");
        for number in 0..1000_u64 {
            tx.send(&number).expect("sends");
            assert_eq!(back.recv().expect("comes"), 2 * number, "{address}");
        }
        // The child has no sender of its own that would keep it waiting.
        drop(tx);
        assert_gone(&mut back.into_inner());
        assert!(child.join().expect("ends").success(), "{address}");
    }
}

/// Its parent closes, or is killed: peers are told, though the child lives on.
fn no_strays() {
    let named = format!("laneway-test.{}", std::process::id());
    for driver in Registry::BUILTIN.drivers() {
        let name = driver.example_name(&named).unwrap_or_default();
        let channel = laneway::channel(&format!("{}:{name}", driver.scheme())).expect("good");
        let (hold_tx, mut hold) = laneway::channel("pipe:")
            .expect("good")
            .pair()
            .expect("opens");
        let (tx, mut rx) = channel.pair().expect("opens");
        let (_, count) = (
            rx.depth(),
            std::fs::read_dir("/proc/self/fd").expect("there").count(),
        );
        assert!(count > 5);
        let process = Process::fork(|| {
            let mut tx = inherited_sender("hold").expect("given");
            tx.send(b"up").expect("sends");
            tx.wait_peer(Deadline::NOW).expect("asks");
            while !tx.is_disconnected() {
                thread::yield_now();
            }
        });
        let child = process
            .give("hold", &hold_tx)
            .expect("gives")
            .start()
            .expect("starts");
        assert_eq!(&*hold.loan().expect("comes"), b"up");
        drop(tx);
        assert_gone(&mut rx);
        assert!(child.is_alive());
        drop((hold, hold_tx));
        assert!(
            child.join().expect("ends").success(),
            "{}",
            channel.address()
        );
    }
}

fn captured() {
    let (tx, mut rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    let tx = Cell::new(Some(tx));
    let process = Process::fork(move || {
        let mut tx = tx.take().expect("was moved here");
        assert!(tx.send(b"lost").is_ok() || tx.is_disconnected());
    });
    let child = process.start().expect("starts");
    assert_gone(&mut rx);
    child.join().expect("ends");
}

/// Prints without a line's end, so that it stays in the buffer, and forks.
fn print() {
    print_part("before ");
    let child = Process::fork(|| print_part("in the child "))
        .start()
        .expect("starts");
    child.join().expect("ends");
    print_part("after");
}

fn print_part(text: &str) {
    std::io::stdout()
        .write_all(text.as_bytes())
        .expect("prints");
}

fn printed_once() {
    let (mut reader, writer) = pipe().map(|(r, w)| (File::from(r), w)).expect("opens");
    let own = nix::unistd::dup(std::io::stdout()).expect("duplicates");
    nix::unistd::dup2_stdout(&writer).expect("replaces");
    let child = Process::new("print", &()).start().expect("starts");
    nix::unistd::dup2_stdout(&own).expect("puts back");
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("reads");
    assert!(child.join().expect("ends").success());
    assert_eq!(text, "before in the child after");
}

fn handle_in_a_child() {
    let (tx, mut rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    let process = Process::fork(|| {
        let mut tx = inherited_sender("tx").expect("given");
        tx.send(b"up").expect("sends");
        while !tx.is_disconnected() {
            thread::yield_now();
        }
    });
    let first = process
        .give("tx", &tx)
        .expect("gives")
        .start()
        .expect("starts");
    assert_eq!(&*rx.loan().expect("comes"), b"up");
    // SAFETY: the child drops the handle that it has from here, and ends.
    match unsafe { fork() }.expect("forks") {
        Fork::Parent { child } => assert!(child.join().expect("ends").success()),
        Fork::Child => {
            drop(first);
            // SAFETY: it ends.
            unsafe { nix::libc::_exit(0) };
        }
    }
    assert!(first.is_alive());
    drop((rx, tx));
    assert!(first.join().expect("ends").success());
}

fn no_zombie() {
    let mut children: Vec<_> = (0..20)
        .map(|_| Process::fork(|| ()).start().expect("starts"))
        .collect();
    drop(children.split_off(10));
    wait_all(&children, Deadline::NEVER).expect("children");
    let any = waitid(
        Id::All,
        WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT,
    );
    assert_eq!(any, Err(Errno::ECHILD), "nobody is left to be reaped");
}
