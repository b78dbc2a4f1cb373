//! A peer that makes the object shorter under those who have it mapped.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
};

use laneway::{BoxChannel, Channel, Deadline, OpenErrorKind, Receiver, Sender};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, SealFlag, fcntl},
};

use crate::world::{Case, named};

pub(crate) const CASES: &[Case] = &[
    Case::new("an_anonymous_segment_cannot_be_shrunk", anonymous).only(|can| !can.kernel_buffered),
    Case::new("a_shrunk_segment_is_refused", shrunk).only(|can| !can.kernel_buffered),
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
    let address = named.address();
    let path = format!("/dev/shm/laneway.{}", address.name().display());
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
