//! What is not laneway's, or another user's, or not sound, is told and left.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown, symlink},
    path::Path,
};

use laneway::{Channel, transport::ShmLocked};
use nix::{libc, sys::stat::Mode, unistd::mkfifo};

use crate::{
    private::snapshot::Snapshot,
    world::{Case, Holder, NOBODY, addresses, assert_stays, listed, path, run, set_mode, states},
};

pub(crate) const CASES: &[Case] = &[
    ("foreign_objects_are_left", foreign_objects_are_left),
    ("corrupt_objects_are_left", corrupt_objects_are_left),
    (
        "objects_of_other_users_are_left",
        objects_of_other_users_are_left,
    ),
    (
        "files_of_others_are_not_listed",
        files_of_others_are_not_listed,
    ),
    (
        "a_queue_of_another_program_stays",
        a_queue_of_another_program_stays,
    ),
];

/// The bytes of a sound segment that nobody has open.
fn sound() -> Vec<u8> {
    let open = ShmLocked::new("laneway-objects-sound")
        .capacity(4096)
        .pair();
    let bytes = fs::read("/dev/shm/laneway.laneway-objects-sound").expect("there");
    drop(open.expect("opens"));
    bytes
}

fn with(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes
        .get_mut(at..at + new.len())
        .expect("within")
        .copy_from_slice(new);
    bytes
}

/// Puts bytes into `/dev/shm` under a name of ours, asserts how they are listed and that nothing removes them.
fn assert_left(name: &str, bytes: &[u8], mode: u32, state: &str, reason: &str) {
    let file = format!("/dev/shm/laneway.{name}");
    fs::write(&file, bytes).expect("writes");
    set_mode(file.as_ref(), mode);
    let rows = listed();
    let row = rows.first().expect("listed");
    assert_eq!(
        (rows.len(), &row["state"], &row["path"]),
        (1, &state.into(), &file.as_str().into())
    );
    let told = row["reason"].as_str().expect("told");
    assert!(told.contains(reason), "{told}");
    let table = run(&["ls"]).well();
    assert!(table.contains(&format!("\n{file}: {told}\n")), "{table}");
    let before = Snapshot::take();
    assert_stays(&run(&["rm", "--stale"]).well());
    run(&["rm", &format!("shm+lock:{name}")]).badly(3, &[&file, reason]);
    before.assert_same(name);
    fs::remove_file(&file).expect("was left");
}

fn foreign_objects_are_left() {
    let program = "another program";
    assert_left("empty", &[], 0o600, "foreign", program);
    assert_left("text", b"hello\n", 0o600, "foreign", program);
    assert_left("zeroes", &[0; 5120], 0o600, "foreign", program);
    assert_left("magic", &with(sound(), 7, b"!"), 0o600, "foreign", program);
    assert_left(
        "layout",
        &with(sound(), 8, &[1]),
        0o600,
        "foreign",
        "another version",
    );
    assert_left("mode", &sound(), 0o622, "foreign", "other users may write");
    let link = "/dev/shm/laneway.link";
    symlink("/etc/passwd", link).expect("makes");
    assert_eq!(states(), ["- other foreign"]);
    assert_stays(&run(&["rm", "--stale"]).well());
    run(&["rm", "shm+lock:link"]).badly(3, &["not a segment"]);
    fs::remove_file(link).expect("was left");
}

fn corrupt_objects_are_left() {
    let sizes = "sizes do not fit";
    let odd = 5000_u64.to_le_bytes();
    assert_left("odd", &with(sound(), 16, &odd), 0o600, "corrupt", sizes);
    assert_left(
        "short",
        sound().get(..1024).expect("longer"),
        0o600,
        "corrupt",
        sizes,
    );
    assert_left(
        "kind",
        &with(sound(), 12, &[99]),
        0o600,
        "corrupt",
        "its name",
    );
    assert_left(
        "queue",
        &with(sound(), 12, &[2]),
        0o600,
        "corrupt",
        "its name",
    );
    assert_left(
        "ledger",
        &with(sound(), 12, &[5]),
        0o600,
        "corrupt",
        "its name",
    );
}

