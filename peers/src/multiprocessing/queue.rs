//! Items a second of 64 bytes through a queue.

use std::time::Instant;

use laneway::{
    RecvError,
    process::{Child, Consumer, Entries, Process, Producer, Queue},
    typed::Plain,
};

use super::{
    script::Script,
    ways::{Way, Ways},
};
use crate::rivals::python;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/queues.py");

/// Compare the queue with Python's and with faster-fifo
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Items of ours in a round; faster-fifo has a tenth, Python a fiftieth
    #[arg(long, default_value_t = 1_000_000)]
    items: u64,
    /// Rounds of each
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Print a table of Markdown
    #[arg(long)]
    markdown: bool,
}

/// 64 bytes.
type Item = Plain<[u64; 8]>;
/// What a process of ours tells: that it is ready, then the sum of the numbers that it took.
type News = Plain<u64>;

/// Items that are put, or got, at once where several are.
const BATCH: usize = 100;
/// Processes of each kind.
const SHAPES: [u64; 2] = [1, 5];

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("put", |(from, to, batches): (u64, u64, bool)| {
            let mut queue = Producer::<Item>::inherited("queue").expect("given");
            let mut news = Producer::<News>::inherited("news").expect("given");
            let mut go = Consumer::<News>::inherited("go").expect("given");
            news.put(&Plain(0)).expect("is wanted");
            go.get().expect("comes");
            let numbers: Vec<u64> = (from..to).collect();
            let item = |&number: &u64| Plain([number; 8]);
            for some in numbers.chunks(BATCH) {
                if batches {
                    let items: Vec<Item> = some.iter().map(item).collect();
                    assert_eq!(queue.put_many(&items).expect("puts"), items.len());
                } else {
                    some.iter().for_each(|n| queue.put(&item(n)).expect("puts"));
                }
            }
        })
        .entry("get", |batches: bool| {
            let mut queue = Consumer::<Item>::inherited("queue").expect("given");
            let mut news = Producer::<News>::inherited("news").expect("given");
            news.put(&Plain(0)).expect("is wanted");
            let mut sum = 0;
            let mut take = |item: Item| {
                let [number, .., last] = *item;
                assert_eq!(number, last, "whole");
                sum += number;
            };
            if batches {
                while match queue.drain(BATCH, &mut take) {
                    Ok(_) => true,
                    Err(RecvError::Disconnected) => false,
                    Err(error) => panic!("{error}"),
                } {}
            } else {
                queue
                    .iter()
                    .for_each(|item| take(item.expect("comes whole")));
            }
            news.put(&Plain(sum)).expect("is wanted");
        })
}

/// Ours, one round: seconds from the word to go until the last consumer has told.
fn ours(side: u64, items: u64, batches: bool) -> f64 {
    let queue = Queue::<Item>::new().expect("opens");
    let (go, news) = (
        Queue::<News>::new().expect("opens"),
        Queue::<News>::new().expect("opens"),
    );
    let mut children: Vec<Child> = Vec::new();
    for at in 0..side {
        let (from, to) = (items * at / side, items * (at + 1) / side);
        let put = Process::new("put", &(from, to, batches));
        let put = put.give("queue", &queue.producer().expect("opens"));
        let put = put.and_then(|put| put.give("news", &news.producer().expect("opens")));
        let put = put.and_then(|put| put.give("go", &go.consumer().expect("opens")));
        children.push(put.expect("gives").start().expect("starts"));
        let get = Process::new("get", &batches);
        let get = get.give("queue", &queue.consumer().expect("opens"));
        let get = get.and_then(|get| get.give("news", &news.producer().expect("opens")));
        children.push(get.expect("gives").start().expect("starts"));
    }
    drop(queue);
    let (mut go, mut news) = (go.split().0, news.close());
    for _ in 0..2 * side {
        news.get().expect("gets ready");
    }
    let start = Instant::now();
    for _ in 0..side {
        go.put(&Plain(1)).expect("is waited for");
    }
    let sum: u64 = (0..side).map(|_| *news.get().expect("tells")).sum();
    let took = start.elapsed().as_secs_f64();
    assert_eq!(sum, items * (items - 1) / 2, "each item once");
    for child in children {
        assert!(child.join().expect("ends").success());
    }
    took
}

/// Who plays, and how many times as many items we have.
#[derive(Clone, Copy)]
enum Who {
    Ours { batches: bool },
    Theirs { kind: &'static str, share: u64 },
}

pub(crate) fn run(args: &Args) {
    let fifo = python::faster_fifo();
    let mut all = Vec::new();
    for side in SHAPES {
        let shape = format!("{side}x{side}");
        let theirs = |kind, share| Who::Theirs { kind, share };
        let mut add = |who, name: &str, what: &str| {
            all.push((side, who, Way::new(name, &format!("{shape}, {what}"))));
        };
        add(Who::Ours { batches: false }, "laneway", "one a call");
        add(theirs("Queue", 50), "python Queue", "one a call");
        if fifo.is_ok() {
            add(theirs("faster-fifo", 10), "faster-fifo", "one a call");
        }
        add(Who::Ours { batches: true }, "laneway", "100 a call");
        if fifo.is_ok() {
            add(theirs("faster-fifo-many", 10), "faster-fifo", "100 a call");
        }
    }
    for _ in 0..args.rounds.max(1) {
        for (side, who, way) in &mut all {
            match *who {
                Who::Ours { batches } => {
                    way.note(args.items, ours(*side, args.items, batches));
                }
                Who::Theirs { kind, share } => {
                    let items = args.items.div_ceil(share);
                    let side = side.to_string();
                    let mut script = Script::start(SCRIPT, &[kind, &side]);
                    way.note(items, script.play(&items.to_string()));
                    script.end();
                }
            }
        }
    }
    let ways: Vec<Way> = all.into_iter().map(|(.., way)| way).collect();
    Ways {
        ways,
        title: format!(
            "Items of 64 bytes a second, thousands, of {} rounds in turns.",
            args.rounds
        ),
        head: "queue",
    }
    .print(args.markdown);
    if let Err(why) = fifo {
        println!("faster-fifo not run: {why}");
    }
}
