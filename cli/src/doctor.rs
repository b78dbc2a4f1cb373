//! `laneway doctor`: what this machine gives to messages between processes, and what is worth mending.

mod check;
mod limits;
mod machine;
mod place;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use check::{Check, State};
use serde::Serialize;

use crate::{
    exit::Failure,
    saved, screen,
    screen::{BOLD, Screen},
};

/// The number of the JSON's form. Changes when a field goes or means something else.
const SCHEMA: u32 = 1;
/// Exit code: something is worth mending.
const MEND: u8 = 3;

const MORE: &str = "\
Examples:
  laneway doctor
  laneway doctor --json | jq -r '.checks[] | select(.state == \"warn\") | .mend'

Exit codes:
  0  nothing is worth mending
  1  the output failed
  2  wrong usage
  3  something is worth mending: the lines marked warn, each with the command that does it";

/// Look at the limits and the state of this machine, and tell what is worth mending
#[derive(Debug, clap::Args)]
#[command(after_help = MORE)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The whole of the JSON.
#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    checks: Vec<Check>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let checks = [machine::checks(), limits::checks(), place::checks()].concat();
    let is_sick = checks.iter().any(|check| check.state == State::Warn);
    if arguments.json {
        let schema = SCHEMA;
        screen::print(&saved::json(&Report { schema, checks })?)?;
    } else {
        show(&checks).print()?;
    }
    Ok(if is_sick {
        ExitCode::from(MEND)
    } else {
        ExitCode::SUCCESS
    })
}

fn show(checks: &[Check]) -> Screen {
    let mut screen = Screen::default();
    for check in checks {
        let style = match check.state {
            State::Ok => Style::new(),
            State::Warn => BOLD.fg_color(Some(AnsiColor::Yellow.into())),
        };
        let mark = check.state.word();
        screen.line(&format!(
            "{style}{mark:4}{style:#}     {BOLD}{}{BOLD:#}: {}",
            check.name, check.value
        ));
        screen.paragraph("", &check.meaning);
        if let Some(mend) = &check.mend {
            screen.line(&format!("         $ {mend}"));
        }
    }
    let sick = checks.iter().filter(|check| check.state == State::Warn);
    let sick: Vec<&str> = sick.map(|check| check.name.as_str()).collect();
    screen.gap();
    match sick.as_slice() {
        [] => screen.line("nothing is worth mending"),
        some => screen.line(&format!("worth mending: {}", some.join(", "))),
    }
    screen
}
