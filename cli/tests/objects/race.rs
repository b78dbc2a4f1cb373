//! Removing what is stale while others open the same names: nobody loses a channel, and nothing is left.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

use laneway::{
    BoxChannel, Channel, Deadline, Receiver, Sender,
    inventory::{Inventory, RemoveErrorKind},
};
use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::world::{Case, addresses, run};

pub(crate) const CASES: &[Case] = &[("no_opener_loses_its_channel", no_opener_loses_its_channel)];

/// How often a channel is opened, of each transport.
const ROUNDS: u32 = 1000;
/// A wait that is longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the killed leave of a channel.
enum Remains {
    /// A segment.
    Segment(String, Vec<u8>),
    /// A marked FIFO.
    Fifo(String),
    /// A marked path.
    Path(String),
    /// The lock beside a socket's path, and what is in it.
    Lock(String, String),
}

impl Remains {
    fn of(address: &str, channel: &BoxChannel) -> Self {
        let (scheme, name) = address.split_once(':').expect("an address");
        match scheme {
            "fifo" => Self::Fifo(name.to_owned()),
            "sysv" => Self::Path(name.to_owned()),
            "unix+seqpacket" | "unix+stream" => {
                Self::Lock(format!("{name}.lock"), format!("laneway {scheme}\n"))
            }
            _ => {
                let file = format!("/dev/shm/laneway.{name}");
                let ends = channel.pair().expect("opens");
                let bytes = fs::read(&file).expect("there");
                drop(ends);
                Self::Segment(file, bytes)
            }
        }
    }

    /// Leaves them, unless there is something.
    fn leave(&self) {
        match self {
            // Whole at once, as a segment comes.
            Self::Segment(file, bytes) => {
                let hidden = format!("{file}-new").replace("laneway.", "hidden.");
                fs::write(&hidden, bytes).expect("writes");
                fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600)).expect("ours");
                let linked = fs::hard_link(&hidden, file);
                fs::remove_file(&hidden).expect("ours");
                linked.expect("the last one out removed it");
            }
            Self::Fifo(path) => {
                let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_ISVTX;
                mkfifo(Path::new(path), mode).expect("the last one out removed it");
            }
            Self::Lock(path, text) => {
                let mut options = fs::OpenOptions::new();
                let lock = options.write(true).create_new(true).mode(0o1600).open(path);
                let mut lock = lock.expect("the last one out removed it");
                lock.write_all(text.as_bytes()).expect("writes");
            }
            Self::Path(path) => {
                fs::write(path, "").expect("makes");
                fs::set_permissions(path, fs::Permissions::from_mode(0o1600)).expect("ours");
            }
        }
    }
}

/// Removes until it is told to stop; counts what it removed.
fn sweep(stop: &AtomicBool, removed: &AtomicU32) {
    // ORDERING: Relaxed; only a flag and a count.
    while !stop.load(Ordering::Relaxed) {
        for object in Inventory::new().survey().expect("reads") {
            match object.remove() {
                Ok(()) => {
                    // ORDERING: Relaxed; as above.
                    removed.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    let raced = matches!(error.kind, RemoveErrorKind::Live | RemoveErrorKind::Gone);
                    assert!(raced, "{error}");
                }
            }
        }
    }
}

fn no_opener_loses_its_channel() {
    let stop = AtomicBool::new(false);
    let removed = AtomicU32::new(0);
    thread::scope(|scope| {
        let swept = scope.spawn(|| sweep(&stop, &removed));
        // The command itself as well.
        let commanded = scope.spawn(|| {
            // ORDERING: Relaxed; only a flag.
            while !stop.load(Ordering::Relaxed) {
                run(&["rm", "--stale"]).well();
            }
        });
        let opened = scope.spawn(|| {
            for address in addresses("race") {
                let size = if address.starts_with("shm") {
                    "?capacity=4KiB"
                } else {
                    ""
                };
                let channel = laneway::channel(&format!("{address}{size}")).expect("good");
                let remains = Remains::of(&address, &channel);
                for round in 0..ROUNDS {
                    remains.leave();
                    meet(&channel, round);
                }
            }
        });
        let opened = opened.join();
        // ORDERING: Relaxed; only a flag.
        stop.store(true, Ordering::Relaxed);
        swept.join().expect("nothing but races");
        commanded.join().expect("nothing but races");
        opened.expect("nobody lost a channel");
    });
    run(&["rm", "--stale"]).well();
    assert!(
        removed.into_inner() > 0,
        "something was there to be removed"
    );
}

/// Two who open the name at once have one channel.
fn meet(channel: &BoxChannel, round: u32) {
    let address = channel.address();
    let deadline = Deadline::after(PATIENCE);
    thread::scope(|scope| {
        let of = &address;
        let receiver = scope.spawn(move || {
            let mut rx = channel.receiver_by(deadline).expect("meets");
            let message = rx.peek(deadline).map(<[u8]>::to_vec);
            rx.consume();
            message.unwrap_or_else(|error| panic!("{of}, round {round}: {error}"))
        });
        let mut tx = channel.sender_by(deadline).expect("meets");
        tx.send_by(&round.to_le_bytes(), deadline).expect("sends");
        let message = receiver.join().expect("receives");
        assert_eq!(message, round.to_le_bytes(), "{address}, round {round}");
    });
}
