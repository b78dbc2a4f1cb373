//! Many senders at one socket: one that floods, one that dies, one that is none.

use std::{
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use laneway::{
    BoxChannel, Channel, Deadline, Endpoint, OpenErrorKind, Receiver, ReceiverExt, RecvError,
    SendError, Sender, SenderExt,
    conformance::Numbered,
    process::{give, inherited_receiver},
};
use libtest_mimic::Trial;
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket},
};

use crate::{Running, again, over_sockets, soon};

pub(crate) fn trials() -> Vec<Trial> {
    over_sockets(&[
        ("a_flood_starves_nobody", a_flood_starves_nobody),
        (
            "without_descriptors_those_who_are_in_are_heard",
            without_descriptors,
        ),
        (
            "strangers_to_the_protocol_are_no_senders",
            strangers_to_the_protocol,
        ),
        ("a_death_in_a_frame_cuts_nobody_else", a_death_in_a_frame),
        (
            "a_sender_goes_to_the_next_receiver_and_is_told",
            the_next_receiver,
        ),
        (
            "types_are_compared_before_anybody_is_taken_in",
            types_are_compared,
        ),
        ("what_does_not_fit_is_not_begun", what_does_not_fit),
    ])
}

fn a_flood_starves_nobody(channel: &BoxChannel) {
    let mut rx = channel.receiver().expect("listens");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut tx = channel.sender().expect("connects");
            let stop = &stop;
            scope.spawn(move || {
                // ORDERING: Relaxed; nothing else is read by it.
                while !stop.load(Ordering::Relaxed) {
                    tx.send(b"flood").expect("sends");
                }
            });
        }
        for _ in 0..100 {
            assert_eq!(rx.peek(soon()).expect("comes"), b"flood");
            rx.consume();
        }
        // It comes into the middle of it.
        let mut quiet = channel.sender().expect("connects");
        quiet.send(b"quiet").expect("sends");
        let heard = (0..1000).any(|_| {
            let is_it = rx.peek(soon()).expect("comes") == b"quiet";
            rx.consume();
            is_it
        });
        // ORDERING: Relaxed; as above.
        stop.store(true, Ordering::Relaxed);
        assert!(heard, "a thousand others were heard first");
        // So that none of them sleeps on.
        while rx
            .drain_by(100, Deadline::after(Duration::from_millis(50)), &mut |_| {})
            .is_ok()
        {}
    });
}

/// In a process of its own, whose limit is its own.
fn without_descriptors(channel: &BoxChannel) {
    Running::start(&format!("crowd poor {}", channel.address())).finish();
}

fn poor(channel: &BoxChannel) {
    let mut rx = channel.receiver().expect("listens");
    let mut first = channel.sender().expect("connects");
    first.send(b"first").expect("sends");
    assert_eq!(rx.peek(soon()).expect("comes"), b"first");
    rx.consume();
    let mut second = channel.sender().expect("connects");
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, 3, hard).expect("lower");
    second.send(b"second").expect("waits to be taken in");
    for _ in 0..3 {
        first.send(b"on").expect("sends");
        assert_eq!(rx.peek(soon()).expect("comes"), b"on");
        rx.consume();
        let nothing = rx.peek(Deadline::after(Duration::from_millis(50)));
        assert!(matches!(nothing, Err(RecvError::Empty)), "{nothing:?}");
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("as before");
    assert_eq!(rx.peek(soon()).expect("comes"), b"second");
}

fn strangers_to_the_protocol(channel: &BoxChannel) {
    let mut rx = channel.receiver().expect("listens");
    let address = channel.address();
    let path = UnixAddr::new(std::path::Path::new(address.name())).expect("short");
    let kind = match address.scheme() {
        "unix+stream" => SockType::Stream,
        _ => SockType::SeqPacket,
    };
    let come = || {
        let socket =
            socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).expect("opens");
        connect(socket.as_raw_fd(), &path).expect("connects");
        socket
    };
    let silent = come();
    let junk: [&[u8]; 5] = [
        b"\0a message without a greeting",
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 64],
        b"\x01\xff\xff\xff\xff\0\0\0\0",
        &[0; 4096],
    ];
    for junk in junk {
        let socket = come();
        send(socket.as_raw_fd(), junk, MsgFlags::empty()).expect("sends");
        let nothing = rx.peek(Deadline::after(Duration::from_millis(5)));
        assert!(matches!(nothing, Err(RecvError::Empty)), "{nothing:?}");
        // It is told, and then it is over.
        let mut told = [0; 64];
        let len = recv(socket.as_raw_fd(), &mut told, MsgFlags::empty()).expect("is told");
        assert!(len == 9 && told[0] == 3, "{told:?}");
        assert!(matches!(
            recv(socket.as_raw_fd(), &mut told, MsgFlags::empty()),
            Ok(0) | Err(_)
        ));
    }
    assert!(
        !rx.wait_peer(Deadline::NOW).expect("asks"),
        "none was a sender"
    );
    let mut tx = channel.sender().expect("connects");
    tx.send(b"well").expect("sends");
    assert_eq!(rx.peek(soon()).expect("comes"), b"well");
    rx.consume();
    drop(tx);
    let gone = rx.peek(soon());
    assert!(
        matches!(gone, Err(RecvError::Disconnected)),
        "who is silent is nobody: {gone:?}"
    );
    drop(silent);
}

