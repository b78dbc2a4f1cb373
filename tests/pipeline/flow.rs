//! Each item goes through once, and all is over when the source is.

use std::{collections::BTreeMap, env, fs, process, thread};

use laneway::{
    process::{
        Pipeline,
        pipeline::{PipelineError, Running},
    },
    typed::Plain,
};
use libtest_mimic::Trial;

use crate::{
    entries::{Number, allocations, count_words, repeat},
    trial,
};

/// Links that join many to many.
pub(crate) const MANY: [&str; 4] = ["shm+mpmc:", "shm+lock:", "pipe:?mode=packet", "sysv:"];
/// Links that join one to one, besides.
pub(crate) const ONE: [&str; 3] = ["shm+spsc:", "pipe:", "shm+spsc:?wait=park"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("flow/usual_links/1x1", || each_once(None, [1, 1], 100_000)),
        trial("flow/usual_links/4x2", || each_once(None, [4, 2], 100_000)),
        trial("flow/usual_links/1x3", || each_once(None, [1, 3], 10_000)),
        trial("flow/usual_links/3x1", || each_once(None, [3, 1], 10_000)),
        trial("flow/fifo/1x1", || named("fifo", "", [1, 1])),
        trial("flow/fifo/4x2", || named("fifo", "?mode=packet", [4, 2])),
        trial("flow/sysv_with_a_path/4x2", || named("sysv", "", [4, 2])),
        trial("flow/links_of_all_kinds", links_of_all_kinds),
        trial("flow/any_number_of_results", any_number),
        trial("flow/no_results", no_results),
        trial("flow/no_items", || each_once(None, [4, 2], 0)),
        trial("flow/values_that_serde_knows", words),
        trial("flow/close_drains_everything", close_drains),
        trial("flow/processes_at_both_ends", processes_at_both_ends),
        trial("flow/join_discards_what_nobody_takes", join_discards),
        trial("flow/a_sink_that_has_enough", enough),
        trial("flow/several_at_once", several),
        trial("flow/nothing_is_allocated", no_allocation),
    ];
    for address in MANY {
        let name = format!("flow/{address}/4x2");
        trials.push(trial(name, move || each_once(Some(address), [4, 2], 4000)));
    }
    for address in MANY.into_iter().chain(ONE) {
        let name = format!("flow/{address}/1x1");
        trials.push(trial(name, move || each_once(Some(address), [1, 1], 4000)));
    }
    trials
}

/// The same pipeline, whose results shall come in order, or not.
pub(crate) fn in_order(pipeline: Pipeline, ordered: bool) -> Pipeline {
    if ordered {
        pipeline.ordered()
    } else {
        pipeline
    }
}

/// Two stages, over the same kind of link everywhere.
pub(crate) fn two_stages(
    first: &str,
    second: &str,
    workers: [usize; 2],
    link: Option<&str>,
) -> Pipeline {
    let [many, few] = workers;
    let over = |pipeline: Pipeline| match link {
        Some(address) => pipeline.link(address),
        None => pipeline,
    };
    let pipeline = over(Pipeline::new()).stage(first, many);
    over(over(pipeline).stage(second, few))
}

fn each_once(link: Option<&str>, workers: [usize; 2], items: u64) {
    let pipeline = two_stages("double", "pass", workers, link);
    let mut counts = vec![0_u32; usize::try_from(items).expect("small")];
    let stats = pipeline.run((0..items).map(Plain), |Plain(result): Number| {
        assert_eq!(result % 2, 0);
        counts[usize::try_from(result / 2).expect("small")] += 1;
    });
    let stats = stats.expect("runs");
    let wrong = counts.iter().position(|&count| count != 1);
    assert_eq!(wrong, None, "{link:?}: {:?}", wrong.map(|at| counts[at]));
    let rows = stats
        .stages
        .iter()
        .map(|row| (row.received, row.sent, row.depth));
    let expected = [
        (0, items, 0),
        (items, items, 0),
        (items, items, 0),
        (items, 0, 0),
    ];
    assert_eq!(rows.collect::<Vec<_>>(), expected, "{stats}");
}

