//! What was being made when its maker was killed.

use std::fs;

use laneway::{Channel, Deadline, Receiver, Sender};

use crate::{
    private::snapshot::Snapshot,
    world::{Case, Holder, listed, path, run, set_mode, states},
};

pub(crate) const CASES: &[Case] = &[
    ("a_path_without_a_queue_goes", a_path_without_a_queue_goes),
    (
        "a_queue_without_a_segment_goes",
        a_queue_without_a_segment_goes,
    ),
    (
        "a_queue_that_somebody_used_is_not_half_made",
        somebody_used_it,
    ),
];

fn queues() -> usize {
    fs::read_to_string("/proc/sysvipc/msg")
        .expect("proc")
        .lines()
        .count()
        - 1
}

/// Leaves a marked path and a queue, and no segment, as a maker does that is killed between the two.
fn orphan(address: &str) {
    let holder = Holder::start("hold", address);
    let segment = listed().remove(0)["path"]
        .as_str()
        .expect("a path")
        .to_owned();
    fs::remove_file(segment).expect("ours");
    holder.kill();
    assert_eq!(queues(), 1);
}

fn a_path_without_a_queue_goes() {
    let path = path("half");
    let before = Snapshot::take();
    fs::write(&path, "").expect("makes");
    set_mode(&path, 0o1600);
    let address = format!("sysv:{}", path.display());
    assert_eq!(states(), [format!("{address} queue half-made")]);
    let table = run(&["ls"]).well();
    assert!(
        table.contains("half-made") && table.contains("rm --stale"),
        "{table}"
    );
    let told = run(&["rm", "--stale"]).well();
    assert_eq!(told, format!("removed {address} (queue)\n"));
    before.assert_same("gone");
}

fn a_queue_without_a_segment_goes() {
    for id in ["", "?id=77"] {
        let before = Snapshot::take();
        let address = format!("sysv:{}", path("half").display());
        orphan(&format!("{address}{id}"));
        assert_eq!(states(), [format!("{address} queue half-made")]);
        run(&["rm", "--stale"]).well();
        before.assert_same("path and queue are gone");
    }
}

/// A queue that somebody has sent to may be another program's: it stays, and opening takes it as it is.
fn somebody_used_it() {
    let address = format!("sysv:{}", path("used").display());
    let channel = laneway::channel(&address).expect("good");
    let (mut tx, rx) = channel.pair().expect("opens");
    tx.try_send(b"kept").expect("sends");
    let segment = listed().remove(0)["path"]
        .as_str()
        .expect("a path")
        .to_owned();
    let aside = format!("{segment}.aside");
    fs::rename(&segment, &aside).expect("ours");
    {
        let (_tx, mut rx) = channel.pair().expect("opens");
        assert_eq!(rx.peek(Deadline::NOW).expect("was sent before"), b"kept");
    }
    assert_eq!(queues(), 1, "not removed");
    fs::rename(&aside, &segment).expect("ours");
    drop((tx, rx));
    let _ = fs::remove_file(path("used"));
    assert_eq!(queues(), 0);
}
