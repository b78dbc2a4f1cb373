//! A channel that is there with another shape: it says so, and the live one goes on.

use std::fs;

use laneway::{
    Channel, Deadline, Endpoint, OpenErrorKind, Receiver, Sender,
    transport::{Fifo, ShmLocked, Sysv},
};

use crate::{
    attempt::{assert_alive, assert_refused, channel, refused},
    world::{Case, path, segment, set_mode},
};

pub(crate) const CASES: &[Case] = &[
    Case::anywhere("other_capacity", other_capacity),
    Case::anywhere("other_capacity_of_a_fifo", other_capacity_of_a_fifo),
    Case::anywhere("other_capacity_of_a_queue", other_capacity_of_a_queue),
    Case::anywhere("other_max_message", other_max_message),
    Case::anywhere("other_lock", other_lock),
    Case::anywhere("other_kind", other_kind),
    Case::anywhere("other_mode", other_mode),
    Case::anywhere("other_layout", other_layout),
    Case::anywhere("other_layout_of_a_queue", other_layout_of_a_queue),
];

fn shape(what: &'static str, expected: u64, found: u64) -> OpenErrorKind {
    OpenErrorKind::Shape {
        what,
        expected,
        found,
    }
}

fn other_capacity() {
    let (name, _) = segment("capacity");
    let live = ShmLocked::new(&name).capacity(64 << 10);
    let (mut tx, mut rx) = live.pair().expect("opens");
    tx.send_by(b"before", Deadline::NOW).expect("sends");
    let other = ShmLocked::new(&name).capacity(128 << 10);
    let words = ["capacity 65536, not 131072", "ask for 65536", "unlink it"];
    assert_refused(&other, shape("capacity", 128 << 10, 64 << 10), &words);
    let address = format!("shm+lock:{name}?capacity=2KiB");
    let words = ["capacity 65536, not 2048"];
    assert_refused(
        &channel(&address),
        shape("capacity", 2 << 10, 64 << 10),
        &words,
    );
    // What it says to do works.
    drop(
        ShmLocked::new(&name)
            .capacity(65536)
            .sender()
            .expect("joins"),
    );
    drop(ShmLocked::new(&name).sender().expect("takes what is there"));
    let mut buf = [0; 8];
    assert_eq!(rx.try_recv(&mut buf).expect("still there"), 6);
    assert_alive(&mut tx, &mut rx);
}

fn other_max_message() {
    let (name, _) = segment("max");
    let live = ShmLocked::new(&name).capacity(64 << 10).max_message(1000);
    let (mut tx, mut rx) = live.pair().expect("opens");
    let other = ShmLocked::new(&name).capacity(64 << 10).max_message(2000);
    let words = ["max_message 1000, not 2000", "unlink it"];
    assert_refused(&other, shape("max_message", 2000, 1000), &words);
    assert_alive(&mut tx, &mut rx);
}

fn other_lock() {
    let (name, _) = segment("lock");
    let (mut tx, mut rx) = ShmLocked::new(&name).pair().expect("opens");
    let other = channel(&format!("shm+lock:{name}?lock=raw_sync"));
    assert_refused(&other, shape("lock", 1, 0), &["lock 0, not 1"]);
    assert_alive(&mut tx, &mut rx);
}

/// The file in `/dev/shm` that a System V queue of this path has.
fn queue_segment(queue: &Sysv) -> String {
    let list = || -> Vec<String> {
        let entries = fs::read_dir("/dev/shm").expect("there").flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_prefix("laneway.").map(str::to_owned))
            .filter(|name| name.starts_with("sysv.") && !name.contains("anonymous"))
            .collect()
    };
    let before = list();
    let open = queue.pair().expect("opens");
    let mut new = list();
    new.retain(|name| !before.contains(name));
    drop(open);
    new.pop().expect("a new one")
}

/// A queue at a path that stays, so that its key does.
fn queue_with_path(name: &str) -> Sysv {
    fs::write(path(name), "mine").expect("writes");
    Sysv::new(path(name))
}

fn other_kind() {
    let queue = queue_with_path("kind");
    let name = queue_segment(&queue);
    let (mut tx, mut rx) = queue.pair().expect("opens");
    assert_refused(
        &ShmLocked::new(&name),
        shape("kind", 1, 2),
        &["kind 2, not 1"],
    );
    assert_alive(&mut tx, &mut rx);
    drop((tx, rx));
    let (mut tx, mut rx) = ShmLocked::new(&name).pair().expect("opens");
    assert_refused(&queue, shape("kind", 2, 1), &["kind 1, not 2"]);
    assert_alive(&mut tx, &mut rx);
    drop((tx, rx));
    fs::remove_file(path("kind")).expect("is ours");
}

