//! `laneway-models run` tries every model, `mutants` every weakened ordering.
#![allow(clippy::print_stdout, reason = "a tool")]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};
use laneway_models::{models, mutants};

/// laneway's rings, locks and bells under loom
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every model
    Run {
        /// Also those that take minutes
        #[arg(long)]
        long: bool,
        /// The most seconds for each, to see which are too long
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// One model
    Model {
        /// Its name
        name: String,
        /// The most seconds to look
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// Every ordering weakened in turn, and which model tells
    Mutants {
        /// Those of this file under src only
        file: Option<String>,
        /// The most seconds for each model
        #[arg(long, default_value_t = 3)]
        seconds: u64,
    },
}

fn main() -> ExitCode {
    mutants::become_one();
    let sound = match Arguments::parse().command {
        Command::Run { long, seconds } => {
            for model in models::all().filter(|model| long || !model.long) {
                let start = Instant::now();
                model.check(seconds.map(Duration::from_secs));
                let bound = match model.bound {
                    None => "every order".to_owned(),
                    Some(most) => format!("up to {most} preemptions"),
                };
                let took = start.elapsed().as_secs_f64();
                println!("{:60} {bound}, {took:.2} s", model.name);
            }
            true
        }
        Command::Model { name, seconds } => {
            let found = models::all().find(|model| model.name == name);
            if let Some(model) = found {
                model.check(seconds.map(Duration::from_secs));
            }
            found.is_some()
        }
        Command::Mutants { file, seconds } => mutants::run(file.as_deref(), seconds),
    };
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
