//! Tasks a second of an empty task: our pool beside Python's, in one run.
//!
//! Rounds are played in turns, Python's between ours, with as many workers. A way is timed from the first submission to the last result, and every result
//! is compared. What it flatters: tasks and results are one number each, so nothing but the pool is measured. What it cannot show: how long one task
//! takes from its submission to its result.

#![allow(clippy::print_stdout, reason = "a tool")]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use clap::Parser;
use laneway::{
    process::{Entries, Pool},
    typed::Plain,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/pool.py");

/// Compare the pool with Python's
#[derive(Debug, Parser)]
struct Args {
    /// Workers of each pool
    #[arg(long, default_value_t = 4)]
    workers: u32,
    /// Tasks of ours in a round; Python has a twentieth
    #[arg(long, default_value_t = 400_000)]
    tasks: u64,
    /// Rounds of each
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Leave Python out
    #[arg(long)]
    alone: bool,
    /// Print a table of Markdown
    #[arg(long)]
    markdown: bool,
}

type Numbers = Pool<Plain<u64>, Plain<u64>>;

/// A way to have tasks done.
struct Way {
    who: &'static str,
    what: &'static str,
    /// Tasks a second, of each round.
    rates: Vec<f64>,
}

impl Way {
    fn new(who: &'static str, what: &'static str) -> Self {
        let rates = Vec::new();
        Self { who, what, rates }
    }

    fn note(&mut self, tasks: u64, seconds: f64) {
        self.rates.push(tasks as f64 / seconds);
    }

    /// The rate below which this share of the rounds is.
    fn quantile(&self, share: f64) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[((rates.len() - 1) as f64 * share).round() as usize]
    }
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

/// Python, at work.
struct Script {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Script {
    fn start(workers: u32) -> Self {
        let mut command = Command::new("python3");
        command.arg(SCRIPT).arg(workers.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts Python");
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut script = Self {
            child,
            orders,
            answers,
        };
        assert_eq!(script.answer(), "ready");
        script
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("reads");
        line.trim_end().to_owned()
    }

    /// Has tasks done; seconds.
    fn play(&mut self, way: &str, tasks: u64) -> f64 {
        writeln!(self.orders, "{way} {tasks}").expect("writes");
        self.answer().parse::<f64>().expect("a number") / 1e9
    }

    fn end(mut self) {
        drop(self.orders);
        assert!(self.child.wait().expect("ends").success());
    }
}

fn main() {
    let entries = Entries::new().function("empty", |task: Plain<u64>| task);
    entries.serve();
    let args = Args::parse();
    let pool = Numbers::new(args.workers).expect("starts");
    let mut python = (!args.alone).then(|| Script::start(args.workers));
    let mut ways = [
        Way::new("laneway", "apply_async, get"),
        Way::new("python", "apply_async, get"),
        Way::new("laneway", "map"),
        Way::new("python", "map"),
    ];
    map(&pool, 10_000);
    for _ in 0..args.rounds.max(1) {
        for (at, way) in ways.iter_mut().enumerate() {
            let tasks = args.tasks;
            match (at, &mut python) {
                (0 | 2, _) => {
                    let play = if at == 0 { apply } else { map };
                    let start = Instant::now();
                    play(&pool, tasks);
                    way.note(tasks, start.elapsed().as_secs_f64());
                }
                (_, None) => {}
                (1, Some(python)) => {
                    let tasks = tasks.div_ceil(20);
                    way.note(tasks, python.play("apply", tasks));
                }
                (_, Some(python)) => way.note(tasks, python.play("map", tasks)),
            }
        }
    }
    pool.join();
    if let Some(python) = python {
        python.end();
    }
    print(&ways, &args);
}

fn print(ways: &[Way], args: &Args) {
    let form = |[a, b, c, d, e]: [&str; 5]| match args.markdown {
        true => println!("| {a} | {b} | {c} | {d} | {e} |"),
        false => println!("{a:18} {b:9} {c:>9} {d:>9} {e:>9}"),
    };
    if args.markdown {
        let Args {
            workers, rounds, ..
        } = args;
        println!("Tasks a second, thousands, of {rounds} rounds in turns; {workers} workers.\n");
    }
    form(["empty task", "who", "median", "slowest", "fastest"]);
    if args.markdown {
        form(["---", "---", "---:", "---:", "---:"]);
    }
    for way in ways.iter().filter(|way| !way.rates.is_empty()) {
        let [median, low, high] =
            [0.5, 0.0, 1.0].map(|share| format!("{:.0}", way.quantile(share) / 1e3));
        form([way.what, way.who, &median, &low, &high]);
    }
}
