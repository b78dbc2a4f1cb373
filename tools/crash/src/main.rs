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
mod private;
mod report;
mod round;
mod sweep;
mod tally;

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
}

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
    };
    let world = World {
        cases,
        ledger,
        effort,
    };
    let sound = match arguments.command {
        Command::Random { kills } => random(&world, kills),
    };
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Kills at random; whether all was well.
fn random(world: &World, kills: u64) -> bool {
    let effort = Effort {
        kills,
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
