//! What anybody uses stays, and is counted.

use laneway::{Channel, Deadline, Receiver, Sender};

use crate::{
    private::snapshot::Snapshot,
    world::{Case, Holder, addresses, assert_stays, listed, rows, run, run_as_nobody, states},
};

pub(crate) const CASES: &[Case] = &[
    ("live_objects_are_never_removed", are_never_removed),
    ("users_are_counted", users_are_counted),
    ("one_end_is_enough_to_live", one_end_is_enough),
    ("users_of_others_are_counted_too", users_of_others),
];

fn are_never_removed() {
    for address in addresses("live") {
        let channel = laneway::channel(&address).expect("good");
        let (mut tx, mut rx) = channel.pair().expect("opens");
        tx.try_send(b"before").expect("sends");
        let before = Snapshot::take();
        assert_eq!(run(&["rm", "--stale"]).well(), "");
        let refused = [
            "laneway: left ",
            "a live process has it open",
            "end that first",
        ];
        run(&["rm", &address]).badly(3, &refused);
        run(&["rm", &address, "--dry-run"]).badly(3, &refused);
        before.assert_same(&address);
        assert_eq!(rx.peek(Deadline::NOW).expect("still there"), b"before");
        rx.consume();
        tx.try_send(b"after").expect("sends");
        assert_eq!(rx.peek(Deadline::NOW).expect("comes"), b"after");
        rx.consume();
    }
}

fn users_are_counted() {
    let ring = laneway::channel("shm+mpmc:laneway-objects-many?capacity=64KiB").expect("good");
    let senders: Vec<_> = (0..3).map(|_| ring.sender().expect("opens")).collect();
    let receiver = ring.receiver().expect("opens");
    let other = Holder::start("hold", "shm+mpmc:laneway-objects-many");
    let count = || {
        let rows = listed();
        let row = rows.first().expect("one");
        (row["senders"].as_u64(), row["receivers"].as_u64())
    };
    assert_eq!(count(), (Some(4), Some(2)));
    other.kill();
    assert_eq!(count(), (Some(3), Some(1)), "as soon as it is dead");
    drop(senders);
    assert_eq!(count(), (Some(0), Some(1)));
    drop(receiver);
    assert_eq!(listed().len(), 0, "the last one out removed it");
}

fn one_end_is_enough() {
    for address in addresses("one") {
        // Where nobody listens there is nothing for a sender to hold.
        let (verb, users) = if address.starts_with("unix") {
            ("receive", "1 receiver ")
        } else {
            ("send", "1 sender ")
        };
        let holder = Holder::start(verb, &address);
        let table = run(&["ls"]).well();
        assert!(table.contains(users) && table.contains(" live"), "{table}");
        assert_eq!(run(&["rm", "--stale"]).well(), "");
        holder.kill();
        assert!(states().iter().all(|line| line.ends_with(" stale")));
        run(&["rm", &address]).well();
    }
}

/// Nobody may open what is root's, and sees who uses it all the same; and removes nothing.
fn users_of_others() {
    for address in addresses("others") {
        let live = Holder::start("hold", &address);
        let rows = rows(&run_as_nobody(&["ls", "--json"]).well());
        assert_eq!(rows.len(), 1, "{address}: {rows:?}");
        for row in &rows {
            assert_eq!(
                (row["state"].as_str(), row["owner"].as_str()),
                (Some("foreign"), Some("root"))
            );
            assert_eq!(
                (row["senders"].as_u64(), row["receivers"].as_u64()),
                (Some(1), Some(1))
            );
            assert!(
                row["reason"]
                    .as_str()
                    .expect("told")
                    .contains("another user")
            );
        }
        live.kill();
        let before = Snapshot::take();
        assert_stays(&run_as_nobody(&["rm", "--stale"]).well());
        run_as_nobody(&["rm", &address]).badly(3, &["another user", "not laneway's to remove"]);
        before.assert_same(&address);
        run(&["rm", &address]).well();
    }
}
