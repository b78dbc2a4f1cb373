//! Capacities that nothing can have, a full `/dev/shm`, no queue left, no descriptor left.

use std::{fs, io, os::fd::AsRawFd};

use laneway::{
    AddressProblem, Channel, Endpoint, OpenErrorKind, Receiver, Registry, Sender, SystemLimit,
    transport::{Pipe, ShmLocked, Sysv},
};
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    statvfs::statvfs,
};

use crate::{
    attempt::{assert_alive, assert_refused, assert_says, channel, pair_refused, wrong},
    private::{SHM, snapshot::Snapshot},
    world::{Case, path, segment},
};

pub(crate) const CASES: &[Case] = &[
    Case::anywhere(
        "absurd_capacity_in_an_address",
        absurd_capacity_in_an_address,
    ),
    Case::anywhere("absurd_capacity_in_a_builder", absurd_capacity_in_a_builder),
    Case::anywhere("zero_capacity_of_a_queue", zero_capacity_of_a_queue),
    Case::private("largest_capacity", largest_capacity),
    Case::private("full_dev_shm", full_dev_shm),
    Case::private("no_queue_left", no_queue_left),
    Case::anywhere(
        "no_descriptor_left_for_a_pipe",
        no_descriptor_left_for_a_pipe,
    ),
    Case::anywhere(
        "no_descriptor_left_for_a_fifo",
        no_descriptor_left_for_a_fifo,
    ),
    Case::anywhere(
        "no_descriptor_left_for_a_queue",
        no_descriptor_left_for_a_queue,
    ),
    Case::anywhere(
        "no_descriptor_left_for_a_queue_without_path",
        no_descriptor_left_for_a_queue_without_path,
    ),
    Case::anywhere(
        "no_descriptor_left_for_a_segment",
        no_descriptor_left_for_a_segment,
    ),
    Case::anywhere("no_address_space_left", no_address_space_left),
];

fn absurd_capacity_in_an_address() {
    let sizes = [
        "0",
        "0MiB",
        "-1",
        "1.5MiB",
        "1mib",
        "2TiB",
        "99999999999999999999",
        "18446744073709551615GiB",
        "",
        "abc",
        "1025GiB",
        "KiB",
    ];
    for driver in Registry::BUILTIN.drivers() {
        let name = driver.example_name("x").unwrap_or_default();
        for size in sizes {
            let start = format!("{}:{name}?capacity=", driver.scheme());
            let error = wrong(&format!("{start}{size}"));
            assert!(
                matches!(error.problem, AddressProblem::BadValue(_)),
                "{error}"
            );
            assert_eq!(error.at, start.len());
            assert_says(&error.to_string(), &["this key takes a size", "KiB"]);
        }
    }
    for (address, word) in [
        ("pipe:?capacity=4095", "from 4KiB"),
        ("fifo:/x?capacity=3GiB", "2GiB"),
        ("shm+lock:?capacity=1023", "from 1KiB"),
        (
            "shm+lock:?capacity=1MiB&max_message=1MiB",
            "half of the capacity",
        ),
        ("shm+lock:?max_message=3GiB", "half of the capacity"),
        ("shm+lock:?max_message=512GiB", "1024GiB"),
        ("shm+lock:?max_message=0", "a size"),
        ("sysv:?capacity=3GiB", "kernel.msgmnb"),
    ] {
        let error = wrong(address);
        assert!(
            matches!(error.problem, AddressProblem::BadValue(_)),
            "{error}"
        );
        assert_says(&error.to_string(), &["this key takes", word]);
    }
}

fn absurd_capacity_in_a_builder() {
    let pipe = Pipe::new();
    for bytes in [0, 1, 4095, usize::MAX] {
        let error = pair_refused(&pipe.clone().capacity(bytes));
        assert!(matches!(error.kind, OpenErrorKind::Refused(_)), "{error}");
        assert_says(&error.to_string(), &["from 4KiB"]);
    }
    for bytes in [0, 1, 1023, usize::MAX] {
        let error = pair_refused(&ShmLocked::new("").capacity(bytes));
        assert!(matches!(error.kind, OpenErrorKind::Refused(_)), "{error}");
        assert_says(&error.to_string(), &["from 1KiB"]);
    }
    let error = pair_refused(&Sysv::new("").capacity(usize::MAX));
    let limit = SystemLimit::read("kernel.msgmnb").expect("is there");
    assert_eq!(error.kind, OpenErrorKind::Limit(limit), "{error}");
    assert_says(&error.to_string(), &["kernel.msgmnb is", "ask for less"]);
}

fn zero_capacity_of_a_queue() {
    let error = pair_refused(&Sysv::new("").capacity(0));
    assert!(matches!(error.kind, OpenErrorKind::Refused(_)), "{error}");
}

/// The largest that an address may ask for is more than there is.
fn largest_capacity() {
    let (name, _) = segment("largest");
    let needed = (1 << 40) + 1024;
    for size in ["1024GiB", "513GiB"] {
        let channel = channel(&format!("shm+lock:{name}?capacity={size}"));
        let words = ["no space for 1099511628800 bytes", "ask for less"];
        assert_refused(&channel, OpenErrorKind::NoSpace { needed }, &words);
    }
}

/// The free bytes of `/dev/shm`.
fn free() -> u64 {
    let stat = statvfs("/dev/shm").expect("a file system");
    stat.blocks_free() * stat.fragment_size()
}

