//! The laneway command.

mod choose;
mod exit;
mod input;
mod list;
mod named;
mod output;
mod recv;
mod send;
mod stop;
mod units;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use laneway::{Registry, measure};

/// Move messages between processes on one machine, and find out which transport to use.
#[derive(Debug, Parser)]
#[command(name = "laneway", version, after_help = exit::CODES)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// One file a subcommand.
#[derive(Debug, Subcommand)]
enum Command {
    Choose(choose::Args),
    List(list::Arguments),
    Send(send::Arguments),
    Recv(recv::Arguments),
}

fn main() -> ExitCode {
    // A peer of a measuring session is this program, run again.
    measure::serve(&Registry::BUILTIN);
    let done = match Arguments::parse().command {
        // Its exit codes are its own.
        Command::Choose(arguments) => return choose::run(arguments),
        Command::List(arguments) => list::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Recv(arguments) => recv::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
