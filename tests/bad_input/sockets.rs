//! What sockets refuse.

use std::{
    fs,
    os::unix::net::{UnixListener, UnixStream},
};

use laneway::{
    AddressProblem, Channel, OpenErrorKind, Sender, SystemLimit,
    transport::{UnixSeqpacket, UnixStream as Stream},
};

use crate::{
    attempt::{assert_alive, assert_says, channel, refused, wrong},
    foreign::{assert_not_ours, each_thing, make_fifo},
    space::without_descriptors,
    world::{Case, path},
};

pub(crate) const CASES: &[Case] = &[
    Case::anywhere(
        "socket_path_is_something_else",
        socket_path_is_something_else,
    ),
    Case::anywhere("lock_is_something_else", lock_is_something_else),
    Case::anywhere("socket_of_the_other_kind", socket_of_the_other_kind),
    Case::anywhere("socket_address_is_wrong", socket_address_is_wrong),
    Case::anywhere(
        "socket_capacity_beyond_the_system",
        socket_capacity_beyond_the_system,
    ),
    Case::anywhere(
        "no_descriptor_left_for_a_socket",
        no_descriptor_left_for_a_socket,
    ),
];

fn socket_path_is_something_else() {
    let path = path("socket");
    let channel = UnixSeqpacket::new(&path);
    for text in ["", "text"] {
        fs::write(&path, text).expect("writes");
        assert_not_ours(&channel, "not a socket");
        fs::remove_file(&path).expect("is ours");
    }
    make_fifo(&path, 0o600);
    assert_not_ours(&channel, "not a socket");
    fs::remove_file(&path).expect("is ours");
    each_thing(&path, |thing| {
        let word = match thing {
            "directory" => "not a socket",
            "socket" => "another program",
            // A sender looks only at whether it is a socket.
            _ => "symbolic link",
        };
        assert_not_ours(&channel, word);
    });
    // Also if somebody listens there, who learns nothing of it.
    let listener = UnixListener::bind(&path).expect("listens");
    listener.set_nonblocking(true).expect("is ours");
    assert_not_ours(&Stream::new(&path), "another program");
    assert!(listener.accept().is_err(), "nobody came");
    fs::remove_file(&path).expect("was left");
}

fn lock_is_something_else() {
    let (path, lock) = (path("socket"), path("socket.lock"));
    let channel = Stream::new(&path);
    for text in ["", "text"] {
        fs::write(&lock, text).expect("writes");
        let error = channel.receiver().map(drop).expect_err("not ours");
        assert!(matches!(error.kind, OpenErrorKind::Refused(_)), "{error}");
        assert_says(&error.to_string(), &["PATH.lock"]);
        assert_eq!(fs::read_to_string(&lock).expect("was left"), text);
    }
    fs::remove_file(&lock).expect("is ours");
    // One that we made stays ours, whoever opens it.
    let (mut tx, mut rx) = channel.pair().expect("opens");
    let error = channel.receiver().map(drop).expect_err("one only");
    assert_eq!(error.kind, OpenErrorKind::Busy, "{error}");
    assert_alive(&mut tx, &mut rx);
}

fn socket_of_the_other_kind() {
    let path = path("socket");
    let packets = UnixSeqpacket::new(&path).receiver().expect("listens");
    let error = Stream::new(&path)
        .sender()
        .map(drop)
        .expect_err("another kind");
    assert!(matches!(error.kind, OpenErrorKind::Refused(_)), "{error}");
    assert_says(&error.to_string(), &["unix+seqpacket: and unix+stream:"]);
    drop(packets);
    let missing = UnixStream::connect(&path).expect_err("gone with the receiver");
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
}

fn socket_address_is_wrong() {
    let long = format!("unix+stream:/tmp/{}", "x".repeat(103));
    let error = wrong(&long);
    assert!(
        matches!(error.problem, AddressProblem::BadName(_)),
        "{error}"
    );
    assert_says(&error.to_string(), &["107"]);
    let values = [
        ("unix+seqpacket:/x?capacity=4KiB", "8KiB to 2GiB"),
        ("unix+seqpacket:/x?capacity=3GiB", "8KiB to 2GiB"),
        ("unix+stream:/x?allow_uid=root", "numbers of users"),
        ("unix+stream:/x?allow_uid=", "numbers of users"),
        ("unix+stream:/x?allow_uid=1,,2", "numbers of users"),
        ("unix+stream:?allow_uid=1", "a channel with a path"),
    ];
    for (address, form) in values {
        let error = wrong(address);
        assert!(
            matches!(error.problem, AddressProblem::BadValue(_)),
            "{error}"
        );
        assert_says(&error.to_string(), &[form]);
    }
    let short = channel("unix:/tmp/x?allow_uid=1,2").address();
    assert_eq!(short.to_string(), "unix+seqpacket:/tmp/x?allow_uid=1,2");
}

fn socket_capacity_beyond_the_system() {
    let limit = SystemLimit::read("net.core.wmem_max").expect("a setting");
    for scheme in ["unix+seqpacket", "unix+stream"] {
        let address = format!("{scheme}:{}?capacity=2GiB", path("socket").display());
        for error in refused(&channel(&address)) {
            assert_eq!(error.kind, OpenErrorKind::Limit(limit), "{error}");
            assert_says(&error.to_string(), &["sysctl -w net.core.wmem_max"]);
        }
        // A smaller one is what it says, and bounds the messages.
        let address = format!("{scheme}:{}?capacity=64KiB", path("socket").display());
        let (mut tx, mut rx) = channel(&address).pair().expect("opens");
        let limits = laneway::Endpoint::limits(&tx);
        assert!(
            limits.capacity == 64 << 10 && limits.system == Some(limit),
            "{limits:?}"
        );
        let most = vec![1; limits.max_message];
        tx.try_send(&most).expect("fits");
        let mut buf = vec![0; most.len()];
        assert_eq!(
            laneway::Receiver::recv(&mut rx, &mut buf).expect("comes"),
            most.len()
        );
        assert!(tx.send(&vec![1; most.len() + 1]).is_err());
    }
}

fn no_descriptor_left_for_a_socket() {
    for scheme in ["unix+seqpacket", "unix+stream"] {
        without_descriptors(&format!("{scheme}:"));
        without_descriptors(&format!("{scheme}:{}", path("socket").display()));
    }
}
