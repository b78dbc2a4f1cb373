//! What comes over the socket and is no handoff is refused, and all descriptors that came with it are closed.

use std::{
    fs::{self, File},
    io::{self, IoSlice, Write},
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
};

use laneway::{
    Channel, Deadline, OpenErrorKind,
    process::{Courier, CourierError},
};
use libtest_mimic::Trial;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

pub(crate) fn trials() -> Vec<Trial> {
    let cases: [(&str, fn()); 5] = [
        (
            "malformed/what_is_no_handoff_is_refused",
            what_is_no_handoff,
        ),
        ("malformed/the_other_end_is_refused", the_other_end),
        ("malformed/deadlines_are_kept", deadlines),
        ("malformed/who_is_gone_is_told", gone),
        ("malformed/too_many_descriptors_are_told", too_many),
    ];
    let trials = cases.into_iter().map(|(name, run)| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    });
    trials.collect()
}

/// A handoff as it should be, but for what is asked.
fn message(mark: &[u8], end: u8, count: u8, len: u16, address: &[u8]) -> Vec<u8> {
    let mut bytes = mark.to_vec();
    bytes.extend([end, count]);
    bytes.extend(len.to_le_bytes());
    bytes.extend(address);
    bytes
}

/// What a taker makes of these bytes with so many descriptors, and whether the files behind them are closed then.
fn told(bytes: &[u8], files: usize) -> Result<laneway::Handoff, CourierError> {
    let (here, there) = UnixStream::pair().expect("opens");
    let (pipe, writer) = io::pipe().expect("opens");
    let fds: Vec<RawFd> = (0..files).map(|_| writer.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&fds)];
    let rights = if files > 0 { rights.as_slice() } else { &[] };
    let parts = [IoSlice::new(bytes)];
    sendmsg::<UnixAddr>(here.as_raw_fd(), &parts, rights, MsgFlags::empty(), None).expect("sends");
    drop((here, writer));
    let taken = Courier::new(&there).take(super::soon());
    drop(there);
    if taken.is_err() {
        // At its end only once nobody can write any more.
        let left = io::read_to_string(pipe).expect("ends");
        assert_eq!(left, "");
    }
    taken
}

fn what_is_no_handoff() {
    let good = message(b"LNH\x01", 0, 1, 5, b"pipe:");
    assert!(told(&good, 1).is_ok_and(|handoff| handoff.fds.len() == 1));
    let malformed = [
        ("another mark", message(b"LNH\x02", 0, 1, 5, b"pipe:"), 1),
        ("no such end", message(b"LNH\x01", 7, 1, 5, b"pipe:"), 1),
        (
            "too long",
            message(b"LNH\x01", 0, 1, u16::MAX, &[b'x'; 65535]),
            1,
        ),
        ("no address", message(b"LNH\x01", 0, 1, 5, b"pipe\0"), 1),
        ("no text", message(b"LNH\x01", 0, 1, 5, &[0xff; 5]), 1),
        ("nothing", message(b"LNH\x01", 0, 1, 0, b""), 1),
        (
            "more than it says",
            message(b"LNH\x01", 0, 1, 5, b"pipe:"),
            2,
        ),
        ("as many as go", message(b"LNH\x01", 0, 1, 5, b"pipe:"), 253),
        (
            "less than it says",
            message(b"LNH\x01", 0, 2, 5, b"pipe:"),
            1,
        ),
        ("none at all", message(b"LNH\x01", 0, 1, 5, b"pipe:"), 0),
    ];
    for (what, bytes, files) in malformed {
        let told = told(&bytes, files);
        assert!(
            matches!(told, Err(CourierError::Malformed(_))),
            "{what}: {told:?}"
        );
    }
    for cut in [0, 1, good.len() - 1] {
        if cut > 0 {
            let told = told(&good[..cut], 1);
            assert!(matches!(told, Err(CourierError::Gone)), "{cut}: {told:?}");
        }
    }
}

fn the_other_end() {
    let (here, there) = UnixStream::pair().expect("opens");
    let (tx, _rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    Courier::new(&here).give(&tx, super::soon()).expect("gives");
    let error = Courier::new(&there)
        .take_receiver(super::soon())
        .expect_err("a sender");
    assert!(
        matches!(&error, CourierError::Open(e) if e.kind == OpenErrorKind::Handoff),
        "{error}"
    );
    // A good address with a descriptor of something else.
    for address in ["pipe:", "unix+seqpacket:", "unix+stream:", "shm:", "sysv:"] {
        let channel = laneway::channel(address).expect("good");
        let thing = laneway::Handoff {
            address: channel.address(),
            end: laneway::End::Receiver,
            fds: vec![File::open("/dev/null").expect("opens").into()],
        };
        Courier::new(&here)
            .give_handoff(&thing, super::soon())
            .expect("gives");
        let taken = Courier::new(&there).take_receiver(super::soon());
        assert!(matches!(taken, Err(CourierError::Open(_))), "{address}");
    }
}

fn deadlines() {
    let (mut here, there) = UnixStream::pair().expect("opens");
    let courier = Courier::new(&there);
    assert!(matches!(
        courier.take(Deadline::NOW),
        Err(CourierError::NotReady)
    ));
    // Half a message, and no more.
    here.write_all(b"LNH").expect("writes");
    let late = courier.take(Deadline::after(std::time::Duration::from_millis(20)));
    assert!(matches!(late, Err(CourierError::NotReady)));
    // Nobody reads there, and it is full.
    let (tx, _rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    let mut given = 0;
    let full = loop {
        match Courier::new(&here).give(&tx, Deadline::NOW) {
            Ok(()) => given += 1,
            Err(error) => break error,
        }
    };
    assert!(given > 0);
    // The kernel also bounds how many descriptors may be under way.
    assert!(
        matches!(full, CourierError::NotReady | CourierError::Io(_)),
        "{full}"
    );
}

fn gone() {
    let (here, there) = UnixStream::pair().expect("opens");
    drop(here);
    let courier = Courier::new(&there);
    assert!(matches!(
        courier.take(super::soon()),
        Err(CourierError::Gone)
    ));
    let (tx, _rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    assert!(matches!(
        courier.give(&tx, super::soon()),
        Err(CourierError::Gone)
    ));
}

fn too_many() {
    let (here, _there) = UnixStream::pair().expect("opens");
    let file = fs::File::open("/dev/null").expect("opens");
    let fds = (0..254).map(|_| file.try_clone().expect("another").into());
    let handoff = laneway::Handoff {
        address: "pipe:".parse().expect("good"),
        end: laneway::End::Sender,
        fds: fds.collect(),
    };
    let given = Courier::new(&here).give_handoff(&handoff, super::soon());
    assert!(
        matches!(given, Err(CourierError::TooMany { count: 254 })),
        "{given:?}"
    );
}