fn other_mode() {
    let address = format!("fifo:{}", path("mode").display());
    let packet = channel(&format!("{address}?mode=packet"));
    let (tx, mut rx) = packet.pair().expect("opens");
    let before = rx.limits();
    // Two senders or two receivers on a stream are refused already for that.
    for error in refused(&channel(&address)) {
        assert_eq!(error.kind, OpenErrorKind::Busy, "{error}");
    }
    drop(tx);
    let mut tx = packet.sender().expect("opens");
    assert_alive(&mut tx, &mut rx);
    drop(rx);
    let stream = channel(&format!("{address}?capacity=1MiB"));
    let error = stream.receiver().map(drop).expect_err("another mode");
    let kind = shape("mode (0 stream, 1 packet)", 0, 1);
    assert_eq!(error.kind, kind, "{error}");
    let mut rx = packet.receiver().expect("opens");
    assert_eq!(rx.limits(), before, "who is refused changes nothing");
    assert_alive(&mut tx, &mut rx);
}

fn other_capacity_of_a_fifo() {
    let fifo = |bytes| Fifo::new(path("fifo")).capacity(bytes);
    let mut tx = fifo(64 << 10).sender().expect("opens");
    let before = tx.limits();
    let error = fifo(8 << 10).receiver().map(drop).expect_err("another");
    assert_eq!(error.kind, shape("capacity", 8 << 10, 64 << 10), "{error}");
    let mut rx = fifo(64 << 10).receiver().expect("joins");
    assert_eq!(rx.limits(), before);
    assert_alive(&mut tx, &mut rx);
}

fn other_capacity_of_a_queue() {
    let queue = |bytes| Sysv::new(path("queue")).capacity(bytes);
    let (mut tx, mut rx) = queue(8 << 10).pair().expect("opens");
    let words = ["capacity 8192, not 4096", "unlink it"];
    assert_refused(&queue(4 << 10), shape("capacity", 4 << 10, 8 << 10), &words);
    assert_alive(&mut tx, &mut rx);
}

/// Puts a copy of `bytes` with another layout number at `path`.
fn forge(path: &std::path::Path, mut bytes: Vec<u8>, layout: u32) {
    let place = bytes.get_mut(8..12).expect("longer");
    place.copy_from_slice(&layout.to_le_bytes());
    fs::write(path, bytes).expect("writes");
    set_mode(path, 0o600);
}

/// The layout number in a segment's bytes.
fn layout_of(bytes: &[u8]) -> u32 {
    let at = bytes.get(8..12).and_then(<[u8]>::first_chunk);
    u32::from_le_bytes(*at.expect("a header"))
}

fn other_layout() {
    let (name, file) = segment("layout");
    let channel = ShmLocked::new(&name).capacity(64 << 10);
    let live = channel.pair().expect("opens");
    let bytes = fs::read(&file).expect("there");
    drop(live);
    let ours = layout_of(&bytes);
    for layout in [0, ours + 1, u32::MAX] {
        forge(&file, bytes.clone(), layout);
        let told = format!("layout {layout}, not {ours}");
        let words = [told.as_str(), "unlink it"];
        assert_refused(
            &channel,
            shape("layout", ours.into(), layout.into()),
            &words,
        );
        // What it says to do works.
        channel.unlink().expect("removes it");
        let (mut tx, mut rx) = channel.pair().expect("opens");
        assert_alive(&mut tx, &mut rx);
    }
}

fn other_layout_of_a_queue() {
    let queue = queue_with_path("layout");
    let file = format!("/dev/shm/laneway.{}", queue_segment(&queue));
    let live = queue.pair().expect("opens");
    let bytes = fs::read(&file).expect("there");
    drop(live);
    let ours = layout_of(&bytes);
    forge(file.as_ref(), bytes, ours + 1);
    assert_refused(
        &queue,
        shape("layout", ours.into(), u64::from(ours) + 1),
        &[&format!("layout {}, not {ours}", ours + 1), "unlink it"],
    );
    queue.unlink().expect("removes it");
    let (mut tx, mut rx) = queue.pair().expect("opens");
    assert_alive(&mut tx, &mut rx);
    drop((tx, rx));
    fs::remove_file(path("layout")).expect("is ours");
}
