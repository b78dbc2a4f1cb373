//! The rates that `top` shows are those that the programs count themselves.
#![expect(clippy::print_stdout, reason = "the figures that were seen")]

use std::{thread, time::Duration};

use laneway::{
    process::{Entries, Pipeline},
    typed::Plain,
};
use serde_json::Value;

use crate::{
    private::{Case, look, said},
    traffic::{Track, Traffic, Worker, now},
};

pub(crate) const CASES: &[Case] = &[
    ("a_pipeline_counts_the_same", pipeline),
    ("producers_and_consumers_count_the_same", both_sides),
    ("prometheus_is_well_formed", prometheus),
];

/// How far apart the two counts may be.
const NEAR: f64 = 0.02;
/// How often it is tried: a look may lose its core between reading a counter and the clock.
const TRIES: usize = 8;

/// Ends here if this process is a stage's worker.
pub(crate) fn serve() {
    Entries::new()
        .stage("double", |Plain(x): Plain<u64>| Plain(2 * x))
        .serve();
}

/// The seconds that a look tells of.
fn span(look: &Value) -> (f64, f64) {
    let to = look["at"].as_f64().expect("a time");
    let interval = look["interval_seconds"].as_f64().expect("an interval");
    (to - interval, to)
}

fn side<'a>(look: &'a Value, side: &str, is_ours: impl Fn(&Value) -> bool) -> Option<&'a Value> {
    let mut all = look["endpoints"].as_array()?.iter();
    all.find(|end| end["side"] == side && is_ours(end))
}

/// Whether two rates are near, which are printed.
fn is_near(what: &str, shown: f64, counted: f64) -> bool {
    let apart = (shown - counted) / counted;
    println!(
        "{what}: top {shown:.0}/s, itself {counted:.0}/s, {:+.2} %",
        apart * 100.0
    );
    apart.abs() <= NEAR
}

fn pipeline() {
    let pipeline = Pipeline::new()
        .link("shm+mpmc:")
        .stage("double", 1)
        .link("shm+spsc:");
    let mut running = pipeline.start().expect("starts");
    let mut source = running.source::<Plain<u64>>().expect("is here");
    let sink = running.sink::<Plain<u64>>().expect("is here");
    let feeder = thread::spawn(move || while source.send(&Plain(1)).is_ok() {});
    let drainer = thread::spawn(move || {
        let mut sink = sink;
        while let Ok(Some(_)) = sink.recv() {}
    });
    let mut track = Track::default();
    let mut near = false;
    for _ in 0..TRIES {
        let looking = thread::spawn(|| look("1"));
        while !looking.is_finished() {
            let stats = running.stats();
            let stage = stats.stage("double").expect("there is one");
            #[expect(clippy::cast_precision_loss, reason = "a few millions")]
            track.add(now(), stage.received as f64);
            thread::sleep(Duration::from_millis(3));
        }
        let look = looking.join().expect("no panic");
        let (from, to) = span(&look);
        let own = std::process::id();
        let is_ours = |end: &Value| {
            let pids = end["processes"].as_array().expect("a list");
            end["address"] == "shm+mpmc:" && pids.contains(&own.into())
        };
        // Of the link that we send to, the other side: each tells its own processes.
        let input = side(&look, "send", is_ours).expect("we have it open");
        let of_input = |end: &Value| end["id"] == input["id"] && !is_ours(end);
        let shown = side(&look, "recv", of_input).expect("the stage has it open");
        let shown = shown["rates"]["messages"].as_f64().expect("a rate");
        let Some(counted) = track.rate(from, to) else {
            continue;
        };
        near = is_near("a pipeline's stage", shown, counted);
        if near {
            break;
        }
    }
    running.terminate();
    feeder.join().expect("no panic");
    drainer.join().expect("no panic");
    // Those that were told to end have.
    let _ = running.join();
    assert!(near, "never within 2 %");
}

fn both_sides() {
    for traffic in Traffic::all() {
        for (word, worker) in [("send", &traffic.producer), ("recv", &traffic.consumer)] {
            let near = (0..TRIES).any(|_| is_told(&traffic, word, worker));
            assert!(near, "{} {word}: never within 2 %", traffic.address);
        }
    }
}

fn is_told(traffic: &Traffic, word: &str, worker: &Worker) -> bool {
    let look = look("0.5");
    // It tells of the moment after.
    thread::sleep(Duration::from_millis(50));
    let (from, to) = span(&look);
    let is_ours = |end: &Value| end["address"] == traffic.address.as_str();
    let shown = side(&look, word, is_ours).expect("it is open");
    let pids = shown["processes"].as_array().expect("a list");
    assert!(pids.contains(&worker.pid().into()), "{shown}");
    let shown = shown["rates"]["messages"].as_f64().expect("a rate");
    let track = worker.track.lock().expect("nobody panics");
    let counted = track.rate(from, to).expect("it was at work");
    is_near(&format!("{} {word}", traffic.address), shown, counted)
}

fn prometheus() {
    let all: Vec<Traffic> = Traffic::all().collect();
    let text = said(&["top", "--prometheus"]);
    let mut family = String::new();
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().expect("a name").to_owned();
            assert!(seen.insert(family.clone()), "{family} twice");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("two words");
            assert_eq!(name, family);
            let is_total = name.ends_with("_total");
            assert_eq!(kind, if is_total { "counter" } else { "gauge" });
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        let (name, labels) = series.split_once('{').expect("labels");
        assert_eq!(name, family, "in its family");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        assert!(labels.starts_with("address=\"") && labels.ends_with("\"}"));
        assert!(seen.insert(series.to_owned()), "{series} twice");
    }
    for traffic in &all {
        let sent = format!("laneway_messages_total{{address=\"{}\"", traffic.address);
        let lines = text.lines().filter(|line| line.starts_with(&sent));
        assert_eq!(lines.count(), 2, "{}: {text}", traffic.address);
    }
}
