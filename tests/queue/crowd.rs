//! Five producers and five consumers, left alone or killed.
//!
//! 100,000 items a producer, or as many as LANEWAY_TEST_ITEMS says.

use std::{
    env,
    hash::{BuildHasher, RandomState},
    os::unix::process::ExitStatusExt,
    time::Duration,
};

use laneway::{
    RecvError,
    process::{Child, Consumer, Entries, Process, Producer, Queue},
    typed::Plain,
};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::{
    addresses, channel,
    marks::{Folder, Marks},
    trial, watch,
};

/// Producers, and consumers.
const SIDE: u64 = 5;
/// Items a producer puts on a channel that is not the usual one.
const FEW: u64 = 3000;
/// How often one is killed.
const PERIOD: Duration = Duration::from_millis(50);

/// An item: 64 bytes.
type Item = Plain<[u64; 8]>;

const fn item(number: u64) -> Item {
    Plain([number, !number, number, 3, 4, 5, number, 7])
}

/// Its number, if it came whole.
fn number(got: Item) -> u64 {
    let [number, ..] = *got;
    assert_eq!(got, item(number), "whole");
    number
}

/// The number of a sentinel.
const SENTINEL: u64 = u64::MAX;

/// How a crowd ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody can put any more.
    Close,
    /// Each consumer gets an item that says so.
    Sentinels,
}

/// How a consumer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Single,
    Batches,
}

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("produce", |(from, to, batches): (u64, u64, bool)| {
            watch();
            let mut queue = Producer::inherited("queue").expect("given");
            let numbers: Vec<u64> = (from..to).collect();
            for some in numbers.chunks(100) {
                let items: Vec<Item> = some.iter().map(|&number| item(number)).collect();
                if batches {
                    let put = queue.put_many(&items);
                    assert_eq!(put.expect("puts"), items.len());
                } else {
                    items.iter().for_each(|item| queue.put(item).expect("puts"));
                }
            }
        })
        .entry("consume", |(path, batches): (String, bool)| {
            watch();
            let mut queue = Consumer::inherited("queue").expect("given");
            let mut marks = Marks::open(&path);
            consume(&mut queue, batches, |number| marks.mark(number));
            marks.keep();
        })
        .entry(
            "consume_and_be_killed",
            |(path, batches): (String, bool)| {
                watch();
                let mut queue = Consumer::inherited("queue").expect("given");
                let marks = Marks::open(&path);
                consume(&mut queue, batches, |number| marks.mark_now(number));
            },
        )
}

