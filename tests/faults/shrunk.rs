//! A peer that makes the object shorter under those who have it mapped.

use std::{
    fs::{self, OpenOptions},
    os::unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    thread,
    time::Duration,
};

use laneway::{
    Address, BoxChannel, Channel, Deadline, OpenErrorKind, Receiver, RecvError, SendError, Sender,
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        resource::{Resource, setrlimit},
        signal::Signal,
    },
};

use crate::{
    private,
    world::{Case, VARIABLE, named, pause},
};

pub(crate) const CASES: &[Case] = &[
    Case::new("an_anonymous_segment_cannot_be_shrunk", anonymous).only(|can| !can.kernel_buffered),
    Case::new("a_shrunk_segment_is_refused", shrunk).only(|can| !can.kernel_buffered),
    Case::new("a_segment_shrunk_by_an_untrusted_peer_is_lost", lost)
        .only(|can| !can.kernel_buffered),
    Case::new("a_sleeper_over_a_shrunk_segment_wakes", asleep).only(|can| !can.kernel_buffered),
    Case::new("a_fault_that_is_not_ours_ends_the_process", elsewhere)
        .only(|can| !can.kernel_buffered),
];

fn anonymous(channel: &BoxChannel) {
    let (mut tx, mut rx) = channel.pair().expect("opens");
    let mut segments = 0;
    for entry in fs::read_dir("/proc/self/fd").expect("proc").flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        if !target.to_string_lossy().starts_with("/memfd:laneway") {
            continue;
        }
        segments += 1;
        let file = OpenOptions::new().read(true).write(true).open(entry.path());
        let file = file.expect("opens as a peer would");
        let len = file.metadata().expect("open").len();
        for other in [0, len - 1, len + 1] {
            let refused = file.set_len(other).expect_err("sealed");
            assert_eq!(
                refused.raw_os_error(),
                Some(Errno::EPERM as i32),
                "to {other}"
            );
        }
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS).expect("a memfd");
        let seals = SealFlag::from_bits_retain(seals);
        let wanted = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        assert!(seals.contains(wanted), "{seals:?}");
    }
    assert!(segments >= 2, "each end has one");
    tx.try_send(b"whole").expect("sends");
    assert_eq!(rx.peek(Deadline::NOW).expect("comes"), b"whole");
    rx.consume();
}

/// A named one cannot be sealed, so who has it open is at the mercy of its own user; who comes later is told.
fn shrunk(channel: &BoxChannel) {
    let named = named(channel, "shrunk").expect("rings have names");
    let path = path(&named.address());
    let ends = named.pair().expect("opens");
    let bytes = fs::read(&path).expect("there");
    drop(ends);
    for len in [0, 1, 1023, 1024, bytes.len() - 1] {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        drop(file.expect("makes"));
        fs::write(&path, bytes.get(..len).expect("shorter")).expect("writes");
        for opened in [named.sender().map(drop), named.receiver().map(drop)] {
            let error = opened.expect_err("too short");
            assert!(
                matches!(error.kind, OpenErrorKind::Refused(_)),
                "{len}: {error}"
            );
        }
        fs::remove_file(&path).expect("was left");
    }
}

/// The same channel for ends that trust nobody.
fn wary(channel: &BoxChannel) -> BoxChannel {
    let address = channel.address().with("peer", "untrusted");
    laneway::channel(&address.to_string()).expect("every ring has this key")
}

fn lost(channel: &BoxChannel) {
    let named = wary(&named(channel, "lost").expect("rings have names"));
    for (keep, some) in [(0, 0), (0, 3), (4096, 3), (8192, 0)] {
        let (mut tx, mut rx) = named.pair().expect("opens");
        for _ in 0..some {
            tx.try_send(&[7; 100]).expect("has room");
        }
        shrink(&named.address(), keep);
        // What it still sees as room may take messages; whoever waits for more meets the loss.
        let error = (0..10_000_000).find_map(|_| tx.send(&[7; 1000]).err());
        assert!(
            matches!(error, Some(SendError::Poisoned)),
            "{keep} {some}: {error:?}"
        );
        // There may still be some to get.
        let mut buf = [0; 1 << 16];
        let error = (0..10_000_000).find_map(|_| rx.recv(&mut buf).err());
        assert!(
            matches!(error, Some(RecvError::Corrupt | RecvError::Poisoned)),
            "{keep} {some}: {error:?}"
        );
        drop((tx, rx));
    }
    // And the name is free.
    let (mut tx, mut rx) = named.pair().expect("opens");
    tx.try_send(b"again").expect("has room");
    assert_eq!(rx.peek(Deadline::NOW).expect("there"), b"again");
}

fn asleep(channel: &BoxChannel) {
    let named = wary(&named(channel, "asleep").expect("rings have names"));
    let (tx, mut rx) = named.pair().expect("opens");
    let waiting = thread::spawn(move || rx.recv(&mut [0; 64]));
    pause(Duration::from_millis(200));
    shrink(&named.address(), 0);
    let error = waiting.join().expect("does not panic");
    assert!(matches!(error, Err(RecvError::Corrupt)), "{error:?}");
    drop(tx);
}

/// The handler is for guarded rings only.
fn elsewhere(channel: &BoxChannel) {
    let guarded = named(channel, "elsewhere").expect("rings have names");
    let address = guarded.address();
    let address = Address::new(address.scheme(), address.name()).expect("as it was");
    let mut child = private::again(VARIABLE, &format!("peer fault {address}"));
    let status = child.status().expect("starts itself");
    assert_eq!(status.signal(), Some(Signal::SIGBUS as i32), "{status}");
    fs::remove_file(path(&address)).expect("its owner had no time to");
}

/// Has a guarded channel beside one that is not, and touches what is no longer there of the latter.
pub(crate) fn fault(address: &str) {
    let trusting = laneway::channel(address).expect("good");
    let _guarded = wary(&laneway::channel("shm+spsc:").expect("good")).pair();
    let (_tx, mut rx) = trusting.pair().expect("opens");
    // No core is wanted of the death that follows.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).expect("less is always allowed");
    shrink(&trusting.address(), 0);
    // Whatever it says, it does not come so far.
    let _ = rx.try_recv(&mut []);
}

fn path(address: &Address) -> String {
    format!("/dev/shm/laneway.{}", address.name().display())
}

/// What any process of the same user can do.
fn shrink(address: &Address, len: u64) {
    let file = OpenOptions::new().write(true).open(path(address));
    file.and_then(|file| file.set_len(len))
        .expect("is not sealed");
}
