//! The laneway command.

mod choose;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use laneway::{Registry, measure};

/// Moves messages between processes on one machine, and finds out which transport to use.
#[derive(Debug, Parser)]
#[command(name = "laneway", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Choose(choose::Args),
}

fn main() -> ExitCode {
    // A peer of a measuring session is this program, run again.
    measure::serve(&Registry::BUILTIN);
    match Cli::parse().command {
        Command::Choose(args) => choose::run(args),
    }
}