/// Links by name, which no other pipeline uses and which are gone after it.
fn named(scheme: &str, keys: &str, [many, few]: [usize; 2]) {
    let path = |index: usize| {
        let name = format!("laneway-pipeline.{}.{scheme}.{many}.{index}", process::id());
        env::temp_dir().join(name)
    };
    let address = |index: usize| format!("{scheme}:{}{keys}", path(index).display());
    let pipeline = Pipeline::new()
        .link(&address(0))
        .stage("double", many)
        .link(&address(1))
        .stage("pass", few)
        .link(&address(2));
    let mut sum = 0;
    let results = pipeline.run((0..2000_u64).map(Plain), |Plain(result): Number| {
        sum += result
    });
    results.expect("runs");
    assert_eq!(sum, 2000 * 1999);
    for index in 0..3 {
        assert!(
            fs::symlink_metadata(path(index)).is_err(),
            "{scheme} is gone"
        );
    }
}

fn links_of_all_kinds() {
    let pipeline = Pipeline::new()
        .link("shm+lock:")
        .stage("double", 3)
        .link("pipe:?mode=packet")
        .stage("pass", 2)
        .link("sysv:")
        .stage("double", 2)
        .link("shm+mpmc:")
        .stage("pass", 1)
        .link("pipe:");
    let mut sum = 0;
    let results = pipeline.run((0..2000_u64).map(Plain), |Plain(result): Number| {
        sum += result
    });
    results.expect("runs");
    assert_eq!(sum, 2 * 2000 * 1999);
}

fn any_number() {
    let pipeline = two_stages("repeat", "even", [4, 2], None);
    let mut results = Vec::new();
    let stats = pipeline.run((0..10_000_u64).map(Plain), |result: Number| {
        results.push(*result)
    });
    let stats = stats.expect("runs");
    results.sort_unstable();
    let all = (0..10_000).flat_map(|number| repeat(Plain(number)));
    let expected = all.map(|number| *number).filter(|number| number % 2 == 0);
    assert_eq!(results, expected.collect::<Vec<_>>());
    let row = |name| stats.stage(name).map(|row| (row.received, row.sent));
    assert_eq!(row("repeat"), Some((10_000, 15_000)));
    assert_eq!(row("even"), Some((15_000, results.len() as u64)));
}

fn no_results() {
    let pipeline = two_stages("nothing", "pass", [2, 2], None);
    let stats = pipeline.run((0..10_000_u64).map(Plain), |result: Number| {
        panic!("{result:?}")
    });
    assert_eq!(
        stats.expect("runs").stage("nothing").map(|row| row.sent),
        Some(0)
    );
}

fn words() {
    let texts = |number: u64| format!("the {number} of {} and the rest", number / 3);
    let pipeline = Pipeline::new().stage("words", 3);
    let mut found = BTreeMap::<String, u64>::new();
    let results = pipeline.run((0..1000).map(texts), |counts: BTreeMap<String, u64>| {
        for (word, count) in counts {
            *found.entry(word).or_default() += count;
        }
    });
    results.expect("runs");
    let all: Vec<String> = (0..1000).map(texts).collect();
    assert_eq!(found, count_words(all.join(" ")));
}

/// All that was sent before the close comes out after it.
fn close_drains() {
    let mut running = two_stages("slow", "pass", [2, 1], None)
        .start()
        .expect("starts");
    let mut source = running.source::<Number>().expect("is here");
    let sink = running.sink::<Number>().expect("is here");
    (0..500).for_each(|number| source.send(&Plain(number)).expect("sends"));
    source.close();
    let results: Result<Vec<Number>, PipelineError> = sink.collect();
    let mut numbers: Vec<u64> = results
        .expect("come")
        .into_iter()
        .map(|Plain(n)| n)
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..500));
    assert_well(&mut running, &["slow", "pass"]);
}

/// Joins it: these processes ended, and well.
fn assert_well(running: &mut Running, names: &[&str]) {
    let exits = running.join().expect("ends well");
    let stages: Vec<&str> = exits.iter().map(|exit| exit.stage.as_str()).collect();
    assert_eq!(stages, names);
    for exit in exits {
        let well = |status: &Option<process::ExitStatus>| status.is_some_and(|s| s.success());
        assert!(
            !exit.workers.is_empty() && exit.workers.iter().all(well),
            "{exit:?}"
        );
    }
}