fn a_death_in_a_frame(channel: &BoxChannel) {
    let mut rx = channel.receiver().expect("listens");
    let mut other = channel.sender().expect("connects");
    let numbered = long();
    for round in 0..5_u64 {
        let running = Running::start(&format!("crowd flood {}", channel.address()));
        let mut next = 0;
        // Read a while, then leave it in the middle of what it sends.
        while next < 5 + round {
            let message = rx.loan().expect("comes");
            assert_eq!(numbered.check(&message), Some(next));
            drop(message);
            next += 1;
        }
        thread::yield_now();
        running.kill();
        other.send(b"unharmed").expect("sends");
        let mut seen = false;
        while let Ok(message) = rx.peek(Deadline::after(Duration::from_millis(20))) {
            match message {
                b"unharmed" => seen = true,
                message => {
                    assert_eq!(numbered.check(message), Some(next), "whole and in order");
                    next += 1;
                }
            }
            rx.consume();
        }
        assert!(seen);
    }
}

/// Messages that take several parts in a stream.
fn long() -> Numbered {
    Numbered {
        min: 100 << 10,
        max: 180 << 10,
    }
}

/// A receiver that is killed, and another that listens.
fn the_next_receiver(channel: &BoxChannel) {
    let (mut tx, rx) = channel.pair().expect("opens");
    let mut command = again("crowd hold");
    give(&mut command, "rx", &rx).expect("gives");
    let first = Running::run(&mut command);
    drop((command, rx));
    tx.send(b"lost").expect("sends");
    first.kill();
    // It listens before the sender has noticed anything.
    let mut rx = channel.receiver().expect("heals what is left");
    assert!(tx.is_disconnected());
    let told = tx.send(b"told");
    assert!(matches!(told, Err(SendError::Disconnected)), "{told:?}");
    tx.send(b"to the next").expect("goes on");
    assert_eq!(rx.peek(soon()).expect("comes"), b"to the next");
    rx.consume();
    drop(rx);
    assert!(matches!(tx.send(b"told"), Err(SendError::Disconnected)));
    assert!(
        matches!(tx.send(b"told"), Err(SendError::Disconnected)),
        "nobody listens"
    );
    thread::scope(|scope| {
        let waiting = scope.spawn(move || tx.wait_peer(soon()).map(|there| (there, tx)));
        let rx = channel.receiver().expect("listens");
        let (there, mut tx) = waiting.join().expect("returns").expect("asks");
        assert!(there);
        tx.send(b"on").expect("sends");
        drop((tx, rx));
    });
}

fn types_are_compared(channel: &BoxChannel) {
    let rx = channel.receiver().expect("listens");
    let rx = rx.pod::<u64>().expect("is the first");
    // Nobody has taken it in yet.
    let refused = channel.sender().expect("connects").pod::<[u32; 2]>();
    let error = refused.map(drop).expect_err("another type");
    assert!(
        matches!(error.kind, OpenErrorKind::Incompatible { .. }),
        "{error}"
    );
    let mut tx = channel
        .sender()
        .expect("connects")
        .pod::<u64>()
        .expect("agrees");
    tx.send(&7).expect("sends");
    let mut rx = rx;
    assert_eq!(rx.recv().expect("comes"), 7);
    drop(rx);
    // A receiver without a type hears who came first, and the next is held against that.
    let mut rx = channel.receiver().expect("listens");
    let mut first = channel
        .sender()
        .expect("connects")
        .pod::<u64>()
        .expect("is the first");
    first.send(&1).expect("sends");
    assert_eq!(rx.peek(soon()).expect("comes"), 1_u64.to_le_bytes());
    rx.consume();
    let late = channel.sender().expect("connects").pod::<[u32; 2]>();
    let error = late.map(drop).expect_err("another type");
    assert!(
        matches!(error.kind, OpenErrorKind::Incompatible { .. }),
        "{error}"
    );
}

/// A call that may not wait sends all or nothing, of whatever length, and never sleeps in the middle.
fn what_does_not_fit(channel: &BoxChannel) {
    let (mut tx, mut rx) = channel.pair().expect("opens");
    let max = tx.limits().max_message;
    let message: Vec<u8> = (0..max)
        .map(|n| u8::try_from(n % 251).expect("a byte"))
        .collect();
    let mut state = 1_u64;
    let mut chance = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits")
    };
    for _ in 0..300 {
        let mut sent = Vec::new();
        loop {
            // Short and long ones, on a logarithmic scale.
            let len = chance() % (max >> (chance() % 12)).max(1);
            match tx.try_send(&message[..len]) {
                Ok(()) => sent.push(len),
                Err(SendError::Full) => break,
                Err(error) => panic!("{error}"),
            }
        }
        for len in sent {
            assert!(rx.peek(Deadline::NOW).expect("was sent") == &message[..len]);
            rx.consume();
        }
        assert!(matches!(rx.peek(Deadline::NOW), Err(RecvError::Empty)));
    }
}

/// A child's part.
pub(crate) fn play(words: &[&str]) {
    let open = |address: &str| laneway::channel(address).expect("a good address");
    match words {
        ["poor", address] => poor(&open(address)),
        ["flood", address] => {
            let mut tx = open(address).sender().expect("connects");
            let mut message = Vec::new();
            for number in 0.. {
                long().write(number, &mut message);
                tx.send(&message).expect("sends");
            }
        }
        ["hold"] => {
            let rx = inherited_receiver("rx").expect("given");
            loop {
                thread::park();
                assert!(rx.as_fd().is_some());
            }
        }
        _ => panic!("no task {words:?}"),
    }
}