fn objects_of_other_users_are_left() {
    for address in addresses("owner") {
        Holder::start("hold", &address).kill();
        let row = listed().remove(0);
        let file = row["path"].as_str().expect("a path").to_owned();
        // The path of a queue too.
        let name = address.split_once(':').expect("an address").1;
        let files = [file, name.to_owned()];
        let files = files
            .iter()
            .filter(|file| fs::symlink_metadata(file).is_ok());
        let files: Vec<&String> = files.collect();
        for file in &files {
            chown(file, Some(NOBODY), Some(NOBODY)).expect("gives away");
        }
        // Giving away may have taken the mark.
        if ["fifo", "sysv", "unix"]
            .iter()
            .any(|kind| address.starts_with(kind))
        {
            set_mode(name.as_ref(), 0o1600);
        }
        let rows = listed();
        assert!(!rows.is_empty(), "{address}");
        for row in rows {
            assert_eq!(
                (&row["state"], &row["uid"]),
                (&"foreign".into(), &NOBODY.into()),
                "{row}"
            );
        }
        let before = Snapshot::take();
        assert_stays(&run(&["rm", "--stale"]).well());
        before.assert_same(&address);
        for file in &files {
            chown(file, Some(0), Some(0)).expect("takes back");
        }
        if ["fifo", "sysv", "unix"]
            .iter()
            .any(|kind| address.starts_with(kind))
        {
            set_mode(name.as_ref(), 0o1600);
        }
        run(&["rm", &address]).well();
    }
}

fn files_of_others_are_not_listed() {
    let fifo = path("plain");
    mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).expect("makes");
    fs::write("/dev/shm/other", "text").expect("writes");
    fs::write(path("empty"), "").expect("writes");
    fs::write(path("marked"), "text").expect("writes");
    set_mode(&path("marked"), 0o1600);
    let before = Snapshot::take();
    assert_eq!(run(&["ls"]).well(), "nothing of laneway is here\n");
    assert_eq!(run(&["rm", "--stale"]).well(), "");
    let address = format!("fifo:{}", fifo.display());
    run(&["rm", &address]).badly(3, &["nothing has the address"]);
    before.assert_same("left");
    // In use as a channel it is one, and still not ours.
    let ends = laneway::channel(&address)
        .expect("good")
        .pair()
        .expect("opens");
    assert_eq!(states(), [format!("{address} fifo live")]);
    run(&["rm", &address]).badly(3, &["a live process"]);
    drop(ends);
    for file in [fifo, "/dev/shm/other".into(), path("empty"), path("marked")] {
        fs::remove_file(file).expect("was left");
    }
}

/// Another program's queue of this path, as msgget makes it of ftok's key.
#[expect(unsafe_code, reason = "makes a queue, which nix cannot")]
fn make_queue(path: &Path) -> i32 {
    let file = fs::metadata(path).expect("there");
    let word = 1 << 24 | (file.dev() & 0xff) << 16 | file.ino() & 0xffff;
    let key = i32::try_from(word).expect("31 bits");
    // SAFETY: takes numbers only.
    let id = unsafe { libc::msgget(key, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
    assert!(id >= 0, "makes a queue");
    id
}

/// Removes it, as its maker would.
#[expect(unsafe_code, reason = "removes a queue, which nix cannot")]
fn remove_queue(id: i32) {
    // SAFETY: takes no pointer.
    let removed = unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    assert_eq!(removed, 0, "was left");
}

/// The path and the queue were there before laneway was: of a stale channel only what we made goes.
fn a_queue_of_another_program_stays() {
    let path = path("theirs");
    fs::write(&path, "theirs").expect("writes");
    let id = make_queue(&path);
    assert_eq!(listed().len(), 0, "is not laneway's");
    let address = format!("sysv:{}", path.display());
    Holder::start("hold", &address).kill();
    assert_eq!(states(), [format!("{address} queue stale")]);
    run(&["rm", "--stale"]).well();
    assert_eq!(listed().len(), 0);
    assert_eq!(fs::read_to_string(&path).expect("stays"), "theirs");
    remove_queue(id);
    fs::remove_file(&path).expect("is ours");
}
