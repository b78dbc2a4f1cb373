//! Tasks a second of an empty task.
//!
//! A way is timed from the first submission to the last result, and every result is compared. What it flatters: tasks and results are one number
//! each, so nothing but the pool is measured. What it cannot show: how long one task takes from its submission to its result.

use std::time::Instant;

use laneway::{
    process::{Entries, Pool},
    typed::Plain,
};

use super::{
    script::Script,
    ways::{Way, Ways},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/pool.py");

/// Compare the pool with Python's
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Workers of each pool
    #[arg(long, default_value_t = 4)]
    workers: u32,
    /// Tasks of ours in a round; Python has a twentieth
    #[arg(long, default_value_t = 400_000)]
    tasks: u64,
    /// Rounds of each
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Print a table of Markdown
    #[arg(long)]
    markdown: bool,
}

type Numbers = Pool<Plain<u64>, Plain<u64>>;

pub(crate) fn entries(entries: Entries) -> Entries {
    entries.function("empty", |task: Plain<u64>| task)
}

fn apply(pool: &Numbers, tasks: u64) {
    let submit = |task| pool.apply_async("empty", &Plain(task)).expect("open");
    let jobs: Vec<_> = (0..tasks).map(submit).collect();
    for (task, job) in (0..tasks).zip(jobs) {
        assert_eq!(job.get(), Ok(Plain(task)));
    }
}

fn map(pool: &Numbers, tasks: u64) {
    let results = pool.map_chunked("empty", (0..tasks).map(Plain), 256);
    let results = results.expect("nobody dies");
    assert!(results.iter().map(|&Plain(task)| task).eq(0..tasks));
}

pub(crate) fn run(args: &Args) {
    let pool = Numbers::new(args.workers).expect("starts");
    let mut python = Script::start(SCRIPT, &[&args.workers.to_string()]);
    type Play = fn(&Numbers, u64);
    let mut ways = [
        ("apply_async, get", "apply", apply as Play),
        ("map", "map", map),
    ]
    .map(|(what, word, play)| {
        let both = [Way::new("laneway", what), Way::new("python Pool", what)];
        (word, play, both)
    });
    map(&pool, 10_000);
    for _ in 0..args.rounds.max(1) {
        for (word, play, [ours, theirs]) in &mut ways {
            let start = Instant::now();
            play(&pool, args.tasks);
            ours.note(args.tasks, start.elapsed().as_secs_f64());
            let tasks = args.tasks.div_ceil(20);
            theirs.note(tasks, python.play(&format!("{word} {tasks}")));
        }
    }
    pool.join();
    python.end();
    Ways {
        ways: ways.into_iter().flat_map(|(.., both)| both).collect(),
        title: format!(
            "Empty tasks a second, thousands, of {} rounds in turns; {} workers.",
            args.rounds, args.workers
        ),
        head: "task",
    }
    .print(args.markdown);
}
