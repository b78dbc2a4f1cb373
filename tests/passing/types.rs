//! Of what type the messages at a socket are, as its file tells those who come.

use std::{path::Path, time::Duration};

use laneway::{
    BoxChannel, Channel, Deadline, OpenError, OpenErrorKind, Receiver, ReceiverExt, RecvError,
    SendError, SenderExt, process::give,
};
use libtest_mimic::Trial;
use nix::{
    fcntl::AT_FDCWD,
    sys::{
        stat::{UtimensatFlags, utimensat},
        time::TimeSpec,
    },
};

use crate::{Running, again, over_sockets, soon};

/// Another type than `u64`, of the same size.
type Other = [u32; 2];

pub(crate) fn trials() -> Vec<Trial> {
    over_sockets(&[
        ("the_type_of_the_dead_binds_nobody", the_dead),
        ("a_file_that_was_touched_tells_no_type", touched),
        ("who_came_first_is_told_of_another_type", who_came_first),
        (
            "nobody_speaks_for_who_is_at_the_path_now",
            another_at_the_path,
        ),
    ])
}

/// Panics unless an end was refused since it is of another type.
#[track_caller]
fn assert_refused<T>(opened: Result<T, OpenError>) {
    let error = opened.map(drop).expect_err("another type");
    let is_told = matches!(error.kind, OpenErrorKind::Incompatible { .. });
    assert!(is_told, "{error}");
}

fn the_dead(channel: &BoxChannel) {
    let rx = channel.receiver().expect("listens");
    let rx = rx.pod::<u64>().expect("is the first").into_inner();
    let mut command = again("crowd hold");
    give(&mut command, "rx", &rx).expect("gives");
    let running = Running::run(&mut command);
    drop((command, rx));
    assert_refused(channel.sender().expect("connects").pod::<Other>());
    running.kill();
    let left = Path::new(channel.address().name()).exists();
    assert!(left, "what the dead has published is still there");
    let tx = channel.sender().expect("waits for somebody");
    let mut tx = tx.pod::<Other>().expect("nobody is of another type");
    let rx = channel.receiver().expect("heals what is left");
    let mut rx = rx.pod::<Other>().expect("is the first");
    tx.send(&[1, 2]).expect("somebody listens");
    assert_eq!(rx.recv_by(soon()).expect("comes"), [1, 2]);
}

fn touched(channel: &BoxChannel) {
    let rx = channel.receiver().expect("listens");
    let mut rx = rx.pod::<u64>().expect("is the first");
    let address = channel.address();
    let path = Path::new(address.name());
    for time in [TimeSpec::UTIME_NOW, TimeSpec::new(0x1234_5678, 0)] {
        utimensat(
            AT_FDCWD,
            path,
            &time,
            &time,
            UtimensatFlags::NoFollowSymlink,
        )
        .expect("is ours");
        let tx = channel.sender().expect("connects");
        let mut tx = tx.pod::<u64>().expect("the type is right");
        tx.send(&7).expect("sends");
        assert_eq!(rx.recv_by(soon()).expect("comes"), 7);
        // Another is told by the receiver itself, once that has seen it.
        let wrong = channel.sender().expect("connects");
        let mut wrong = wrong.pod::<Other>().expect("nothing tells it yet");
        wrong.send(&[1, 2]).expect("is not seen yet");
        let nothing = rx.recv_by(Deadline::after(Duration::from_millis(20)));
        assert!(matches!(nothing, Err(RecvError::Empty)), "{nothing:?}");
        let told = wrong.send(&[1, 2]);
        let Err(SendError::Io(error)) = told else {
            panic!("{told:?}");
        };
        assert!(
            error.to_string().contains("same type at both ends"),
            "{error}"
        );
        drop(tx);
        assert!(rx.recv_by(soon()).is_err(), "nobody is left");
    }
}

fn who_came_first(channel: &BoxChannel) {
    let early = channel.sender().expect("waits for somebody");
    let rx = channel.receiver().expect("listens");
    let rx = rx.pod::<u64>().expect("is the first");
    assert_refused(early.pod::<Other>());
    drop(rx);
}

/// The path is removed while somebody listens there, and somebody else does.
fn another_at_the_path(channel: &BoxChannel) {
    let mut old = channel.receiver().expect("listens");
    let tx = channel.sender().expect("connects");
    let mut tx = tx.pod::<u64>().expect("is the first");
    tx.send(&1).expect("sends");
    assert_eq!(old.peek(soon()).expect("comes"), 1_u64.to_le_bytes());
    old.consume();
    channel.unlink().expect("is ours");
    let new = channel.receiver().expect("the path is free");
    let new = new.pod::<Other>().expect("is the first");
    drop(tx);
    assert!(old.peek(soon()).is_err(), "nobody is left, of no type");
    assert_refused(channel.sender().expect("connects").pod::<u64>());
    drop(new);
}
