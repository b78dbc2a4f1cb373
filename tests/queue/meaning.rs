//! What each call means, on every channel that a queue can have.

use std::{
    process,
    time::{Duration, Instant},
};

use laneway::{
    Channel, OpenErrorKind, RecvError, Registry, SendError, Sender, SenderExt,
    process::{Consumer, Entries, Process, Producer, Queue},
    typed::Plain,
};
use libtest_mimic::Trial;
use serde::{Deserialize, Serialize};

use crate::{addresses, channel, trial, watch};

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("fill", |count: u64| {
            watch();
            let mut queue = Producer::inherited("queue").expect("given");
            (0..count).for_each(|number| queue.put(&number).expect("puts"));
        })
        .entry("answer", |()| {
            watch();
            // One side of what was given as a whole.
            let mut asked = Consumer::<Job>::inherited("both").expect("given");
            let mut answers = Producer::inherited("answers").expect("given");
            let job = asked.get().expect("comes");
            answers
                .put(&job.text.repeat(job.times.into()))
                .expect("puts");
        })
}

/// What serde can do: text, a list, something that may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    text: String,
    times: u8,
    more: Option<Vec<f64>>,
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("meaning/values_of_any_type", values_of_any_type),
        trial("meaning/a_narrow_channel_is_refused", narrow),
        trial("meaning/by_name", by_name),
        trial("meaning/what_is_no_item_stays_until_skipped", no_item),
    ];
    for address in addresses() {
        let on = |name: &str, run: fn(&str)| {
            let (name, address) = (format!("meaning/{name}/{address}"), address.clone());
            trial(name, move || run(&address))
        };
        trials.extend([
            on("order_and_numbers", order_and_numbers),
            on("full_and_empty", full_and_empty),
            on("closing_drains", closing_drains),
            on("a_child_ends_though_nobody_got", undrained),
        ]);
    }
    trials
}

fn order_and_numbers(address: &str) {
    let mut queue = Queue::over(&channel(address)).expect("opens");
    assert_eq!(
        (queue.len(), queue.is_empty(), queue.is_full()),
        (0, true, false)
    );
    assert!(queue.capacity() > 0);
    // A pipe of packets holds sixteen.
    for number in 0..15_u64 {
        queue.put(&number).expect("puts");
        assert_eq!(queue.len() as u64, number + 1);
    }
    assert!(!queue.is_empty());
    for number in 0..5 {
        assert_eq!(queue.get().expect("there"), number);
        assert_eq!(queue.len() as u64, 14 - number);
    }
    let mut rest = Vec::new();
    while rest.len() < 10 {
        queue.drain(7, |number| rest.push(number)).expect("there");
    }
    assert_eq!(rest, (5..15).collect::<Vec<_>>());
    assert_eq!((queue.len(), queue.is_empty()), (0, true));
    let many: Vec<u64> = (0..150).collect();
    assert_eq!(queue.put_many(&many[..15]).expect("puts"), 15);
    assert_eq!(queue.len(), 15);
    (0..15).for_each(|number| assert_eq!(queue.get().expect("there"), number));
    assert_eq!(queue.put_many(&[]).expect("puts nothing"), 0);
}