fn consume(queue: &mut Consumer<Item>, batches: bool, mut each: impl FnMut(u64)) {
    if !batches {
        for got in queue {
            match number(got.expect("comes")) {
                SENTINEL => return,
                number => each(number),
            }
        }
        return;
    }
    loop {
        match queue.drain(100, |got| each(number(got))) {
            Ok(_) => {}
            Err(RecvError::Disconnected) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    let many = env::var("LANEWAY_TEST_ITEMS").ok();
    let many = many.map_or(100_000, |text| text.parse().expect("a number"));
    let mut trials = Vec::new();
    for ending in [Ending::Close, Ending::Sentinels] {
        let name = format!("crowd/each_item_once/{ending:?}");
        trials.push(trial(name, move || {
            exactly_once("shm+mpmc:", many, ending, Way::Single);
        }));
    }
    for way in [Way::Single, Way::Batches] {
        let name = format!("crowd/killed_consumers/{way:?}");
        trials.push(trial(name, move || killed_consumers(many, way)));
    }
    trials.push(trial("crowd/each_item_once/Batches", move || {
        exactly_once("shm+mpmc:", many, Ending::Close, Way::Batches);
    }));
    for address in addresses() {
        for (ending, way) in [
            (Ending::Close, Way::Batches),
            (Ending::Sentinels, Way::Single),
        ] {
            let name = format!("crowd/each_item_once/{address}/{ending:?}/{way:?}");
            let address = address.clone();
            trials.push(trial(name, move || {
                exactly_once(&address, FEW, ending, way)
            }));
        }
    }
    trials
}

fn start_producers(queue: &Queue<Item>, each: u64, way: Way) -> Vec<Child> {
    let start = |part| {
        let range = (part * each, (part + 1) * each, way == Way::Batches);
        let process = Process::new("produce", &range);
        let producer = queue.producer().expect("opens");
        process
            .give("queue", &producer)
            .expect("gives")
            .start()
            .expect("starts")
    };
    (0..SIDE).map(start).collect()
}

fn start_consumer(queue: &Consumer<Item>, entry: &str, path: String, way: Way) -> Child {
    let process = Process::new(entry, &(path, way == Way::Batches));
    let process = process.give("queue", queue).expect("gives");
    process.start().expect("starts")
}

fn join(child: &Child) {
    let status = child.join().expect("ends");
    assert!(status.success(), "{}: {status}", child.name());
}

fn exactly_once(address: &str, each: u64, ending: Ending, way: Way) {
    let folder = Folder::new();
    let queue = Queue::over(&channel(address)).expect("opens");
    let producers = start_producers(&queue, each, way);
    let (mut end, consumer) = queue.split();
    let start = |index| start_consumer(&consumer, "consume", folder.path(index), way);
    let consumers: Vec<_> = (0..5).map(start).collect();
    drop(consumer);
    producers.iter().for_each(join);
    if ending == Ending::Sentinels {
        (0..SIDE).for_each(|_| end.put(&item(SENTINEL)).expect("puts"));
    } else {
        end.close();
    }
    consumers.iter().for_each(join);
    let counts = folder.counts(SIDE * each);
    let wrong = counts.iter().position(|&count| count != 1);
    assert_eq!(
        wrong.map(|number| (number, counts[number])),
        None,
        "{address}"
    );
}

/// Every 50 ms a consumer is killed, and another one started, until the producers have ended.
fn killed_consumers(each: u64, way: Way) {
    let folder = Folder::new();
    let queue = Queue::over(&channel("shm+mpmc:")).expect("opens");
    let mut producers = start_producers(&queue, each, way);
    let consumer = queue.close();
    let entry = "consume_and_be_killed";
    let start = |index| start_consumer(&consumer, entry, folder.path(index), way);
    let mut consumers: Vec<_> = (0..5).map(start).collect();
    let mut started = consumers.len();
    let mut kills = 0;
    while !producers.is_empty() {
        let ended = producers[0].join_timeout(PERIOD).expect("is a child");
        if let Some(status) = ended {
            assert!(status.success(), "{status}");
            producers.remove(0);
            continue;
        }
        let random = RandomState::new().hash_one(kills) % SIDE;
        let index = usize::try_from(random).expect("small");
        consumers[index].kill().expect("is sent");
        let status = consumers[index].join().expect("ends");
        if status.success() {
            // The last producers have ended since we looked, and so has it.
            producers.drain(..).for_each(|producer| join(&producer));
            consumers.remove(index);
            break;
        }
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{status}");
        kills += 1;
        consumers[index] = start(started);
        started += 1;
    }
    drop(consumer);
    consumers.iter().for_each(join);
    let counts = folder.counts(SIDE * each);
    let lost = counts.iter().filter(|&&count| count == 0).count();
    let again = counts.iter().filter(|&&count| count > 1).count();
    #[expect(clippy::print_stderr, reason = "what was found is worth knowing")]
    {
        eprintln!(
            "{way:?}: {kills} killed, {lost} items lost, {again} came again, of {}",
            counts.len()
        );
    }
    assert!(
        kills > 0,
        "the crowd was too fast: raise LANEWAY_TEST_ITEMS"
    );
    match way {
        // An item that was got is out of the queue before it is marked.
        Way::Single => assert!(lost <= kills && again == 0),
        // One that is drained is out of it after that.
        Way::Batches => assert!(lost == 0 && again <= kills),
    }
}
