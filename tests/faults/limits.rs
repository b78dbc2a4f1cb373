//! Limits of the system: a typed error at the opening, and never a signal, there or later.

use std::{fs, io};

use laneway::{
    BoxChannel, Channel, Deadline, Endpoint, Fan, OpenErrorKind, Receiver, Sender, process::Queue,
};
use nix::{
    errno::Errno,
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        statvfs::statvfs,
    },
};

use crate::{
    private::snapshot::Snapshot,
    world::{Case, named},
};

pub(crate) const CASES: &[Case] = &[
    Case::new("a_limit_on_file_sizes_is_told", file_size).only(|can| !can.kernel_buffered),
    Case::new(
        "a_limit_on_file_sizes_is_no_concern_of_the_kernels_own",
        kernels_own,
    )
    .only(|can| can.kernel_buffered),
    Case::new("a_full_dev_shm_is_told_and_never_a_signal", full_dev_shm)
        .only(|can| !can.kernel_buffered)
        .private(),
    Case::new("a_full_dev_shm_leaves_a_queue_whole", full_queue)
        .only(|can| !can.kernel_buffered && matches!(can.receivers, Fan::Many))
        .private(),
];

/// Has this process write no file longer than so many bytes, while `run` does.
fn within<T>(bytes: u64, run: impl FnOnce() -> T) -> T {
    let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).expect("a limit");
    setrlimit(Resource::RLIMIT_FSIZE, bytes, hard).expect("lowers");
    let done = run();
    setrlimit(Resource::RLIMIT_FSIZE, soft, hard).expect("as before");
    done
}

/// Ways to open that must fail; the kernel would end a process that asks for more than it may have.
fn file_size(channel: &BoxChannel) {
    let named = named(channel, "limit").expect("rings have names");
    for channel in [channel, &named] {
        let before = Snapshot::take();
        for limit in [0, 1024, 64 << 10] {
            let error = within(limit, || channel.pair().map(drop)).expect_err("too large");
            let OpenErrorKind::NoSpace { needed } = error.kind else {
                panic!("{error}");
            };
            assert!(needed > limit);
            let source = error.source.as_ref().and_then(io::Error::raw_os_error);
            assert_eq!(source, Some(Errno::EFBIG as i32), "{error}");
            assert!(error.to_string().contains("ask for less"), "{error}");
        }
        before.assert_same("nothing stays");
        // Who is there already does not care.
        let (mut tx, mut rx) = channel.pair().expect("opens");
        within(0, || exchange(&mut tx, &mut rx));
    }
}

fn kernels_own(channel: &BoxChannel) {
    let (mut tx, mut rx) = channel.pair().expect("opens");
    within(4096, || exchange(&mut tx, &mut rx));
}

fn exchange(tx: &mut impl Sender, rx: &mut impl Receiver) {
    let message = vec![7; tx.limits().max_message.min(3000)];
    for _ in 0..100 {
        tx.try_send(&message).expect("sends");
        assert_eq!(rx.peek(Deadline::NOW).expect("comes"), message);
        rx.consume();
    }
}

/// Leaves no byte free in `/dev/shm`.
fn fill(file: &str) {
    let stat = statvfs("/dev/shm").expect("a file system");
    let free = stat.blocks_free() * stat.fragment_size();
    fs::write(file, vec![1; usize::try_from(free).expect("small")]).expect("fills");
}

fn small(channel: &BoxChannel, word: &str) -> BoxChannel {
    let named = named(channel, word).expect("rings have names");
    let address = named.address().with("capacity", 64 << 10);
    laneway::channel(&address.to_string()).expect("good")
}

fn full_dev_shm(channel: &BoxChannel) {
    let live = small(channel, "live");
    let (mut tx, mut rx) = live.pair().expect("opens");
    let filler = "/dev/shm/filler";
    fill(filler);
    let before = Snapshot::take();
    let other = small(channel, "other");
    for opened in [
        other.pair().map(drop),
        other.sender().map(drop),
        other.receiver().map(drop),
    ] {
        let error = opened.expect_err("no space");
        assert!(
            matches!(error.kind, OpenErrorKind::NoSpace { .. }),
            "{error}"
        );
    }
    before.assert_same("nothing stays");
    // Every byte of the ring was reserved: no page of it is missing now.
    let message = vec![7; tx.limits().max_message];
    for _ in 0..64 {
        tx.try_send(&message).expect("its room was reserved");
        assert_eq!(rx.peek(Deadline::NOW).expect("comes"), message);
        rx.consume();
    }
    drop((tx, rx));
    fs::remove_file(filler).expect("is ours");
    drop(other.pair().expect("room again"));
}

fn full_queue(channel: &BoxChannel) {
    let filler = "/dev/shm/filler";
    let live = small(channel, "live");
    let mut queue = Queue::<u64>::over(&live).expect("opens");
    fill(filler);
    let before = Snapshot::take();
    let error = Queue::<u64>::over(&small(channel, "other"))
        .map(drop)
        .expect_err("no space");
    assert!(
        matches!(error.kind, OpenErrorKind::NoSpace { .. }),
        "{error}"
    );
    before.assert_same("nothing stays");
    for number in 0..100 {
        queue.put(&number).expect("its room was reserved");
        assert_eq!(queue.get().expect("comes"), number);
        queue.task_done();
    }
    drop(queue);
    fs::remove_file(filler).expect("is ours");
}