fn full_dev_shm() {
    let (name, _) = segment("live");
    let live = ShmLocked::new(&name).capacity(64 << 10);
    let (mut tx, mut rx) = live.pair().expect("opens");

    // More than is left, and more than there ever was.
    let before = free();
    let (other, _) = segment("large");
    for capacity in [SHM, 64 * SHM] {
        let large = channel(&format!("shm+lock:{other}?capacity={capacity}"));
        let needed = capacity + 1024;
        let told = format!("no space for {needed} bytes");
        let words = [told.as_str(), "free some, or ask for less"];
        assert_refused(&large, OpenErrorKind::NoSpace { needed }, &words);
        assert_eq!(free(), before, "what was reserved is free again");
    }

    // Not a byte is left.
    let filler = "/dev/shm/filler";
    fs::write(filler, vec![1; usize::try_from(free()).expect("small")]).expect("fills");
    assert_eq!(free(), 0);
    let small = ShmLocked::new(&other).capacity(1024);
    let needed = 2048;
    assert_refused(&small, OpenErrorKind::NoSpace { needed }, &["2048 bytes"]);
    let needed = 2048;
    let queue = Sysv::new(path("queue"));
    assert_refused(&queue, OpenErrorKind::NoSpace { needed }, &["2048 bytes"]);
    let error = pair_refused(&Sysv::new(""));
    assert_eq!(error.kind, OpenErrorKind::NoSpace { needed }, "{error}");
    assert_eq!(
        error.source.as_ref().and_then(io::Error::raw_os_error),
        Some(nix::libc::ENOSPC)
    );

    // Who is there is not touched, and what it says to do works.
    assert_alive(&mut tx, &mut rx);
    let message = vec![7; tx.limits().max_message];
    let mut buf = message.clone();
    for _ in 0..8 {
        tx.try_send(&message).expect("its room was reserved");
        rx.try_recv(&mut buf).expect("receives");
    }
    fs::remove_file(filler).expect("is ours");
    drop(small.pair().expect("opens"));
    drop(queue.pair().expect("opens"));
}

fn no_queue_left() {
    fs::write("/proc/sys/kernel/msgmni", "1").expect("our own namespace");
    let limit = OpenErrorKind::Limit(SystemLimit {
        name: "kernel.msgmni",
        value: 1,
    });
    let (mut tx, mut rx) = Sysv::new(path("only")).pair().expect("the only one");
    let words = ["kernel.msgmni is 1", "sysctl -w kernel.msgmni=N"];
    assert_refused(&Sysv::new(path("second")), limit, &words);
    let error = pair_refused(&Sysv::new(""));
    assert_eq!(error.kind, limit, "{error}");
    assert_says(&error.to_string(), &words);
    let source = error.source.as_ref().and_then(io::Error::raw_os_error);
    assert_eq!(source, Some(nix::libc::ENOSPC));
    // The one that is there can still be joined.
    drop(Sysv::new(path("only")).sender().expect("joins"));
    assert_alive(&mut tx, &mut rx);
    drop((tx, rx));
    drop(Sysv::new(path("second")).pair().expect("room again"));
}

fn no_descriptor_left_for_a_pipe() {
    without_descriptors("pipe:");
    without_descriptors("pipe:?mode=packet");
}

fn no_descriptor_left_for_a_fifo() {
    without_descriptors(&format!("fifo:{}", path("fifo").display()));
}

fn no_descriptor_left_for_a_queue() {
    without_descriptors(&format!("sysv:{}", path("sysv").display()));
}

fn no_descriptor_left_for_a_queue_without_path() {
    without_descriptors("sysv:");
}

fn no_descriptor_left_for_a_segment() {
    without_descriptors("shm+lock:?capacity=64KiB");
    without_descriptors(&format!("shm+lock:{}?capacity=64KiB", segment("x").0));
}

/// At whatever step the descriptors run out, nothing stays.
pub(crate) fn without_descriptors(address: &str) {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let channel = channel(address);
    let next = fs::File::open("/dev/null").expect("a descriptor");
    let used = u64::from(next.as_raw_fd().unsigned_abs());
    drop(next);
    let mut refusals = 0;
    loop {
        let before = Snapshot::take();
        setrlimit(Resource::RLIMIT_NOFILE, used + refusals, most).expect("lower");
        let opened = channel.pair();
        setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("as before");
        match opened {
            Ok((mut tx, mut rx)) => {
                assert_alive(&mut tx, &mut rx);
                break;
            }
            Err(error) => {
                assert_eq!(error.kind, OpenErrorKind::Os, "{error}");
                assert_says(&error.to_string(), &["os error 24"]);
                before.assert_same(&format!("{address} after {refusals} descriptors"));
            }
        }
        refusals += 1;
    }
    assert!(refusals > 0, "{address} needs no descriptor");
}

/// Reserved and not to be mapped.
fn no_address_space_left() {
    let (name, _) = segment("mapping");
    let (_, most) = getrlimit(Resource::RLIMIT_AS).expect("a limit");
    let status = fs::read_to_string("/proc/self/statm").expect("proc");
    let pages: u64 = status
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    for address in [
        "shm+lock:?capacity=2MiB".to_owned(),
        format!("shm+lock:{name}?capacity=2MiB"),
    ] {
        let channel = channel(&address);
        let before = Snapshot::take();
        setrlimit(Resource::RLIMIT_AS, (pages << 12) + (1 << 20), most).expect("lower");
        let opened = channel.pair();
        setrlimit(Resource::RLIMIT_AS, most, most).expect("as before");
        let error = opened.map(drop).expect_err("too little");
        assert_eq!(
            error.kind,
            OpenErrorKind::NoSpace {
                needed: (2 << 20) + 1024
            },
            "{error}"
        );
        before.assert_same(&address);
    }
}
