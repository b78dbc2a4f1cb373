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
mod soak;
mod step;
mod stop;
mod sweep;
mod tally;
mod without;

use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
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
    Without,
    /// Kill everybody and start again under the same name at once
    Restart {
        /// How often, of each transport with names
        #[arg(long, default_value_t = 1000)]
        times: u64,
    },
    /// Kill around some who live on, and look whether these grow
    Soak {
        /// How long
        #[arg(long, default_value_t = 60.0)]
        minutes: f64,
        /// Seconds on one transport before the next
        #[arg(long, default_value_t = 60.0)]
        shift: f64,
    },
    /// A bit of everything but the soak and what is left out, in about a minute
    Quick,
    /// All of it but the soak
    Long {
        /// How many to kill of each transport at random moments, and again at points
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
        complete: false,
        only: &[],
        told: TOLD,
    };
    let world = World {
        cases,
        ledger,
        effort,
    };
    let sound = match arguments.command {
        Command::Random { kills } => kill(&world, kills, 0, false),
        Command::Points { each, kills } => kill(&world, kills, each, true),
        Command::Step { stride } => step::run(&world.cases, &world.ledger, stride),
        Command::Stop => stop::run(&world.cases, &world.ledger),
        Command::Without => without::run(&world.cases, &world.ledger, world.effort),
        Command::Restart { times } => restarts(&world, times),
        Command::Soak { minutes, shift } => {
            let [time, shift] = [minutes * 60.0, shift].map(Duration::from_secs_f64);
            soak::run(&world.cases, &world.ledger, world.effort, time, shift)
        }
        Command::Quick => quick(&world),
        Command::Long { kills } => long(&world, kills),
    };
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Kills so many, and so many at each point; whether all was well.
fn kill(world: &World, kills: u64, each: u64, complete: bool) -> bool {
    let effort = Effort {
        kills,
        each,
        complete,
        ..world.effort
    };
    report::head();
    let mut results = Vec::new();
    for case in &world.cases {
        let result = sweep::sweep(case, &world.ledger, effort);
        report::line(&result);
        results.push(result);
    }
    report::end(&results);
    results.iter().all(|result| result.total.wrong.is_empty())
}

/// Kills everybody and starts again; whether every start succeeded.
fn restarts(world: &World, times: u64) -> bool {
    println!("| transport | starts | killed | longest start | problems |");
    println!("|---|---:|---:|---:|---:|");
    let mut sound = true;
    for case in world.cases.iter().filter(|case| case.named) {
        let Effort { seed, watchdog, .. } = world.effort;
        let seen = round::restart(case, &world.ledger, seed, watchdog, times);
        println!(
            "| `{}` | {} | {} | {:.0} ms | {} |",
            case.name(),
            seen.started,
            seen.killed,
            seen.longest.as_secs_f64() * 1e3,
            seen.wrong.len()
        );
        for wrong in &seen.wrong {
            println!("{wrong}");
        }
        sound &= seen.wrong.is_empty();
    }
    sound
}

/// Says what follows, and does it.
fn part(what: &str, run: impl FnOnce() -> bool) -> bool {
    println!("\n{what}\n");
    let start = Instant::now();
    let sound = run();
    let said = if sound { "as it must be" } else { "WRONG" };
    println!("\n{what}: {said}, {:.0} s", start.elapsed().as_secs_f64());
    sound
}

const RANDOM: &str = "Killed at random moments";
const POINTS: &str = "Killed at named points";
const STEP: &str = "Killed after each instruction";
const STOP: &str = "Stopped, not killed";
const RESTART: &str = "All killed, and started again";
const WITHOUT: &str = "With a step of recovery left out";

/// Does a bit of each, but leaves no step out; whether all was well.
fn quick(world: &World) -> bool {
    let World { cases, ledger, .. } = world;
    let all = [
        part(RANDOM, || kill(world, 100, 0, false)),
        part(POINTS, || kill(world, 100, 1, false)),
        part(STEP, || step::run(cases, ledger, 197)),
        part(STOP, || stop::run(cases, ledger)),
        part(RESTART, || restarts(world, 20)),
    ];
    all.iter().all(|sound| *sound)
}

/// Does all of each but the soak; whether all was well.
fn long(world: &World, kills: u64) -> bool {
    let World {
        cases,
        ledger,
        effort,
    } = world;
    let all = [
        part(RANDOM, || kill(world, kills, 0, false)),
        part(POINTS, || kill(world, kills, 20, true)),
        part(STEP, || step::run(cases, ledger, 1)),
        part(STOP, || stop::run(cases, ledger)),
        part(RESTART, || restarts(world, 1000)),
        part(WITHOUT, || without::run(cases, ledger, *effort)),
    ];
    all.iter().all(|sound| *sound)
}
