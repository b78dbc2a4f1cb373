//! A service of 1,000 tasks, each of which receives from a channel of its own. 300,000 messages, or as many as LANEWAY_TEST_ITEMS says.

use std::{env, fs, thread};

use ::tokio::task::JoinSet;
use laneway::{
    BoxReceiver, BoxSender, RecvError, Sender,
    process::{Child, Entries, Process, inherited_sender},
    tokio::{AsyncReceiver, AsyncSender},
};
use libtest_mimic::Trial;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{KINDS, pair, runtime, trial, watch};

/// How many channels there are, and tasks that receive.
const CHANNELS: usize = 1000;
/// How many other processes send; tasks of the service send to the other half of the channels.
const PROCESSES: usize = 2;
/// Descriptors that all this takes, and some more.
const DESCRIPTORS: u64 = 8192;

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("service", |each: u64| serve(each))
        .entry("send", |(keys, each): (Vec<usize>, u64)| send(&keys, each))
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("service/a_thousand_tasks", || {
        let items = env::var("LANEWAY_TEST_ITEMS").ok();
        let all: u64 = items.map_or(300_000, |items| items.parse().expect("a number"));
        let each = all.div_ceil(CHANNELS as u64);
        // A process of its own, so that its threads are those of the service.
        let service = Process::new("service", &each).end_with_parent();
        let status = service.start().expect("starts").join().expect("ends");
        assert!(status.success(), "{status}");
    })]
}

/// Room for the descriptors.
fn make_room() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("asks");
    if soft < DESCRIPTORS {
        assert!(
            hard >= DESCRIPTORS,
            "raise ulimit -Hn {hard} to {DESCRIPTORS}"
        );
        setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, hard).expect("raises");
    }
}

/// Sends so many numbers into each of its channels, by turns.
fn send(keys: &[usize], each: u64) {
    watch();
    make_room();
    let senders = keys
        .iter()
        .map(|key| inherited_sender(&key.to_string()).expect("given"));
    let mut senders: Vec<_> = senders.collect();
    for number in 0..each {
        for tx in &mut senders {
            tx.send(&number.to_le_bytes()).expect("sends");
        }
    }
}

/// The service.
fn serve(each: u64) {
    watch();
    make_room();
    let channels = (0..CHANNELS).map(|number| pair(KINDS[number % KINDS.len()]));
    let (senders, receivers): (Vec<BoxSender>, Vec<BoxReceiver>) = channels.unzip();
    let mut senders: Vec<Option<BoxSender>> = senders.into_iter().map(Some).collect();
    let children: Vec<Child> = (0..PROCESSES)
        .map(|first| start(first, each, &mut senders))
        .collect();
    let cores = thread::available_parallelism().expect("asks").get();
    runtime(cores).block_on(async move {
        let mut tasks = JoinSet::new();
        for (number, rx) in receivers.into_iter().enumerate() {
            tasks.spawn(receive(rx, each, KINDS[number % KINDS.len()]));
        }
        for tx in senders.into_iter().flatten() {
            tasks.spawn(async move {
                let mut tx = AsyncSender::new(tx);
                for number in 0..each {
                    tx.send(&number.to_le_bytes()).await.expect("sends");
                }
            });
        }
        let started = tasks.len();
        assert!(started >= CHANNELS + CHANNELS / 3, "{started}");
        let mut ended = 0;
        while let Some(task) = tasks.join_next().await {
            task.expect("no panic");
            ended += 1;
            if ended % 100 == 0 {
                let names = threads();
                assert!(names.len() <= cores + 2, "{cores} cores: {names:?}");
            }
        }
        assert_eq!(ended, started);
    });
    for child in children {
        assert!(child.join().expect("ends").success());
    }
}

/// Starts a process that sends into a quarter of the channels, whose senders are only there then.
fn start(first: usize, each: u64, senders: &mut [Option<BoxSender>]) -> Child {
    // Half of each kind.
    let keys = (0..CHANNELS).filter(|key| key / KINDS.len() % (2 * PROCESSES) == first);
    let keys: Vec<usize> = keys.take(CHANNELS / 2 / PROCESSES).collect();
    let mut process = Process::new("send", &(keys.clone(), each));
    for &key in &keys {
        let tx = senders[key].as_ref().expect("not given");
        process = process.give(&key.to_string(), tx).expect("gives");
    }
    let child = process.end_with_parent().start().expect("starts");
    for key in keys {
        senders[key] = None;
    }
    child
}

/// Receives what one sender sends, and the end.
async fn receive(rx: BoxReceiver, each: u64, kind: &'static str) {
    let mut rx = AsyncReceiver::new(rx);
    let mut buf = [0; 8];
    for number in 0..each {
        let len = rx
            .recv(&mut buf)
            .await
            .unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!((len, u64::from_le_bytes(buf)), (8, number), "{kind}");
    }
    let end = rx.recv(&mut buf).await;
    assert!(
        matches!(end, Err(RecvError::Disconnected)),
        "{kind}: {end:?}"
    );
}

/// The names of the threads of this process.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("there");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}
