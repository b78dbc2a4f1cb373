//! Feeds laneway with what no honest peer writes: addresses, headers, records, state words, frames and values.
//!
//! `laneway-fuzz TARGET --inputs N --seed S` runs one target, `quick` each of them, `scribble` has another process write over live
//! rings. Every target runs in a process of its own, which is watched: it must not panic, hang or be ended by a signal. Inputs come in
//! blocks that depend on nothing but the seed and the block's number, so the line that tells of a fault repeats it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    reason = "a tool whose faults are panics"
)]

mod address;
mod corpus;
mod frames;
mod header;
mod memory;
mod nursery;
mod records;
mod ring;
mod scribble;
mod target;
mod values;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use nix::sys::{prctl::set_pdeathsig, signal::Signal};

/// Feeds laneway with what no honest peer writes
#[derive(Debug, Parser)]
struct Arguments {
    /// What to run
    what: What,
    /// How many inputs each target gets
    #[arg(long, default_value_t = 200_000)]
    inputs: u64,
    /// Where the inputs start from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first input, to repeat a fault
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Seconds for each ring of `scribble`
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Run here, not in a process that is watched: for debuggers
    #[arg(long)]
    here: bool,
}

/// What can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Every target
    Quick,
    /// Texts that are parsed as addresses
    Address,
    /// Headers of segments, by name, stale or live, and handed over
    Header,
    /// Words of a live shm+spsc: ring
    Spsc,
    /// Words of a live shm+lock: ring
    Lock,
    /// Words of a live shm+mpmc: ring
    Mpmc,
    /// Bytes of pipes and FIFOs
    Frames,
    /// Messages that are read as values, and types that are declared
    Values,
    /// Another process writes over live rings
    Scribble,
    /// What that process does
    #[value(hide = true)]
    Scribbler,
    /// A target with a fault, to see that it is told
    #[value(hide = true)]
    Faulty,
}

impl What {
    /// The targets that take inputs.
    const TARGETS: [Self; 7] = [
        Self::Address,
        Self::Header,
        Self::Spsc,
        Self::Lock,
        Self::Mpmc,
        Self::Frames,
        Self::Values,
    ];

    /// As the command line has it.
    pub(crate) fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.here {
        // Nobody is watched for one who is gone. Where that cannot be had it ends by itself.
        let _ = set_pdeathsig(Signal::SIGKILL);
    }
    let span = target::Span {
        seed: arguments.seed,
        from: arguments.from,
        inputs: arguments.inputs,
    };
    let seconds = Duration::try_from_secs_f64(arguments.seconds).unwrap_or(Duration::from_secs(60));
    let sound = match arguments.what {
        What::Quick => What::TARGETS
            .into_iter()
            .all(|what| nursery::watch(what, span, seconds)),
        What::Scribbler => scribble::scribbler(arguments.seed),
        What::Scribble if arguments.here => scribble::run(arguments.seed, seconds),
        what if arguments.here => target::run(what, span),
        what => nursery::watch(what, span, seconds),
    };
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
