//! Handoffs that are well-formed and lie: what is named in them, by number or path, is somebody else's and is left alone.

use std::{
    fs::{self, File},
    io::{Read, Seek, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileExt, MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use laneway::{
    BoxChannel, BoxReceiver, BoxSender, Channel, End, Endpoint, Handoff, OpenErrorKind, Receiver,
    RecvError, Sender,
    process::{Courier, CourierError},
};
use libtest_mimic::Trial;
use nix::{
    sys::memfd::{MFdFlags, memfd_create},
    unistd::Uid,
};

use crate::{
    Meeting, go_to, soon, unique,
    users::{as_user, trial},
};

/// Somebody without any right.
const NOBODY: u32 = 65534;
/// Where the number of a queue is in its segment, as docs/layout.md says.
const EXTRA: u64 = 40;

pub(crate) fn trials() -> Vec<Trial> {
    let root = Uid::effective().is_root();
    let cases: [(&str, bool, fn()); 9] = [
        ("forged/a_queue_that_is_anothers", false, queue_of_another),
        (
            "forged/a_queue_of_another_path",
            false,
            queue_of_another_path,
        ),
        ("forged/a_path_that_is_no_socket", false, path_of_no_socket),
        (
            "forged/a_socket_of_another_path",
            false,
            socket_of_another_path,
        ),
        ("forged/a_fifo_of_another_path", false, fifo_of_another_path),
        (
            "forged/a_segment_of_another_name",
            false,
            segment_of_another_name,
        ),
        ("forged/memory_that_can_be_made_shorter", false, unsealed),
        (
            "forged/a_queue_planted_by_another_user",
            true,
            planted_queue,
        ),
        (
            "forged/a_segment_of_another_user",
            true,
            segment_of_another_user,
        ),
    ];
    let trials = cases
        .into_iter()
        .map(|(name, needs_root, run)| trial(name, root || !needs_root, run));
    trials.collect()
}

fn channel(address: &str) -> BoxChannel {
    laneway::channel(address).expect("a good address")
}

fn pair(address: &str) -> (BoxSender, BoxReceiver) {
    channel(address).pair().expect("opens")
}

/// A path or name that goes with this.
struct Place(PathBuf);

impl Place {
    fn new(word: &str) -> Self {
        Self(std::env::temp_dir().join(unique(word)))
    }

    fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It may be gone.
        let _ = fs::remove_file(&self.0);
    }
}

/// What a courier brings of this, at this address.
fn brought(address: &str, end: End, fds: Vec<OwnedFd>) -> Result<(), CourierError> {
    let (here, there) = UnixStream::pair().expect("opens");
    let address = address.parse().expect("a good address");
    let handoff = Handoff { address, end, fds };
    let given = Courier::new(&here).give_handoff(&handoff, soon());
    given.expect("gives");
    drop(handoff);
    let courier = Courier::new(&there);
    match end {
        End::Sender => courier.take_sender(soon()).map(drop),
        End::Receiver => courier.take_receiver(soon()).map(drop),
    }
}

/// Nothing is proved by it, and the error says so.
#[track_caller]
fn assert_unproven(found: Result<(), CourierError>) {
    let error = found.expect_err("a lie");
    let CourierError::Open(open) = &error else {
        panic!("{error}");
    };
    assert!(matches!(open.kind, OpenErrorKind::Unproven(_)), "{error}");
}

/// The number of the queue of this end, in its segment.
fn extra_of(end: &impl Endpoint) -> u64 {
    let [fd] = <[_; 1]>::try_from(end.handoff().expect("hands over").fds).expect("one");
    let mut word = [0; 8];
    File::from(fd)
        .read_exact_at(&mut word, EXTRA)
        .expect("is there");
    u64::from_ne_bytes(word)
}

/// A queue of somebody's with something in it, which is to stay.
fn victim(address: &str) -> (BoxSender, BoxReceiver) {
    let (mut tx, rx) = pair(address);
    tx.send(b"secret").expect("sends");
    (tx, rx)
}

fn assert_unharmed((mut tx, mut rx): (BoxSender, BoxReceiver)) {
    for message in [b"secret", b"second"] {
        assert_eq!(rx.peek(soon()).expect("is there"), message);
        rx.consume();
        tx.send(b"second").expect("sends");
    }
}

/// Whoever may write a queue's segment may write another queue's number into it.
fn queue_of_another() {
    let path = Place::new("queue");
    for address in ["sysv:".to_owned(), format!("sysv:{}", path.text())] {
        let victim = victim(&address);
        let (own, own_rx) = pair("sysv:");
        let handoff = own_rx.handoff().expect("hands over");
        let low = u64::from(u32::MAX);
        let (theirs, ours) = (extra_of(&victim.1), extra_of(&own));
        let segment = handoff.fds.first().expect("one").try_clone();
        let word = ours & !low | theirs & low;
        let segment = File::from(segment.expect("duplicates"));
        segment
            .write_all_at(&word.to_ne_bytes(), EXTRA)
            .expect("may be written");
        assert_unproven(brought("sysv:", End::Receiver, handoff.fds));
        drop((segment, own, own_rx));
        assert_unharmed(victim);
    }
}

fn queue_of_another_path() {
    let (mine, theirs) = (Place::new("mine"), Place::new("theirs"));
    let address = |place: &Place| format!("sysv:{}", place.text());
    let victim = victim(&address(&theirs));
    let (tx, rx) = pair(&address(&mine));
    for lie in [address(&theirs), "sysv:".to_owned()] {
        let fds = rx.handoff().expect("hands over").fds;
        assert_unproven(brought(&lie, End::Receiver, fds));
    }
    drop((tx, rx));
    assert_unharmed(victim);
}

/// The type of the messages is published in a time of the path.
fn path_of_no_socket() {
    let victim = Place::new("file");
    fs::write(&victim.0, "mine").expect("makes");
    let before = fs::metadata(&victim.0).expect("there");
    let elsewhere = Place::new("elsewhere");
    let listener = UnixListener::bind(&elsewhere.0).expect("listens");
    let (mut sender, connection) = UnixStream::pair().expect("opens");
    let lock = File::open("/dev/null").expect("opens");
    // What a sender says that sends a type.
    let note = [&[2][..], &1_234_567_u32.to_le_bytes(), &[0; 4]].concat();
    sender
        .write_all(&[&(1_u32 << 31 | 9).to_le_bytes()[..], &note].concat())
        .expect("sends");
    let fds = vec![lock.into(), listener.into(), connection.into()];
    let address = format!("unix+stream:{}", victim.text());
    assert_unproven(brought(&address, End::Receiver, fds));
    let after = fs::metadata(&victim.0).expect("stays");
    assert_eq!((after.mtime(), after.ino()), (before.mtime(), before.ino()));
    assert_eq!(fs::read(&victim.0).expect("stays"), b"mine");
}

fn socket_of_another_path() {
    for scheme in ["unix+stream", "unix+seqpacket"] {
        let (mine, theirs) = (Place::new("mine"), Place::new("theirs"));
        let address = |place: &Place| format!("{scheme}:{}", place.text());
        let (mut tx, mut rx) = pair(&address(&theirs));
        let mut own = channel(&address(&mine)).receiver().expect("listens");
        let mut lies = Vec::new();
        // Another path, and another's lock with one's own socket.
        let fds = own.handoff().expect("hands over").fds;
        lies.push((address(&theirs), fds));
        let mut fds = own.handoff().expect("hands over").fds;
        *fds.get_mut(0).expect("the lock") =
            File::open(theirs.text() + ".lock").expect("is ours").into();
        lies.push((address(&mine), fds));
        for (address, fds) in lies {
            assert_unproven(brought(&address, End::Receiver, fds));
        }
        assert!(!own.wait_peer(laneway::Deadline::NOW).expect("listens"));
        tx.send(b"alive").expect("sends");
        assert_eq!(rx.peek(soon()).expect("comes"), b"alive");
        // And what is true is taken.
        let fds = own.handoff().expect("hands over").fds;
        brought(&address(&mine), End::Receiver, fds).expect("is so");
    }
}

fn fifo_of_another_path() {
    let (mine, theirs) = (Place::new("mine"), Place::new("theirs"));
    let address = |place: &Place| format!("fifo:{}", place.text());
    let (mut tx, mut rx) = pair(&address(&theirs));
    let own = pair(&address(&mine));
    let senders = own.0.handoff().expect("hands over").fds;
    let receivers = own.1.handoff().expect("hands over").fds;
    assert_unproven(brought(&address(&theirs), End::Sender, senders));
    assert_unproven(brought(&address(&theirs), End::Receiver, receivers));
    // Descriptors of two.
    let mut mixed = own.1.handoff().expect("hands over").fds;
    mixed.truncate(1);
    mixed.extend(rx.handoff().expect("hands over").fds.into_iter().skip(1));
    let error = brought(&address(&mine), End::Receiver, mixed).expect_err("of two");
    let handoff = |error: &CourierError| matches!(error, CourierError::Open(open) if open.kind == OpenErrorKind::Handoff);
    assert!(handoff(&error), "{error}");
    tx.send(b"alive").expect("sends");
    assert_eq!(rx.peek(soon()).expect("comes"), b"alive");
    assert!(theirs.0.exists() && mine.0.exists());
}

fn segment_of_another_name() {
    let (mine, theirs) = (unique("mine"), unique("theirs"));
    for scheme in ["shm+spsc", "shm+mpmc", "shm+lock", "shm+broadcast"] {
        let address = |name: &str| format!("{scheme}:{name}");
        let kept = pair(&address(&theirs));
        let own = pair(&address(&mine));
        let fds = || own.0.handoff().expect("hands over").fds;
        assert_unproven(brought(&address(&theirs), End::Sender, fds()));
        // Without a name it would have to be sealed.
        assert_unproven(brought(&address(""), End::Sender, fds()));
        drop(own);
        assert!(
            Path::new("/dev/shm")
                .join(format!("laneway.{theirs}"))
                .exists()
        );
        drop(kept);
    }
}

/// A copy of an end's memory that lacks the seals.
fn copy_of(end: &impl Endpoint) -> File {
    let [fd] = <[_; 1]>::try_from(end.handoff().expect("hands over").fds).expect("one");
    let (mut file, mut all) = (File::from(fd), Vec::new());
    file.rewind().expect("is a file");
    file.read_to_end(&mut all).expect("is a file");
    let copy = memfd_create("copy", MFdFlags::MFD_CLOEXEC).expect("makes");
    let mut copy = File::from(copy);
    copy.write_all(&all).expect("has room");
    copy
}

fn unsealed() {
    for scheme in ["shm+spsc", "shm+mpmc", "shm+lock", "shm+broadcast"] {
        for key in ["", "?peer=untrusted"] {
            let address = format!("{scheme}:{key}");
            let (tx, rx) = pair(&address);
            for (end, file) in [(End::Sender, copy_of(&tx)), (End::Receiver, copy_of(&rx))] {
                assert_unproven(brought(&address, end, vec![file.into()]));
            }
        }
    }
}

/// What a taker gets of a child of another user's, who gives at this address.
fn from_nobody(task: &str) -> Result<BoxReceiver, CourierError> {
    let meeting = Meeting::new();
    let path = meeting.path();
    let listener = UnixListener::bind(path).expect("listens");
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("is ours");
    let giver = as_user(NOBODY, &format!("forged {task} {}", path.display()));
    let (socket, _) = listener.accept().expect("comes");
    let courier = Courier::new(&socket).allow_uid([NOBODY]);
    let taken = courier.take_receiver(soon());
    // The giver goes when it is told, or when the socket is closed.
    let _ = (&socket).write_all(b"taken");
    drop(socket);
    giver.finish();
    taken
}

#[track_caller]
fn assert_foreign(taken: Result<BoxReceiver, CourierError>) {
    let error = taken.map(drop).expect_err("is nobody's");
    let CourierError::Open(open) = &error else {
        panic!("{error}");
    };
    assert_eq!(open.kind, OpenErrorKind::Foreign { uid: NOBODY }, "{error}");
    assert!(error.to_string().contains("peer=untrusted"), "{error}");
}

fn planted_queue() {
    let victim = victim("sysv:");
    let error = from_nobody(&format!("queue {}", extra_of(&victim.0)));
    assert_foreign(error);
    assert_unharmed(victim);
}

/// Root takes a named segment of another's only if it was opened with that in mind, and survives that it gets shorter.
fn segment_of_another_user() {
    let name = unique("segment");
    assert_foreign(from_nobody(&format!("segment shm+spsc:{name}")));
    let taken = from_nobody(&format!("segment shm+spsc:{name}?peer=untrusted"));
    let found = taken.expect("takes").peek(soon()).map(<[u8]>::to_vec);
    assert!(matches!(found, Err(RecvError::Corrupt)), "{found:?}");
}

/// A giver's part.
pub(crate) fn play(words: &[&str]) {
    match words {
        ["queue", extra, path] => plant(extra.parse().expect("a number"), path),
        ["segment", address, path] => {
            let (mut tx, rx) = pair(address);
            tx.send(b"given").expect("sends");
            let socket = go_to(path);
            let fds = rx.handoff().expect("hands over").fds;
            let courier = Courier::new(&socket).allow_uid([0]);
            match courier.give(&rx, soon()) {
                Ok(()) | Err(CourierError::Gone) => {}
                Err(error) => panic!("{error}"),
            }
            // Taken or refused.
            let mut told = [0; 5];
            let _ = Read::read(&mut &socket, &mut told);
            let file = File::from(fds.into_iter().next().expect("one"));
            if address.contains("untrusted") {
                file.set_len(0).expect("is ours");
            }
        }
        _ => panic!("no task {words:?}"),
    }
}

/// Makes a segment that names a queue of another's, as one of a queue without a path, and gives it.
fn plant(extra: u64, path: &str) {
    let (_tx, rx) = pair("sysv:");
    let handoff = rx.handoff().expect("hands over");
    let own = extra_of(&rx);
    let low = u64::from(u32::MAX);
    let file = handoff.fds.first().expect("one").try_clone();
    let file = File::from(file.expect("duplicates"));
    let word = own & !low | extra & low;
    file.write_all_at(&word.to_ne_bytes(), EXTRA)
        .expect("is ours");
    let socket = go_to(path);
    let given = Courier::new(&socket)
        .allow_uid([0])
        .give_handoff(&handoff, soon());
    assert!(
        matches!(given, Ok(()) | Err(CourierError::Gone)),
        "{given:?}"
    );
    let _ = Read::read(&mut &socket, &mut [0; 5]);
    // So that our own queue is found again, and goes.
    file.write_all_at(&own.to_ne_bytes(), EXTRA)
        .expect("is ours");
}
