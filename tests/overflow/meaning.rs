//! Within one process: what each policy does.

use laneway::{
    BoxReceiver, BoxSender, Channel, Deadline, Endpoint, OpenErrorKind, Overflow, Receiver,
    RecvError, SendError, Sender,
    process::Queue,
    transport::{LockChoice, ShmLocked, ShmSpsc},
};

use crate::{channel, drops, rest};

/// For every ring.
pub(crate) const EVERYWHERE: &[crate::Case] = &[
    ("fail_says_full_at_once", fail),
    ("newest_is_dropped_and_counted", newest),
    ("a_batch_goes_or_is_counted", batches),
    ("a_reservation_goes_or_is_counted", reserved),
    ("what_is_no_matter_of_room_is_told", told),
    ("no_queue_over_a_channel_that_drops", no_queue),
];
/// For rings that can give up the oldest.
pub(crate) const DISCARDING: &[crate::Case] = &[
    ("oldest_is_dropped_and_counted", oldest),
    ("what_is_held_is_not_given_up", held),
    ("senders_may_differ", differ),
];

/// More than there is room for.
const MANY: u64 = 500;

/// Message `number`, of a length that follows from it.
fn message(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + usize::try_from(number * 13 % 97).expect("small"), 0x5a);
    bytes
}

fn pair(ring: &str, overflow: &str) -> (BoxSender, BoxReceiver) {
    channel(ring, overflow).pair().expect("opens")
}

/// Sends until there is no room, and tells how many went.
fn fill(tx: &mut BoxSender) -> u64 {
    let mut sent = 0;
    loop {
        match tx.send(&message(sent)) {
            Ok(()) => sent += 1,
            Err(SendError::Full) => return sent,
            Err(error) => panic!("{error}"),
        }
    }
}

fn fail(ring: &str) {
    let (mut tx, mut rx) = pair(ring, "fail");
    // Without a deadline, and it returns.
    let sent = fill(&mut tx);
    assert!(sent > 10, "{sent}");
    let long = vec![1; tx.limits().max_message];
    assert!(matches!(tx.send(&long), Err(SendError::Full)));
    let lent = match tx.reserve(long.len(), Deadline::NEVER) {
        Ok(_) => tx.commit(long.len()),
        Err(error) => Err(error),
    };
    assert!(matches!(lent, Err(SendError::Full)), "{lent:?}");
    tx.abort();
    let batch: [&[u8]; 2] = [&long, &long];
    let full = tx.send_batch_by(&batch, Deadline::NEVER);
    assert!(matches!(full, Err(SendError::Full)), "{full:?}");
    let expected: Vec<u64> = (0..sent).collect();
    assert_eq!(rest(&mut rx), expected);
    let messages: Vec<Vec<u8>> = (0..MANY).map(message).collect();
    let batch: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let went = tx.send_batch_by(&batch, Deadline::NEVER).expect("some go");
    assert!((10..batch.len()).contains(&went), "{went}");
    assert_eq!(rest(&mut rx).len(), went);
    assert_eq!((drops(&tx), drops(&rx)), (0, 0));
}

/// What was received is the start of what was sent, and the rest was counted.
fn assert_newest_gone(tx: &BoxSender, rx: &mut BoxReceiver, sent: u64) {
    let counted = tx.counters().expect("counts").sent.messages;
    let seen = rest(rx);
    assert_eq!(counted, seen.len() as u64, "what is given up is not sent");
    let expected: Vec<u64> = (0..seen.len() as u64).collect();
    assert_eq!(seen, expected);
    assert!(seen.len() > 10, "{}", seen.len());
    let gone = sent - seen.len() as u64;
    assert!(gone > 10, "{gone}");
    assert_eq!((drops(tx), drops(rx)), (gone, gone));
}

fn newest(ring: &str) {
    let (mut tx, mut rx) = pair(ring, "drop-newest");
    // The room for a short one may outlast that for a long one, so they are alike.
    for number in 0..MANY {
        tx.send(&number.to_le_bytes()).expect("never full");
    }
    assert_newest_gone(&tx, &mut rx, MANY);
    tx.send(b"there is room again").expect("never full");
    assert_eq!(rx.recv(&mut [0; 32]).expect("there"), 19);
}

fn batches(ring: &str) {
    let (mut tx, mut rx) = pair(ring, "drop-newest");
    let messages: Vec<[u8; 8]> = (0..MANY).map(u64::to_le_bytes).collect();
    let batch: Vec<&[u8]> = messages.iter().map(<[u8; 8]>::as_slice).collect();
    let went = tx.send_batch_by(&batch, Deadline::NEVER).expect("all go");
    assert_eq!(went, batch.len());
    assert_newest_gone(&tx, &mut rx, MANY);
}

fn reserved(ring: &str) {
    let (mut tx, mut rx) = pair(ring, "drop-newest");
    for number in 0..MANY {
        let room = tx.reserve(8, Deadline::NEVER).expect("never full");
        room.copy_from_slice(&number.to_le_bytes());
        tx.commit(8).expect("never full");
        assert!(tx.reserved().is_empty());
    }
    assert_newest_gone(&tx, &mut rx, MANY);
}

