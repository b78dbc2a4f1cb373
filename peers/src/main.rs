//! Rivals and limits beside laneway, in one run, in slices labelled by the distance of the cores.

#![allow(unsafe_code, reason = "forks itself, and plays the bare limits")]
#![allow(clippy::print_stdout, reason = "a tool")]

mod crowd;
mod figure;
mod futex;
mod isolated;
mod multiprocessing;
mod nap;
mod plot;
mod ratios;
mod rivals;
mod row;
mod saved;
mod slices;
mod table;
mod traces;

use std::{fs, path::PathBuf};

use clap::{Parser, Subcommand};
use row::Row;
use saved::{Line, Outcome, Saved};
use table::Form;

/// Measure rivals and limits beside laneway, in one run
///
/// Rows are played in turns, each in processes of its own, kept to the first two cores. A row that cannot run says why.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Slices of each row in a round
    #[arg(long, default_value_t = 40)]
    slices: u32,
    /// Rounds over all rows
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Print a table of Markdown
    #[arg(long)]
    markdown: bool,
    /// Save every slice to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure nothing: print what was saved
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "slices", "rounds"])]
    from: Option<PathBuf>,
    /// Only rows with one of these in their name, such as `64B`, `rtt` or `pipe`
    filters: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Pool(multiprocessing::pool::Args),
    Queue(multiprocessing::queue::Args),
    /// Draw saved runs as SVG
    Plot {
        /// What `laneway choose --markdown --json FILE` saved
        #[arg(long, value_name = "FILE")]
        choices: PathBuf,
        /// What this tool saved
        #[arg(long, value_name = "FILE")]
        peers: PathBuf,
        /// Where to put the drawings
        #[arg(value_name = "FOLDER")]
        into: PathBuf,
    },
}

fn main() {
    multiprocessing::serve();
    let args = Args::parse();
    match &args.command {
        None => {}
        Some(Command::Pool(args)) => return multiprocessing::pool::run(args),
        Some(Command::Queue(args)) => return multiprocessing::queue::run(args),
        Some(Command::Plot {
            choices,
            peers,
            into,
        }) => return plot::draw(choices, &Saved::read(peers), into).expect("draws"),
    }
    let mut saved = match &args.from {
        Some(path) => Saved::read(path),
        None => measured(&args),
    };
    if let Some(path) = &args.json {
        let text = serde_json::to_string(&saved).expect("has no odd keys");
        fs::write(path, text + "\n").expect("writes the file");
    }
    saved.lines.retain(|line| args.wants(&line.label));
    let form = match args.markdown {
        true => Form::Markdown,
        false => Form::Plain,
    };
    let ratios = match form {
        Form::Markdown => ratios::markdown(&saved),
        Form::Plain => String::new(),
    };
    print!("{}{ratios}", table::print(saved, form));
}

impl Args {
    fn wants(&self, label: &row::Label) -> bool {
        let name = label.to_string();
        self.filters.is_empty() || self.filters.iter().any(|f| name.contains(f.as_str()))
    }
}

/// Plays every row that is wanted, round by round.
fn measured(args: &Args) -> Saved {
    isolated::adopt();
    traces::sweep();
    let mut rows: Vec<Row> = rivals::rows();
    rows.retain(|row| args.wants(&row.label));
    let mut outcomes: Vec<Outcome> = rows.iter().map(|row| Outcome::of((row.need)())).collect();
    for _ in 0..args.rounds {
        for (row, outcome) in rows.iter().zip(&mut outcomes) {
            // What has failed once is not to be believed, and not tried again.
            let Outcome::Measured(slices) = outcome else {
                continue;
            };
            match isolated::play(row, args.slices) {
                Ok(kept) => slices.extend(kept),
                Err(why) => *outcome = why,
            }
        }
    }
    let lines = rows.into_iter().zip(outcomes).map(|(row, outcome)| Line {
        label: row.label,
        outcome,
    });
    Saved::new(args.slices, args.rounds, lines.collect())
}
