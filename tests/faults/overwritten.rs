//! A peer that writes over a message while it is read.

use std::{fs, fs::OpenOptions, os::unix::fs::FileExt};

use laneway::{BoxChannel, Channel, Deadline, Receiver, Sender};

use crate::world::{Case, named};

pub(crate) const CASES: &[Case] =
    &[
        Case::new("a_peeked_message_changes_only_where_it_was_lent", changed)
            .only(|can| !can.kernel_buffered),
    ];

const SENT: &[u8] = b"what was sent and looked at";

fn changed(channel: &BoxChannel) {
    let named = named(channel, "changed").expect("rings have names");
    let (mut tx, mut rx) = named.pair().expect("opens");
    tx.try_send(SENT).expect("has room");
    assert_eq!(rx.peek(Deadline::NOW).expect("there"), SENT);
    overwrite(&named);
    let lends = named.capabilities().zero_copy_recv;
    assert_eq!(rx.peeked() != SENT, lends, "{}", named.address());
    // What was peeked once is what all see of it.
    let mut buf = [0; SENT.len()];
    rx.recv_by(&mut buf, Deadline::NOW).expect("there");
    assert_eq!(buf != SENT, lends, "{}", named.address());
}

/// Writes over the message, wherever it lies in the object.
fn overwrite(channel: &BoxChannel) {
    let path = format!("/dev/shm/laneway.{}", channel.address().name().display());
    let bytes = fs::read(&path).expect("there");
    let mut found = bytes.windows(SENT.len()).enumerate();
    let (place, _) = found
        .find(|(_, bytes)| *bytes == SENT)
        .expect("in the ring");
    let file = OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("as any process of ours");
    file.write_all_at(&[b'!'; SENT.len()], place as u64)
        .expect("writes");
}