fn told(ring: &str) {
    for overflow in ["fail", "drop-newest"] {
        let (mut tx, rx) = pair(ring, overflow);
        let max = tx.limits().max_message;
        let long = vec![0; max + 1];
        let large = tx.send(&long);
        assert!(matches!(large, Err(SendError::TooLarge { max: told }) if told == max));
        while drops(&tx) == 0 && tx.send(&long[..max]).is_ok() {}
        drop(rx);
        let alone = tx.send(&long[..max]);
        assert!(matches!(alone, Err(SendError::Disconnected)), "{alone:?}");
        assert!(tx.is_disconnected());
    }
}

fn no_queue(ring: &str) {
    let error = Queue::<Vec<u8>>::over(&channel(ring, "drop-newest")).expect_err("it may drop");
    assert_eq!(error.kind, OpenErrorKind::Lossy);
    let can = channel(ring, "drop-newest").capabilities();
    assert!(can.lossy && !can.gives_each_once() && !can.zero_copy_send);
    assert!(!channel(ring, "fail").capabilities().lossy);
}

/// What was received is the end of what was sent, and the rest was counted.
fn assert_oldest_gone(tx: &BoxSender, rx: &mut BoxReceiver, sent: u64) {
    let seen = rest(rx);
    let gone = sent - seen.len() as u64;
    let expected: Vec<u64> = (gone..sent).collect();
    assert_eq!(seen, expected);
    assert!(seen.len() > 10, "{}", seen.len());
    assert_eq!((drops(tx), drops(rx)), (gone, gone));
}

fn oldest(ring: &str) {
    let (mut tx, mut rx) = pair(ring, "drop-oldest");
    for number in 0..MANY {
        tx.try_send(&message(number)).expect("never full");
    }
    assert_oldest_gone(&tx, &mut rx, MANY);
    let (mut tx, mut rx) = pair(ring, "drop-oldest");
    let messages: Vec<Vec<u8>> = (0..MANY).map(message).collect();
    let batch: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let went = tx.send_batch_by(&batch, Deadline::NOW).expect("all go");
    assert_eq!(went, batch.len());
    assert_oldest_gone(&tx, &mut rx, MANY);
    // The longest may cost all the others.
    for number in 0..9_u64 {
        let mut long = vec![0; tx.limits().max_message];
        long[..8].copy_from_slice(&number.to_le_bytes());
        tx.send(&long).expect("never full");
    }
    assert_eq!(rest(&mut rx).last(), Some(&8));
    drop(rx);
    assert!(matches!(
        tx.send(b"to nobody"),
        Err(SendError::Disconnected)
    ));
}

fn held(ring: &str) {
    let (mut tx, mut rx) = pair(ring, "drop-oldest");
    tx.send(&message(0)).expect("room");
    assert_eq!(rx.peek(Deadline::NOW).expect("there"), message(0));
    let mut full = false;
    for number in 1..MANY {
        match tx.send(&message(number)) {
            Ok(()) => {}
            // In the ring itself what is held stands before the rest.
            Err(SendError::Full) => full = true,
            Err(error) => panic!("{error}"),
        }
        if full {
            break;
        }
    }
    assert_eq!(full, ring.contains("mpmc"), "a copy is in nobody's way");
    assert_eq!(rx.peeked(), message(0));
    rx.consume();
    tx.send(&message(MANY)).expect("never full");
    let seen = rest(&mut rx);
    assert_eq!(seen.last(), Some(&MANY));
    assert!(seen.is_sorted(), "{seen:?}");
}

/// One waits, the other does not, on one channel.
fn differ(ring: &str) {
    let name = format!("laneway-overflow.{}.{}", std::process::id(), ring.len());
    let ring = ring.replacen(':', &format!(":{name}"), 1);
    let blocking = channel(&ring, "block");
    let mut rx = blocking.receiver().expect("opens");
    let (mut waits, mut never) = (
        blocking.sender().expect("opens"),
        channel(&ring, "drop-oldest").sender().expect("opens"),
    );
    let mut number = 0;
    while waits.try_send(&message(number)).is_ok() {
        number += 1;
    }
    for more in 0..MANY {
        never.send(&message(number + more)).expect("never full");
    }
    while waits.try_send(&message(0)).is_ok() {}
    let full = waits.send_by(
        &[0; 90],
        Deadline::after(std::time::Duration::from_millis(5)),
    );
    assert!(matches!(full, Err(SendError::Full)), "{full:?}");
    assert!(drops(&rx) >= number, "{}", drops(&rx));
    assert!(rest(&mut rx).contains(&(number + MANY - 1)));
    assert!(matches!(rx.try_recv(&mut [0; 8]), Err(RecvError::Empty)));
}

/// Where only the receiver knows what it has received, and where the lock is another's.
pub(crate) fn refused() {
    for address in [
        "shm+spsc:?overflow=drop-oldest",
        "shm+lock:?lock=raw_sync&overflow=drop-oldest",
    ] {
        let error = laneway::channel(address)
            .expect_err("it cannot")
            .to_string();
        assert!(error.contains("shm+mpmc:"), "{error}");
    }
    assert!(laneway::channel("shm+spsc:?overflow=never").is_err());
    let kind = OpenErrorKind::Overflow(Overflow::DropOldest);
    let spsc = ShmSpsc::new("").overflow(Overflow::DropOldest);
    assert_eq!(spsc.pair().expect_err("it cannot").kind, kind);
    let lock = ShmLocked::new("").lock(LockChoice::RawSync);
    let lock = lock.overflow(Overflow::DropOldest);
    let error = lock.pair().expect_err("it cannot");
    assert_eq!(error.kind, kind);
    assert!(
        error.to_string().contains("overflow=drop-oldest"),
        "{error}"
    );
}
