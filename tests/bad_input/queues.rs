//! System V queues of others: found by a number that anybody may have, so only what is proved ours is touched.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
};

use laneway::{Channel, OpenErrorKind, transport::Sysv};

use crate::{
    attempt::{assert_alive, assert_says, refused},
    world::{self, Case, NOBODY, path, set_mode},
};

pub(crate) const CASES: &[Case] = &[
    Case::private("key_of_another_path", key_of_another_path),
    Case::private("planted_segment", planted_segment),
    Case::private(
        "planted_segment_of_another_kind",
        planted_segment_of_another_kind,
    ),
    Case::private("unremovable_segment", unremovable_segment),
];

/// Makes a file whose inode has the same lower half as that of `first`, so that ftok gives the same key.
fn twin(first: &std::path::Path) -> std::path::PathBuf {
    let wanted = fs::metadata(first).expect("there").ino() & 0xffff;
    let twin = path("twin");
    // A tmpfs counts inodes up.
    for _ in 0..1 << 20 {
        fs::write(&twin, "").expect("makes");
        if fs::metadata(&twin).expect("there").ino() & 0xffff == wanted {
            return twin;
        }
        fs::remove_file(&twin).expect("is ours");
    }
    panic!("no twin");
}

fn key_of_another_path() {
    let first = path("first");
    fs::write(&first, "mine").expect("makes");
    let twin = twin(&first);
    let live = Sysv::new(&first);
    let mut tx = live.sender().expect("opens");
    for error in refused(&Sysv::new(&twin)) {
        assert!(matches!(error.kind, OpenErrorKind::Refused(_)), "{error}");
        assert_says(&error.to_string(), &["same System V key", "another id"]);
    }
    assert!(Sysv::new(&twin).unlink().is_err(), "is not ours");
    let mut rx = live.receiver().expect("joins");
    assert_alive(&mut tx, &mut rx);
    drop((tx, rx));
    fs::remove_file(&first).expect("is ours");
    fs::remove_file(&twin).expect("is ours");
}

/// Puts what looks like the segment of a queue into `/dev/shm`, as another user would.
fn plant(kind: u32, flags: u32, extra: i64) -> std::path::PathBuf {
    let file = std::path::PathBuf::from("/dev/shm/laneway.sysv.anonymous.1.1");
    let mut bytes = b"LANEWAY\x1a".to_vec();
    bytes.extend([1_u32.to_le_bytes(), kind.to_le_bytes()].concat());
    bytes.extend([0; 16]);
    bytes.extend([0_u32.to_le_bytes(), flags.to_le_bytes()].concat());
    bytes.extend(extra.to_le_bytes());
    bytes.resize(1024, 0);
    fs::write(&file, bytes).expect("makes");
    set_mode(&file, 0o666);
    file
}

/// The identifier of the only queue there is.
fn only_queue() -> i64 {
    let queues = fs::read_to_string("/proc/sysvipc/msg").expect("proc");
    let words = queues.lines().nth(1).map(str::split_whitespace);
    let id = words.and_then(|mut words| words.nth(1));
    id.and_then(|id| id.parse().ok()).expect("a queue")
}

fn planted_segment() {
    let (mut tx, mut rx) = Sysv::new(path("victim")).pair().expect("opens");
    let file = plant(2, 1 << 29, only_queue());
    chown(&file, Some(NOBODY), Some(NOBODY)).expect("gives away");
    drop(Sysv::new("").pair().expect("opens"));
    assert_alive(&mut tx, &mut rx);
    fs::remove_file(&file).expect("is not ours to remove");
}

fn planted_segment_of_another_kind() {
    let (mut tx, mut rx) = Sysv::new(path("victim")).pair().expect("opens");
    assert_eq!(only_queue(), 0, "the first in its namespace");
    let file = plant(1, 0, 0);
    drop(Sysv::new("").pair().expect("opens"));
    assert_alive(&mut tx, &mut rx);
    // Stale, so its removal is as good as its staying.
    let _ = fs::remove_file(&file);
}

fn unremovable_segment() {
    let file = plant(2, 1 << 30, 0);
    world::nobody_opens("sysv:");
    fs::remove_file(&file).expect("belongs to us, so nobody else removes it");
}
