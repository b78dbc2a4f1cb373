//! Children whose parent is killed.

use std::{thread, time::Duration};

use laneway::{
    BoxReceiver, Channel, ReceiverExt, RecvError, Sender, SenderExt,
    process::{Child, Entries, Process, inherited_receiver, inherited_sender},
};
use libtest_mimic::Trial;

use crate::{life::assert_gone, trial, watch};

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("parent", |(how, tied): (String, bool)| parent(&how, tied))
        .entry("echo", |()| echo())
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("orphans/end_with_a_killed_parent", || {
            for how in ["entry", "closure"] {
                ends(how);
            }
        }),
        trial("orphans/go_on_if_not_asked", || {
            for how in ["entry", "closure"] {
                goes_on(how);
            }
        }),
        trial("orphans/end_if_the_parent_was_faster", race),
    ]
}

/// Has a child of its own, and waits to be killed.
fn parent(how: &str, tied: bool) {
    watch();
    let tx = inherited_sender("tx").expect("given");
    let rx = inherited_receiver("rx").expect("given");
    let mut process = match how {
        "closure" => Process::fork(echo),
        _ => Process::new("echo", &()),
    };
    if tied {
        process = process.end_with_parent();
    }
    let process = process
        .give("tx", &tx)
        .and_then(|process| process.give("rx", &rx));
    let _child = process.expect("gives").start().expect("starts");
    drop((tx, rx));
    loop {
        thread::park();
    }
}

/// Sends back what comes.
fn echo() {
    watch();
    let mut tx = inherited_sender("tx").expect("given");
    let mut rx = inherited_receiver("rx").expect("given");
    while let Ok(message) = rx.loan() {
        tx.send(&message).expect("sends");
    }
}

/// A grandchild that echoes, its parent, and the ends across.
fn family(how: &str, tied: bool) -> (Child, laneway::BoxSender, BoxReceiver) {
    let open = || {
        laneway::channel("shm+mpmc:")
            .expect("good")
            .pair()
            .expect("opens")
    };
    let ((mut to, rx), (tx, mut from)) = (open(), open());
    let process = Process::new("parent", &(how.to_owned(), tied));
    let process = process
        .give("tx", &tx)
        .and_then(|process| process.give("rx", &rx));
    let parent = process.expect("gives").start().expect("starts");
    drop((tx, rx));
    to.send(b"there?").expect("sends");
    assert_eq!(&*from.loan().expect("the grandchild answers"), b"there?");
    (parent, to, from)
}

fn ends(how: &str) {
    let (parent, _to, mut from) = family(how, true);
    parent.kill().expect("is sent");
    parent.join().expect("ends");
    assert_gone(&mut from);
}

fn goes_on(how: &str) {
    let (parent, mut to, mut from) = family(how, false);
    parent.kill().expect("is sent");
    parent.join().expect("ends");
    to.send(b"still there?").expect("sends");
    let answer = from.loan_by(laneway::Deadline::after(Duration::from_secs(60)));
    assert_eq!(&*answer.expect("it lives"), b"still there?");
    // It ends for want of messages.
    drop(to);
    assert_gone(&mut from);
}

/// Parents are killed at once, at any moment of the start of their child: whichever end is gone, none stays.
fn race() {
    for pause in 0..40 {
        let (to, rx) = laneway::channel("shm+mpmc:")
            .expect("good")
            .pair()
            .expect("opens");
        let (tx, from) = laneway::channel("shm+mpmc:")
            .expect("good")
            .pair()
            .expect("opens");
        let process = Process::new("parent", &("entry".to_owned(), true));
        let process = process
            .give("tx", &tx)
            .and_then(|process| process.give("rx", &rx));
        let parent = process.expect("gives").start().expect("starts");
        drop((tx, rx));
        assert_eq!(
            parent
                .join_timeout(Duration::from_micros(pause * 100))
                .expect("a child"),
            None
        );
        parent.kill().expect("is sent");
        parent.join().expect("ends");
        let mut from = from.values::<u8>().expect("opens");
        let result = from.recv();
        assert!(matches!(result, Err(RecvError::Disconnected)), "{result:?}");
        drop(to.values::<u8>());
    }
}
