//! What the killed have left is shown, and goes.

use laneway::{Channel, Receiver, Sender};

use crate::{
    private::snapshot::Snapshot,
    world::{Case, Holder, addresses, run, states},
};

pub(crate) const CASES: &[Case] = &[
    ("stale_of_each_kind_goes", of_each_kind_goes),
    ("stale_goes_by_its_address", goes_by_its_address),
    ("a_dry_run_changes_nothing", a_dry_run_changes_nothing),
    ("a_name_is_free_after_its_removal", a_name_is_free),
];

/// Leaves one of each kind, and tells how each is listed.
fn leave_all() -> Vec<String> {
    let mut expected = Vec::new();
    for address in addresses("stale") {
        Holder::start("hold", &address).kill();
        let kind = match address.split(':').next() {
            Some("fifo") => "fifo",
            Some(unix) if unix.starts_with("unix") => "socket",
            Some("sysv") => "queue",
            _ => "ring",
        };
        expected.push(format!("{address} {kind} stale"));
    }
    let queue = "shm+mpmc:laneway-objects-jobs";
    Holder::start("queue", queue).kill();
    expected.push(format!("{queue} ring stale"));
    expected.push(format!("{queue} ledger stale"));
    // The next without a path sweeps, so it comes last.
    Holder::start("hold", "sysv:").kill();
    expected.push("sysv: queue stale".to_owned());
    expected.sort();
    expected
}

fn of_each_kind_goes() {
    let before = Snapshot::take();
    let expected = leave_all();
    assert_eq!(states(), expected);
    let told = run(&["rm", "--stale"]).well();
    assert_eq!(told.lines().count(), expected.len(), "{told}");
    for line in expected.iter().filter(|line| !line.starts_with("sysv: ")) {
        let (address, _) = line.split_once(' ').expect("three words");
        assert!(told.contains(&format!("removed {address} (")), "{told}");
    }
    before.assert_same("all stale are gone, the queues in the kernel too");
    assert_eq!(run(&["rm", "--stale"]).well(), "", "nothing is left to do");
}

fn goes_by_its_address() {
    let before = Snapshot::take();
    // What has no address goes by the path that is shown.
    Holder::start("hold", "sysv:").kill();
    let shown = run(&["ls", "--json"]).well();
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let path = shown["objects"][0]["path"].as_str().expect("one");
    run(&["inspect", path]).well();
    run(&["rm", path]).well();
    before.assert_same("the queue in the kernel too");
    run(&["rm", path]).badly(3, &["nothing of laneway's is at", path]);
    let addresses = addresses("stale");
    for address in &addresses {
        Holder::start("hold", address).kill();
    }
    let second = format!(
        "{}?id=2",
        addresses
            .iter()
            .find(|a| a.starts_with("sysv"))
            .expect("one")
    );
    Holder::start("hold", &second).kill();
    for (done, address) in addresses.iter().chain([&second]).enumerate() {
        assert_eq!(states().len(), addresses.len() + 1 - done);
        let told = run(&["rm", address]).well();
        assert!(told.starts_with(&format!("removed {address} (")), "{told}");
        run(&["rm", address]).badly(3, &["nothing has the address", address, "laneway ls"]);
    }
    before.assert_same("all are gone");
}

fn a_dry_run_changes_nothing() {
    let expected = leave_all();
    let before = Snapshot::take();
    let told = run(&["rm", "--stale", "--dry-run"]).well();
    assert_eq!(told.lines().count(), expected.len());
    assert!(told.lines().all(|line| line.starts_with("would remove ")));
    for address in addresses("stale") {
        let told = run(&["rm", &address, "--dry-run", "--json"]).well();
        let json: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(
            (&json["schema"], &json["dry_run"]),
            (&1.into(), &true.into())
        );
        assert_eq!(json["removed"][0]["address"], address.as_str());
        assert_eq!(json["left"].as_array().map(Vec::len), Some(0));
    }
    before.assert_same("nothing has changed");
    assert_eq!(states(), expected);
    run(&["rm", "--stale"]).well();
}

fn a_name_is_free() {
    for address in addresses("stale") {
        Holder::start("hold", &address).kill();
        run(&["rm", &address]).well();
        let channel = laneway::channel(&address).expect("good");
        let (mut tx, mut rx) = channel.pair().expect("opens at once");
        tx.try_send(b"new").expect("sends");
        assert_eq!(rx.peek(laneway::Deadline::NOW).expect("comes"), b"new");
        rx.consume();
    }
}
