//! Kills the users of laneway's channels, real processes by SIGKILL, and looks what the others get.
//!
//! `cargo run --release -p laneway-crash -- random` kills at random moments. Each message tells its sender, its number and whether
//! it is whole; who has sent and received what is written down in a file in memory, where a death tears nothing. What is checked is in
//! `tally` and `round`: nobody hangs, no message is lost whose send had returned but those in the hands of a dead receiver, none
//! comes twice but where that is promised, none is corrupt, and nothing is left behind.
#![allow(clippy::print_stdout, reason = "a tool")]

mod case;
mod chance;
mod ledger;
mod member;
mod message;
mod points;
mod private;
mod report;
mod round;
mod step;
mod stop;
mod sweep;
mod tally;
mod without;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Parser, Subcommand};

use crate::{case::Case, ledger::Ledger, sweep::Effort};

/// Kills the users of laneway's channels, and looks what the others get
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Only transports whose name holds this, as in shm+mpmc
    #[arg(long, global = true, default_value = "")]
    transport: String,
    /// Makes the same choices again; printed if it is not given
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// Seconds without progress that count as a hang
    #[arg(long, global = true, default_value_t = 60.0)]
    watchdog: f64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kill at random moments
    Random {
        /// How many, of each transport
        #[arg(long, default_value_t = 1000)]
        kills: u64,
    },
    /// Kill at each named point of the protocols, and at random moments
    Points {
        /// How many at least, at each point of each transport
        #[arg(long, default_value_t = 20)]
        each: u64,
        /// How many at least, of each transport
        #[arg(long, default_value_t = 1000)]
        kills: u64,
    },
    /// Kill after each machine instruction of a call on each ring
    Step {
        /// Only after every so many instructions
        #[arg(long, default_value_t = 1)]
        stride: u64,
    },
    /// Stop senders where they wake others: what others send must arrive
    Stop,
    /// Leave out each step of recovery in turn: each must be missed
    Without {
        /// How many to kill at most before a step counts as not missed
        #[arg(long, default_value_t = 3000)]
        kills: u64,
    },
    /// A bit of everything, in less than three minutes
    Quick,
    /// All of it
    Long {
        /// How many to kill of each transport, half of them at random moments
        #[arg(long, default_value_t = 10_000)]
        kills: u64,
    },
}

/// How many problems are told of one transport.
const TOLD: usize = 20;

/// What everything needs.
struct World {
    cases: Vec<Case>,
    ledger: Ledger,
    effort: Effort,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(1, |now| u64::from(now.subsec_nanos()))
    });
    let private = private::enter();
    println!(
        "seed {seed}; {}",
        match private {
            true => "in namespaces of its own",
            false => "not root, so what is left behind is not looked for",
        }
    );
    let cases: Vec<Case> = case::all()
        .into_iter()
        .filter(|case| case.name().contains(&arguments.transport))
        .collect();
    if let Some(point) = points::orphans(&case::all()).first() {
        println!("error: no transport has the point {point}");
        return ExitCode::FAILURE;
    }
    let ledger = match Ledger::new() {
        Ok(ledger) => ledger,
        Err(error) => {
            println!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let effort = Effort {
        seed,
        kills: 0,
        watchdog: Duration::from_secs_f64(arguments.watchdog),
        private,
        each: 0,
        told: TOLD,
    };
    let world = World {
        cases,
        ledger,
        effort,
    };
    let sound = match arguments.command {
        Command::Random { kills } => kill(&world, kills, 0),
        Command::Points { each, kills } => kill(&world, kills, each),
        Command::Step { stride } => step::run(&world.cases, &world.ledger, stride),
        Command::Stop => stop::run(&world.cases, &world.ledger),
        Command::Without { kills } => {
            let effort = Effort {
                kills,
                each: 1,
                ..world.effort
            };
            without::run(&world.cases, &world.ledger, effort)
        }
        Command::Quick => everything(&world, 250, 1, 97),
        Command::Long { kills } => everything(&world, kills / 2, 20, 1),
    };
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Kills so many, and so many at each point; whether all was well.
fn kill(world: &World, kills: u64, each: u64) -> bool {
    let effort = Effort {
        kills,
        each,
        ..world.effort
    };
    let results: Vec<_> = world
        .cases
        .iter()
        .map(|case| sweep::sweep(case, &world.ledger, effort))
        .collect();
    report::print(&results);
    results.iter().all(|result| result.total.wrong.is_empty())
}

/// Does a bit of each; whether all was well.
fn everything(world: &World, kills: u64, each: u64, stride: u64) -> bool {
    let World {
        cases,
        ledger,
        effort,
    } = world;
    let without = Effort {
        kills: 3000,
        each: 1,
        ..*effort
    };
    println!("\nAt random moments\n");
    let random = kill(world, kills, 0);
    println!("\nAt named points, and at random moments\n");
    let points = kill(world, kills, each);
    println!("\nAfter each instruction, or each {stride}th\n");
    let steps = step::run(cases, ledger, stride);
    println!("\nStopped, not killed\n");
    let stopped = stop::run(cases, ledger);
    println!("\nWith a step of recovery left out\n");
    let missed = without::run(cases, ledger, without);
    random && points && steps && stopped && missed
}
