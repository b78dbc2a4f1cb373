//! The laneway command.

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
    List(list::Arguments),
    Send(send::Arguments),
    Recv(recv::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::List(arguments) => list::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Recv(arguments) => recv::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
