//! Somebody without any right is told so, and changes nothing.

use std::fs;

use laneway::{
    Channel,
    transport::{Fifo, ShmLocked, Sysv},
};

use crate::{
    attempt::{assert_alive, assert_says},
    world::{Case, as_nobody, path, segment, set_mode},
};

pub(crate) const CASES: &[Case] = &[
    Case::private("no_permission_for_a_folder", no_permission_for_a_folder),
    Case::private(
        "no_permission_for_a_live_channel",
        no_permission_for_a_live_channel,
    ),
    Case::private("no_permission_for_a_queue", no_permission_for_a_queue),
    Case::private("no_permission_for_more", no_permission_for_more),
];

/// Panics unless nobody is told that there is no permission.
fn assert_denied(address: &str) {
    for (kind, message) in as_nobody(address) {
        assert_eq!(kind, "Denied", "{message}");
        assert_says(
            &message,
            &["no permission", "run as its owner", "os error 13"],
        );
    }
}

fn no_permission_for_a_folder() {
    let folder = path("mine");
    fs::create_dir(&folder).expect("makes");
    set_mode(&folder, 0o755);
    assert_denied(&format!("fifo:{}/x", folder.display()));
    assert_denied(&format!("sysv:{}/x", folder.display()));
    set_mode(&folder, 0o700);
    assert_denied(&format!("fifo:{}/x", folder.display()));
    assert_denied(&format!("sysv:{}/x", folder.display()));
    fs::remove_dir(&folder).expect("is ours and empty");
    set_mode("/dev/shm".as_ref(), 0o755);
    assert_denied(&format!("shm+lock:{}", segment("x").0));
    assert_denied("sysv:");
    set_mode("/dev/shm".as_ref(), 0o1777);
}

fn no_permission_for_a_live_channel() {
    let (name, _) = segment("live");
    let (mut tx, mut rx) = ShmLocked::new(&name).pair().expect("opens");
    assert_denied(&format!("shm+lock:{name}"));
    assert_alive(&mut tx, &mut rx);
    let (mut tx, mut rx) = Fifo::new(path("fifo")).pair().expect("opens");
    assert_denied(&format!("fifo:{}", path("fifo").display()));
    assert_alive(&mut tx, &mut rx);
    let (mut tx, mut rx) = Sysv::new(path("sysv")).pair().expect("opens");
    assert_denied(&format!("sysv:{}", path("sysv").display()));
    assert_alive(&mut tx, &mut rx);
}

/// A path that everybody may read, and a queue that only its owner may.
fn no_permission_for_a_queue() {
    let path = path("sysv");
    fs::write(&path, "everybody's").expect("writes");
    set_mode(&path, 0o644);
    let address = format!("sysv:{}", path.display());
    let (mut tx, mut rx) = Sysv::new(&path).pair().expect("opens");
    assert_denied(&address);
    assert_alive(&mut tx, &mut rx);
    // The queue alone, as another program would make it.
    let file = fs::read_dir("/dev/shm").expect("there").flatten().next();
    let file = file.expect("the queue's").path();
    let moved = file.with_file_name("elsewhere");
    fs::rename(&file, &moved).expect("is ours");
    assert_denied(&address);
    fs::rename(&moved, &file).expect("is ours");
    assert_alive(&mut tx, &mut rx);
    drop((tx, rx));
    fs::remove_file(&path).expect("was left");
}

/// What only the privileged may ask for names the setting that would allow it.
fn no_permission_for_more() {
    for (address, setting) in [
        ("pipe:?capacity=1GiB".to_owned(), "fs.pipe-max-size"),
        (
            format!("fifo:{}?capacity=1GiB", path("fifo").display()),
            "fs.pipe-max-size",
        ),
        ("sysv:?capacity=1GiB".to_owned(), "kernel.msgmnb"),
        (
            format!("sysv:{}?capacity=1GiB", path("sysv").display()),
            "kernel.msgmnb",
        ),
    ] {
        let limit = laneway::SystemLimit::read(setting).expect("is there");
        for (kind, message) in as_nobody(&address) {
            assert_eq!(kind, format!("Limit({limit:?})"), "{message}");
            let told = format!("{setting} is {}", limit.value);
            let remedy = format!("sysctl -w {setting}=N");
            assert_says(&message, &[&told, &remedy, "ask for less"]);
        }
    }
}
