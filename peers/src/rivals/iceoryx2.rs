//! iceoryx2: samples lent by the publisher, read in place by the subscriber, which polls.

use std::hint::spin_loop;

use iceoryx2::{
    config::Config,
    node::{Node, NodeBuilder},
    port::{publisher::Publisher, subscriber::Subscriber},
    prelude::{
        BackpressureStrategy, FileName, LogLevel, Path, PortFactory as _, SemanticString,
        SignalHandlingMode, ipc, set_log_level,
    },
    service::port_factory::publish_subscribe::PortFactory,
};

use super::{lazy::Lazy, numbers};
use crate::{
    row::{Kind, Row, Wait, Work},
    slices::{END, Other, Reader, Slice, round_trip, stream},
    traces,
};

/// A message of so many words. Bytes, so that a reader gets them without a cast.
type Words<const WORDS: usize> = [[u8; 8]; WORDS];

/// How one side finds the other: everything of a row lies beneath names of its own.
#[derive(Clone)]
struct Home(String);

impl Home {
    fn new() -> Self {
        Self(traces::name("iceoryx2"))
    }

    fn node(&self) -> Node<ipc::Service> {
        set_log_level(LogLevel::Error);
        let mut config = Config::default();
        let root = format!("/tmp/{}", self.0);
        let root = Path::new(root.as_bytes()).expect("a path");
        config.global.set_root_path(&root);
        let prefix = format!("{}_", self.0);
        config.global.prefix = FileName::new(prefix.as_bytes()).expect("a name");
        NodeBuilder::new()
            .config(&config)
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create()
            .expect("a node")
    }
}

/// One publisher and one subscriber, who waits when `buffer` samples are unread.
fn service<const WORDS: usize>(
    node: &Node<ipc::Service>,
    name: &str,
    buffer: usize,
) -> PortFactory<ipc::Service, Words<WORDS>, ()> {
    node.service_builder(&name.try_into().expect("a name"))
        .publish_subscribe::<Words<WORDS>>()
        .max_publishers(1)
        .max_subscribers(1)
        .history_size(0)
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(buffer)
        .subscriber_max_borrowed_samples(1)
        .open_or_create()
        .expect("a service")
}

/// The sending side. The fields' order is that of dropping.
struct Tx<const WORDS: usize> {
    publisher: Publisher<ipc::Service, Words<WORDS>, ()>,
    service: PortFactory<ipc::Service, Words<WORDS>, ()>,
    met: bool,
}

impl<const WORDS: usize> Tx<WORDS> {
    fn new(node: &Node<ipc::Service>, name: &str, buffer: usize) -> Self {
        let service = service(node, name, buffer);
        let publisher = service
            .publisher_builder()
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .expect("a publisher");
        Self {
            publisher,
            service,
            met: false,
        }
    }

    /// What nobody listens to is lost: waits for the subscriber.
    #[cold]
    fn meet(&mut self) {
        while self.service.dynamic_config().number_of_subscribers() == 0 {
            std::thread::yield_now();
        }
        self.met = true;
    }

    fn send(&mut self, number: u64) {
        if !self.met {
            self.meet();
        }
        let mut sample = self.publisher.loan_uninit().expect("a sample");
        let words: &mut [std::mem::MaybeUninit<[u8; 8]>] = sample.payload_mut().as_mut();
        for word in words {
            word.write(number.to_ne_bytes());
        }
        // SAFETY: every word is written.
        let sample = unsafe { sample.assume_init() };
        assert_eq!(sample.send().expect("sends"), 1, "nobody got it");
    }
}

/// The receiving side. The fields' order is that of dropping.
struct Rx<const WORDS: usize> {
    subscriber: Subscriber<ipc::Service, Words<WORDS>, ()>,
    _service: PortFactory<ipc::Service, Words<WORDS>, ()>,
}

impl<const WORDS: usize> Rx<WORDS> {
    fn new(node: &Node<ipc::Service>, name: &str, buffer: usize) -> Self {
        let service = service(node, name, buffer);
        let subscriber = service
            .subscriber_builder()
            .buffer_size(buffer)
            .create()
            .expect("a subscriber");
        Self {
            subscriber,
            _service: service,
        }
    }

    fn receive<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        loop {
            if let Some(sample) = self.subscriber.receive().expect("receives") {
                return read(sample.payload().as_flattened());
            }
            spin_loop();
        }
    }
}

fn lent<const WORDS: usize>(buffer: usize, slices: u32) -> Vec<Slice> {
    let home = Home::new();
    let theirs = home.clone();
    let mut ours = Lazy::new();
    let mut their = Lazy::new();
    let mut left = slices;
    let receive = move |reader: &mut Reader| {
        let (rx, _node) = their.get(|| {
            let node = theirs.node();
            (Rx::<WORDS>::new(&node, "there", buffer), node)
        });
        rx.receive(|message| reader.read(message));
        left -= u32::from(reader.ended());
        // This side ends without destructors.
        if left == 0 {
            their.clear();
        }
    };
    let send = |from, to| {
        let (tx, _node) = ours.get(|| {
            let node = home.node();
            (Tx::<WORDS>::new(&node, "there", buffer), node)
        });
        for number in numbers(from, to) {
            tx.send(number);
        }
    };
    stream(Other::Process, slices, 1, send, receive)
}

fn pinged<const WORDS: usize>(buffer: usize, slices: u32) -> Vec<Slice> {
    let home = Home::new();
    let theirs = home.clone();
    let mut ours = Lazy::new();
    let mut their = Lazy::new();
    let mut left = slices;
    let ping = |number: u64| {
        let (there, back, _node) = ours.get(|| {
            let node = home.node();
            let there = Tx::<WORDS>::new(&node, "there", buffer);
            (there, Rx::<WORDS>::new(&node, "back", buffer), node)
        });
        there.send(number);
        back.receive(|echo| assert!(echo.chunks(8).all(|word| word == number.to_ne_bytes())));
    };
    let pong = move || {
        let (rx, back, _node) = their.get(|| {
            let node = theirs.node();
            let rx = Rx::<WORDS>::new(&node, "there", buffer);
            (rx, Tx::<WORDS>::new(&node, "back", buffer), node)
        });
        let number =
            rx.receive(|message| u64::from_ne_bytes(*message.first_chunk().expect("a number")));
        back.send(number);
        left -= u32::from(number == END);
        // This side ends without destructors.
        if left == 0 {
            their.clear();
        }
        number
    };
    round_trip(Other::Process, slices, ping, pong)
}

pub(super) fn rows() -> Vec<Row> {
    let row =
        |work, who, run: fn(u32) -> Vec<Slice>| Row::new(Kind::Rival, work, who, Wait::Spin, run);
    let loan = "iceoryx2 loan";
    vec![
        row(Work::Stream(64), loan, |n| lent::<8>(1024, n)),
        // As many bytes as the others have room for.
        row(Work::Stream(64), "iceoryx2 loan, 8 MiB of buffer", |n| {
            lent::<8>(1 << 17, n)
        }),
        row(Work::Stream(1 << 10), loan, |n| lent::<128>(1024, n)),
        row(Work::Stream(64 << 10), loan, |n| lent::<8192>(128, n)),
        row(Work::Stream(1 << 20), loan, |n| lent::<{ 1 << 17 }>(8, n)),
        row(Work::Trip(8), loan, |n| pinged::<1>(8, n)),
    ]
}