fn full_and_empty(address: &str) {
    let (mut producer, mut consumer) = Queue::over(&channel(address)).expect("opens").split();
    let timeout = Duration::from_millis(20);
    assert!(matches!(consumer.try_get(), Err(RecvError::Empty)));
    let start = Instant::now();
    assert!(matches!(
        consumer.get_timeout(timeout),
        Err(RecvError::Empty)
    ));
    assert!(start.elapsed() >= timeout);
    let item = Plain([7_u64; 32]);
    let mut put = 0;
    loop {
        match producer.try_put(&item) {
            Ok(()) => put += 1,
            Err(SendError::Full) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(put > 10 && !consumer.is_empty() && producer.is_full());
    assert_eq!(producer.len(), put);
    let start = Instant::now();
    assert!(matches!(
        producer.put_timeout(&item, timeout),
        Err(SendError::Full)
    ));
    assert!(start.elapsed() >= timeout);
    assert_eq!(producer.len(), put, "what was refused is not counted");
    for _ in 0..put {
        assert_eq!(consumer.try_get().expect("there"), item);
    }
    assert!(!producer.is_full() && producer.is_empty());
    // More at once than there is room: as many as fit.
    let items = vec![item; put + 100];
    let went = producer.put_many_by(&items, laneway::Deadline::after(timeout));
    let went = went.expect("some fit");
    assert!((put / 2..=put + 1).contains(&went), "{went} of {put}");
    assert_eq!(producer.len(), went);
}

fn closing_drains(address: &str) {
    let queue = Queue::over(&channel(address)).expect("opens");
    let mut other = queue.producer().expect("opens");
    let (mut producer, mut consumer) = queue.split();
    other.put(&1_u32).expect("puts");
    producer.put(&2).expect("puts");
    producer.close();
    other.put(&3).expect("puts");
    assert_eq!(consumer.get().expect("there"), 1);
    other.close();
    let rest: Vec<u32> = consumer.iter().map(|item| item.expect("there")).collect();
    assert_eq!(rest, [2, 3]);
    assert!(matches!(consumer.get(), Err(RecvError::Disconnected)));
    assert!(consumer.iter().next().is_none());
    let (mut producer, consumer) = Queue::over(&channel(address)).expect("opens").split();
    consumer.close();
    let put = producer.put(&1_u32);
    assert!(matches!(put, Err(SendError::Disconnected)), "{put:?}");
    assert_eq!(producer.len(), 0);
}

/// What a child has put is in the queue, not in the child: it ends, is joined, and then all is got.
fn undrained(address: &str) {
    const COUNT: u64 = 10;

    let queue = Queue::<u64>::over(&channel(address)).expect("opens");
    let process = Process::new("fill", &COUNT);
    let process = process.give("queue", &queue.producer().expect("opens"));
    let child = process.expect("gives").start().expect("starts");
    assert!(child.join().expect("ends").success());
    let mut consumer = queue.close();
    assert_eq!(consumer.len() as u64, COUNT);
    let got: Vec<u64> = consumer.iter().map(|item| item.expect("there")).collect();
    assert_eq!(got, (0..COUNT).collect::<Vec<_>>());
}

fn values_of_any_type() {
    let mut queue = Queue::new().expect("opens");
    let mut answers = Queue::<String>::new().expect("opens");
    let process = Process::new("answer", &())
        .give("both", &queue)
        .expect("gives");
    let process = process.give("answers", &answers.producer().expect("opens"));
    let child = process.expect("gives").start().expect("starts");
    let text = "lane".to_owned();
    let job = Job {
        text,
        times: 3,
        more: Some(vec![0.5; 100]),
    };
    queue.put(&job).expect("puts");
    assert_eq!(answers.get().expect("comes"), "lanelanelane");
    assert!(child.join().expect("ends").success());
    let jobs = vec![job; 200];
    assert_eq!(queue.put_many(&jobs).expect("puts"), jobs.len());
    let mut got = Vec::new();
    while got.len() < jobs.len() {
        queue.drain(1000, |job| got.push(job)).expect("there");
    }
    assert_eq!(got, jobs);
    let large = Job {
        text: "x".repeat(queue.capacity()),
        times: 0,
        more: None,
    };
    let put = queue.put(&large);
    assert!(matches!(put, Err(SendError::TooLarge { .. })), "{put:?}");
    assert_eq!(queue.len(), 0);
}

fn narrow() {
    for address in ["pipe:", "shm+spsc:"] {
        let error = Queue::<u8>::over(&channel(address)).expect_err("one handle an end");
        assert_eq!(error.kind, OpenErrorKind::Narrow);
        assert!(error.to_string().contains("shm+mpmc:"), "{error}");
    }
}

/// Two programs that share a name and nothing else; here, two handles that do.
fn by_name() {
    for driver in Registry::BUILTIN.drivers() {
        let unique = format!("laneway-test-queue.{}", process::id());
        let Some(name) = driver.example_name(&unique) else {
            continue;
        };
        let mode = match driver.scheme() {
            "fifo" => "mode=packet",
            _ => "",
        };
        let channel = channel(&format!("{}:{name}?{mode}", driver.scheme()));
        let mut consumer = match Consumer::<u64>::open(&channel) {
            Err(error) if matches!(error.kind, OpenErrorKind::Narrow | OpenErrorKind::Lossy) => {
                continue;
            }
            opened => opened.expect("opens"),
        };
        let error = Producer::<i64>::open(&channel).expect_err("another type");
        assert!(
            matches!(error.kind, OpenErrorKind::Incompatible { .. }),
            "{error}"
        );
        let mut producer = Producer::<u64>::open(&channel).expect("opens");
        producer.put(&1).expect("puts");
        let mut both = Queue::<u64>::over(&channel).expect("opens");
        both.put(&2).expect("puts");
        assert_eq!((producer.len(), consumer.len(), both.len()), (2, 2, 2));
        assert_eq!(consumer.get().expect("there"), 1, "{}", channel.address());
        assert_eq!(both.get().expect("there"), 2, "{}", channel.address());
        consumer.task_done();
        both.task_done();
        producer.join().expect("is done");
        drop((both, producer));
        assert!(matches!(consumer.get(), Err(RecvError::Disconnected)));
        drop(consumer);
        for folder in ["/dev/shm".into(), std::env::temp_dir()] {
            for entry in std::fs::read_dir(folder).expect("there") {
                let name = entry.expect("an entry").file_name();
                assert!(!name.to_string_lossy().contains(&unique), "{name:?}");
            }
        }
    }
}

fn no_item() {
    let unique = format!("laneway-test-foreign.{}", process::id());
    let channel = channel(&format!("shm+mpmc:{unique}"));
    let mut consumer = Consumer::<String>::open(&channel).expect("opens");
    let mut foreign = channel.sender().expect("opens");
    foreign.send(&[0xff; 9]).expect("sends");
    let mut foreign = foreign.values().expect("opens");
    foreign.send(&"text".to_owned()).expect("sends");
    for _ in 0..2 {
        let got = consumer.get();
        assert!(
            matches!(got, Err(RecvError::Mistyped { found: 9 })),
            "{got:?}"
        );
    }
    assert!(consumer.skip());
    assert_eq!(consumer.get().expect("there"), "text");
    assert!(!consumer.skip());
}
