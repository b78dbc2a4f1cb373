//! What the kernel tells nobody of is looked for, by whoever waits for a socket among other things.
#![expect(
    clippy::disallowed_methods,
    reason = "the other side is given time to fall asleep"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use ::tokio::{
    runtime::{Builder, Runtime},
    task::spawn,
    time::{sleep, timeout},
};
use laneway::{
    BoxChannel, BoxReceiver, BoxSender, Channel, Deadline, Receiver, Sender, WaitError,
    tokio::AsyncSender, wait_any,
};
use libtest_mimic::Trial;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{Running, over_sockets, soon};

/// Longer than anybody sleeps between two looks.
const A_WHILE: Duration = Duration::from_millis(150);
/// What is sent.
const MESSAGE: [u8; 64] = [7; 64];

pub(crate) fn trials() -> Vec<Trial> {
    over_sockets(&[
        (
            "who_came_without_descriptors_is_waited_for",
            without_descriptors,
        ),
        ("a_task_goes_on_when_there_is_room", room),
        ("who_awaits_no_more_is_left_alone", left_alone),
    ])
}

/// A child's part.
pub(crate) fn play(words: &[&str]) {
    match words {
        ["poor", address] => poor(&laneway::channel(address).expect("a good address")),
        _ => panic!("no task {words:?}"),
    }
}

/// In a process of its own, whose limit is its own.
fn without_descriptors(channel: &BoxChannel) {
    Running::start(&format!("naps poor {}", channel.address())).finish();
}

/// Descriptors run out while a sender comes, and are there again while this sleeps.
fn poor(channel: &BoxChannel) {
    let mut rx = channel.receiver().expect("listens");
    let mut tx = channel.sender().expect("connects");
    tx.send(b"news").expect("waits to be taken in");
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, 3, hard).expect("lower");
    let none = wait_any(&mut [&mut rx], Deadline::after(Duration::from_millis(50)));
    assert!(matches!(none, Err(WaitError::Empty)), "{none:?}");
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(A_WHILE);
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("as before");
        });
        let ready = wait_any(&mut [&mut rx], soon());
        assert_eq!(ready.expect("there is one again"), 0);
    });
    assert_eq!(rx.peek(Deadline::NOW).expect("is there"), b"news");
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("starts")
}

/// Both ends with the path and without one, full, and how many messages there are.
fn full(channel: &BoxChannel) -> Vec<(BoxSender, BoxReceiver, usize)> {
    let nameless = format!("{}:", channel.address().scheme());
    let nameless = laneway::channel(&nameless).expect("a good address");
    let channels = [channel, &nameless].into_iter();
    let pairs = channels.map(|channel| {
        let (mut tx, rx) = channel.pair().expect("opens");
        let sent = (0..).take_while(|_| tx.try_send(&MESSAGE).is_ok()).count();
        (tx, rx, sent)
    });
    pairs.collect()
}

/// Half of it becomes free, which is less than what the kernel tells of.
fn room(channel: &BoxChannel) {
    for (tx, mut rx, sent) in full(channel) {
        runtime().block_on(async {
            let mut tx = AsyncSender::new(tx);
            let sending = spawn(async move {
                tx.send(&MESSAGE).await.expect("sends");
                // Closed once it was received.
                tx
            });
            sleep(A_WHILE).await;
            assert!(!sending.is_finished(), "there was no room");
            for _ in 0..sent / 2 {
                assert_eq!(rx.peek(Deadline::NOW).expect("was sent"), MESSAGE);
                rx.consume();
            }
            // Around the task, which a timer of its own would wake.
            let ended = timeout(Duration::from_secs(30), sending).await;
            let tx = ended.expect("there is room").expect("no panic");
            let left = (0..).take_while(|_| rx.try_recv(&mut [0; 64]).is_ok());
            assert_eq!(left.count(), sent - sent / 2 + 1);
            drop(tx);
        });
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // ORDERING: Relaxed; only counted.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that waits is woken to look; one that does something else is not woken on and on.
fn left_alone(channel: &BoxChannel) {
    for (tx, rx, _) in full(channel) {
        runtime().block_on(async {
            let mut tx = AsyncSender::new(tx);
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            let sent = tx.poll_send(&mut Context::from_waker(&waker), &MESSAGE);
            assert!(sent.is_pending(), "{sent:?}");
            sleep(A_WHILE).await;
            // ORDERING: Relaxed; the same thread.
            assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        });
        drop(rx);
    }
}
