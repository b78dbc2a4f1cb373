//! How good the answers of `choose` are: over a grid of workloads, against measuring every channel for longer; and whether
//! the same question gets the same answer again.
//!
//! `cargo run --release -p laneway-regret -- grid FILE` takes about 16 seconds for each workload, and `rerun FILE` about 7
//! for each question, six times twenty. An answer takes as long as `choose` spends on one by default. Each result is a line of FILE; what FILE has is not measured again, so either may be
//! broken off and called again. `report FILE` tells what FILE says. Run it while nothing else runs.
#![allow(clippy::print_stdout, reason = "a tool")]

mod ask;
mod grid;
mod named;
mod report;
mod results;

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use laneway::{Registry, measure};
use results::{Again, Regret, Results};

/// How good the answers of laneway's choose are
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer for each workload of a grid, then measure every channel for longer, and compare
    Grid {
        /// Where results are, a line each
        file: PathBuf,
        /// Seconds for an answer
        #[arg(long, default_value_t = 6.3)]
        answer: f64,
        /// Seconds for what is taken for the truth
        #[arg(long, default_value_t = 9.0)]
        truth: f64,
    },
    /// Ask the same six questions again and again
    Rerun {
        /// Where results are, a line each
        file: PathBuf,
        /// Seconds for an answer
        #[arg(long, default_value_t = 6.3)]
        answer: f64,
        /// How often
        #[arg(long, default_value_t = 20)]
        times: usize,
    },
    /// Tell what the results say
    Report {
        /// Where results are
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    measure::serve(&Registry::BUILTIN);
    let done = match Arguments::parse().command {
        Command::Grid {
            file,
            answer,
            truth,
        } => grid(Results::open(file), answer, truth),
        Command::Rerun {
            file,
            answer,
            times,
        } => rerun(Results::open(file), answer, times),
        Command::Report { file } => Results::open(file).map(|results| report::print(&results)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn grid(results: io::Result<Results>, answer: f64, truth: f64) -> io::Result<()> {
    let mut results = results?;
    let all = grid::all();
    for (index, (name, needs)) in all.iter().enumerate() {
        if results.regrets.iter().any(|known| known.name == *name) {
            continue;
        }
        let answered = ask::answer(needs, Duration::from_secs_f64(answer));
        let truth = ask::truth(needs, Duration::from_secs_f64(truth));
        let regret = Regret::new(name, &answered, &truth);
        println!("{}/{} {regret}", index + 1, all.len());
        results.add_regret(regret)?;
    }
    report::print(&results);
    Ok(())
}

fn rerun(results: io::Result<Results>, answer: f64, times: usize) -> io::Result<()> {
    let mut results = results?;
    for round in 0..times {
        for (name, needs) in named::all() {
            let known = results.again.iter().filter(|known| known.name == name);
            if known.count() > round {
                continue;
            }
            let answered = ask::answer(&needs, Duration::from_secs_f64(answer));
            let again = Again::new(name, &answered);
            println!("{}/{times} {again}", round + 1);
            results.add_again(again)?;
        }
    }
    report::print(&results);
    Ok(())
}
