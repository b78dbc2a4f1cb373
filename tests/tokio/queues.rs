//! A System V queue: a task that waits takes nothing before it is asked, needs no thread, and hears of programs without laneway.
#![expect(unsafe_code, reason = "sends as a program without laneway does")]

use std::{
    ffi::CString,
    fs,
    path::{Path, PathBuf},
    process,
    sync::{Arc, mpsc},
    task::{Wake, Waker},
    thread,
    time::Duration,
};

use ::tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};
use futures_util::FutureExt;
use laneway::{
    Channel, Endpoint, Readiness, Receiver, RecvError, Sender,
    tokio::{AsyncReceiver, AsyncSender},
};
use libtest_mimic::Trial;
use nix::libc;

use crate::{HANGS, pair, run, trial};

/// Long enough for a thread that was not told to stop.
const MEANWHILE: Duration = Duration::from_millis(200);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("queues/a_cancelled_receive_takes_nothing", cancelled),
        trial("queues/a_runtime_ends_after_a_cancelled_receive", ends),
        trial("queues/more_tasks_than_threads_of_the_pool", crowd),
        trial("queues/a_program_without_laneway_is_heard", foreign),
        trial("queues/a_sender_waits_for_room", room),
        trial("queues/who_uses_laneway_wakes_who_waits", wakes),
    ]
}

/// A path that is removed with this.
struct Place(PathBuf);

impl Place {
    fn new(what: &str) -> Self {
        let name = format!("laneway-tokio.{}.{what}", process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn cancelled() {
    let place = Place::new("cancelled");
    let channel = laneway::channel(&format!("sysv:{}", place.0.display())).expect("good");
    let mut tx = channel.sender().expect("opens");
    let mut quitter = AsyncReceiver::new(channel.receiver().expect("opens"));
    let mut other = channel.receiver().expect("opens");
    run(async move {
        let mut buf = [0; 16];
        let short = Duration::from_millis(20);
        let early = timeout(short, quitter.recv(&mut buf)).await;
        assert!(early.is_err(), "{early:?}");
        tx.send(b"job").expect("sends");
        sleep(MEANWHILE).await;
        assert_eq!(other.try_recv(&mut buf).expect("is there"), 3);
        tx.send(b"second").expect("sends");
        sleep(MEANWHILE).await;
        drop(quitter);
        assert_eq!(other.try_recv(&mut buf).expect("is there"), 6);
        let none = other.try_recv(&mut buf);
        assert!(matches!(none, Err(RecvError::Empty)), "{none:?}");
    });
}

fn ends() {
    let (_tx, rx) = pair("sysv:");
    let mut rx = AsyncReceiver::new(rx);
    let runtime = crate::runtime(1);
    runtime.block_on(async {
        let short = Duration::from_millis(20);
        assert!(timeout(short, rx.recv(&mut [0; 16])).await.is_err());
    });
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        drop(runtime);
        tell.send(()).expect("is heard");
    });
    told.recv_timeout(HANGS).expect("the runtime ends");
}

fn crowd() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .expect("starts");
    runtime.block_on(async {
        let (mut senders, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let (tx, rx) = pair("sysv:");
            let mut rx = AsyncReceiver::new(rx);
            senders.push(tx);
            tasks.push(::tokio::spawn(async move { rx.recv_vec().await }));
            // They wait in this order.
            sleep(Duration::from_millis(5)).await;
        }
        // The last to come is served first.
        while let (Some(mut tx), Some(task)) = (senders.pop(), tasks.pop()) {
            tx.send(b"news").expect("sends");
            let received = timeout(HANGS, task).await.expect("needs no thread");
            assert_eq!(received.expect("no panic").expect("receives"), b"news");
        }
    });
}

/// Puts a message into the queue of a path, and tells nobody.
fn send_without_laneway(path: &Path) {
    /// As msgsnd wants it.
    #[repr(C)]
    struct Message {
        kind: libc::c_long,
        text: [u8; 7],
    }
    let path = CString::new(path.to_str().expect("text")).expect("no zero in it");
    // SAFETY: a string that ends with a zero.
    let key = unsafe { libc::ftok(path.as_ptr(), 1) };
    assert!(key != -1, "{}", std::io::Error::last_os_error());
    // SAFETY: takes numbers only.
    let queue = unsafe { libc::msgget(key, 0) };
    assert!(queue != -1, "{}", std::io::Error::last_os_error());
    let message = Message {
        kind: 1,
        text: *b"foreign",
    };
    // SAFETY: a type and so many bytes of text.
    let sent = unsafe { libc::msgsnd(queue, (&raw const message).cast(), 7, libc::IPC_NOWAIT) };
    assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
}

fn foreign() {
    let place = Place::new("foreign");
    let channel = laneway::channel(&format!("sysv:{}", place.0.display())).expect("good");
    let _tx = channel.sender().expect("opens");
    let mut rx = AsyncReceiver::new(channel.receiver().expect("opens"));
    run(async move {
        let mut recv = std::pin::pin!(rx.recv_vec());
        // Until reports are known to arrive, and it relies on them.
        let early = timeout(MEANWHILE, recv.as_mut()).await;
        assert!(early.is_err(), "{early:?}");
        send_without_laneway(&place.0);
        let received = timeout(HANGS, recv).await.expect("looks again");
        assert_eq!(received.expect("receives"), b"foreign");
    });
}

fn room() {
    let (mut tx, mut rx) = pair("sysv:");
    while tx.try_send(&[7; 1000]).is_ok() {}
    let mut tx = AsyncSender::new(tx);
    run(async move {
        assert!(tx.send(&[7; 1000]).now_or_never().is_none());
        let sending = ::tokio::spawn(async move { tx.send(&[7; 1000]).await });
        sleep(Duration::from_millis(20)).await;
        assert_eq!(rx.try_recv(&mut [0; 1000]).expect("receives"), 1000);
        let sent = timeout(HANGS, sending).await.expect("is woken");
        sent.expect("no panic").expect("sends");
    });
}

/// Tells each time that it is woken.
struct Told(mpsc::Sender<()>);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

/// Arms an end, does `then` once it has looked in vain, and looks again only when it is woken.
fn await_it<E: Endpoint>(end: &mut E, mut look: impl FnMut(&mut E) -> bool, then: impl FnOnce()) {
    let (tell, told) = mpsc::channel();
    let waker = Waker::from(Arc::new(Told(tell)));
    let mut then = Some(then);
    loop {
        end.arm(&waker);
        Readiness::settle();
        if look(end) {
            break;
        }
        if let Some(then) = then.take() {
            then();
        }
        told.recv_timeout(HANGS).expect("is woken");
    }
    assert!(then.is_none(), "there was nothing to wait for");
}

fn wakes() {
    let (mut tx, mut rx) = pair("sysv:");
    for _ in 0..100 {
        let sends = || tx.send(&[7; 1000]).expect("sends");
        await_it(&mut rx, |rx| rx.try_recv(&mut [0; 1000]).is_ok(), sends);
    }
    while tx.try_send(&[7; 1000]).is_ok() {}
    for _ in 0..100 {
        let receives = || assert_eq!(rx.recv(&mut [0; 1000]).expect("receives"), 1000);
        await_it(&mut tx, |tx| tx.try_send(&[7; 1000]).is_ok(), receives);
    }
    let goes = || drop(tx);
    while rx.try_recv(&mut [0; 1000]).is_ok() {}
    let is_told = |error| matches!(error, Err(RecvError::Disconnected));
    await_it(&mut rx, |rx| is_told(rx.try_recv(&mut [0; 16])), goes);
}
