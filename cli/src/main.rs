//! The laneway command.

mod choose;
mod command;
mod completions;
mod cores;
mod doctor;
mod exit;
mod figures;
mod framing;
mod gauge;
mod input;
mod inspect;
mod list;
mod ls;
mod man;
mod measure;
mod named;
mod opening;
mod output;
mod page;
mod preset;
mod progress;
mod rate;
mod recording;
mod recv;
mod rm;
mod saved;
mod screen;
mod send;
mod source;
mod stop;
mod top;
mod units;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use laneway::Registry;

use exit::Failure;

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
    Choose(Box<choose::Args>),
    Measure(measure::Args),
    Doctor(doctor::Arguments),
    List(list::Arguments),
    Ls(ls::Arguments),
    Top(top::Arguments),
    Inspect(inspect::Arguments),
    Rm(rm::Arguments),
    Send(send::Arguments),
    Recv(recv::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

fn main() -> ExitCode {
    // A peer of a measuring session is this program, run again.
    laneway::measure::serve(&Registry::BUILTIN);
    let done = |done: Result<(), _>| done.map(|()| ExitCode::SUCCESS);
    let ended = match Arguments::parse().command {
        Command::Choose(arguments) => choose::run(&arguments),
        Command::Measure(arguments) => measure::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::List(arguments) => done(list::run(&arguments)),
        Command::Ls(arguments) => done(ls::run(&arguments)),
        Command::Top(arguments) => done(top::run(&arguments)),
        Command::Inspect(arguments) => done(inspect::run(&arguments)),
        Command::Rm(arguments) => done(rm::run(&arguments)),
        Command::Send(arguments) => done(send::run(&arguments)),
        Command::Recv(arguments) => done(recv::run(&arguments)),
        Command::Completions(arguments) => done(completions::run(&arguments)),
        Command::Man(arguments) => done(man::run(&arguments)),
    };
    ended.unwrap_or_else(Failure::report)
}