fn processes_at_both_ends() {
    for workers in [[1, 1], [3, 2]] {
        let numbers = Plain([0_u64, 10_000]);
        let sum = Plain(9999 * 10_000_u64);
        let pipeline = two_stages("double", "pass", workers, None);
        let pipeline = pipeline.source("numbers", &numbers).sink("sum_is", &sum);
        let mut running = pipeline.start().expect("starts");
        assert_well(&mut running, &["numbers", "double", "pass", "sum_is"]);
        let sums = running.stats();
        let row = |name| sums.stage(name).map(|row| (row.received, row.sent));
        assert_eq!(row("numbers"), Some((0, 10_000)));
        assert_eq!(row("sum_is"), Some((10_000, 0)));
        // A source there and a sink here.
        let pipeline = two_stages("double", "pass", workers, None).source("numbers", &numbers);
        let mut running = pipeline.start().expect("starts");
        let sink = running.sink::<Number>().expect("is here");
        assert_eq!(
            sink.map(|result| *result.expect("comes")).sum::<u64>(),
            *sum
        );
        assert_well(&mut running, &["numbers", "double", "pass"]);
        // And the other way round.
        let pipeline = two_stages("double", "pass", workers, None).sink("sum_is", &sum);
        let mut running = pipeline.start().expect("starts");
        let mut source = running.source::<Number>().expect("is here");
        (0..10_000).for_each(|number| source.send(&Plain(number)).expect("sends"));
        source.close();
        assert_well(&mut running, &["double", "pass", "sum_is"]);
    }
}

fn join_discards() {
    for ordered in [false, true] {
        let pipeline = two_stages("repeat", "pass", [3, 2], None);
        let pipeline = pipeline.source("numbers", &Plain([0_u64, 200_000]));
        let pipeline = in_order(pipeline, ordered);
        let mut running = pipeline.start().expect("starts");
        assert_well(&mut running, &["numbers", "repeat", "pass"]);
        let sink = running.stats().stage("sink").map(|row| row.received);
        assert_eq!(sink, Some(300_000));
    }
    // A source that nobody takes sends nothing.
    let mut running = two_stages("repeat", "pass", [3, 2], None)
        .start()
        .expect("starts");
    assert_well(&mut running, &["repeat", "pass"]);
}

/// A sink that ends before the items do ends those before it, and nobody has failed.
fn enough() {
    let pipeline = two_stages("double", "pass", [3, 2], None);
    let pipeline = pipeline
        .source("endless", &String::new())
        .sink("some", &Plain(1000_u64));
    let mut running = pipeline.start().expect("starts");
    assert_well(&mut running, &["endless", "double", "pass", "some"]);
}

/// Pipelines of several threads do not hold each other's ends.
fn several() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    each_once(None, [2, 2], 1000);
                }
            });
        }
    });
}

/// Neither at the ends nor in a stage, once its buffers are there; also where turns are marked.
fn no_allocation() {
    for ordered in [false, true] {
        for first in ["pass", "even"] {
            let pipeline = two_stages(first, "allocations", [2, 2], None);
            let pipeline = in_order(pipeline, ordered);
            let mut running = pipeline.start().expect("starts");
            let mut source = running.source::<Number>().expect("is here");
            let mut sink = running.sink::<Plain<[u64; 2]>>().expect("is here");
            let mut counted = 0;
            for number in 0..4000 {
                let before = allocations();
                source.send(&Plain(number)).expect("sends");
                if first == "even" && number % 2 == 1 {
                    continue;
                }
                let Plain([_, theirs]) = sink.recv().expect("comes").expect("is not over");
                let ours = allocations() - before;
                if number > 1000 {
                    assert_eq!((ours, theirs), (0, 0), "{first} {ordered} {number}");
                    counted += 1;
                }
            }
            assert!(counted > 1000);
            source.close();
            assert!(sink.next().is_none());
        }
    }
}
