//! Results in the order of the source, however long each takes and whoever makes it.

use laneway::{
    process::{Pipeline, pipeline::PipelineError},
    typed::Plain,
};
use libtest_mimic::Trial;

use crate::{
    entries::{Number, repeat},
    flow::{MANY, ONE, two_stages},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("order/is_lost_without_turns", is_lost_without_turns),
        trial("order/of_any_number_of_results", any_number),
        trial("order/in_a_sink_that_is_a_process", sink_process),
    ];
    for workers in [[1, 1], [4, 1], [1, 4], [4, 2], [2, 4], [3, 5]] {
        let name = format!("order/usual_links/{}x{}", workers[0], workers[1]);
        trials.push(trial(name, move || is_kept(None, workers, 20_000)));
    }
    for address in MANY.into_iter().chain(ONE) {
        let name = format!("order/{address}/4x2");
        trials.push(trial(name, move || is_kept(Some(address), [4, 2], 3000)));
    }
    trials
}

fn is_kept(link: Option<&str>, workers: [usize; 2], items: u64) {
    let pipeline = two_stages("uneven", "double", workers, link).ordered();
    let mut next = 0;
    let results = pipeline.run((0..items).map(Plain), |Plain(result): Number| {
        assert_eq!(result, 2 * next, "{link:?}");
        next += 1;
    });
    results.expect("runs");
    assert_eq!(next, items);
}

/// The same work is not in order by itself: so the trials above show something.
fn is_lost_without_turns() {
    let pipeline = two_stages("uneven", "double", [4, 2], None);
    let mut results = Vec::new();
    let stats = pipeline.run((0..20_000_u64).map(Plain), |Plain(result): Number| {
        results.push(result)
    });
    stats.expect("runs");
    assert!(!results.is_sorted());
}

/// Stages that make none, one or several of an item, and others between and behind them.
fn any_number() {
    for (first, second) in [(4, 2), (2, 3), (1, 4), (4, 1)] {
        let pipeline = Pipeline::new()
            .stage("uneven", second)
            .stage("repeat", first)
            .stage("double", second)
            .stage("repeat", first)
            .stage("even", second)
            .stage("uneven", first)
            .ordered();
        let mut results = Vec::new();
        let stats = pipeline.run((0..3000_u64).map(Plain), |result: Number| {
            results.push(*result)
        });
        stats.expect("runs");
        let expected: Vec<u64> = (0..3000)
            .flat_map(|number| repeat(Plain(number)))
            .map(|Plain(number)| Plain(2 * number))
            .flat_map(repeat)
            .map(|Plain(number)| number)
            .collect();
        assert!(expected.len() > 1000);
        assert_eq!(results, expected, "{first} {second}");
    }
}

fn sink_process() {
    let pipeline = two_stages("uneven", "even", [4, 3], None).ordered();
    let pipeline = pipeline.source("numbers", &Plain([0_u64, 10_000]));
    let mut running = pipeline
        .sink("is_sorted", &Plain(5000_u64))
        .start()
        .expect("starts");
    let ended: Result<_, PipelineError> = running.join();
    assert_eq!(ended.expect("ends well").len(), 4);
}
