//! `laneway completions`: what a shell knows of the command.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{exit::Failure, screen};

const HELP: &str = "\
Examples:
  laneway completions bash > /usr/share/bash-completion/completions/laneway
  laneway completions zsh > \"${fpath[1]}/_laneway\"
  laneway completions fish > ~/.config/fish/completions/laneway.fish

Exit codes:
  0  done
  1  the output failed
  2  wrong usage";

/// Print what completes the command in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Which shell
    shell: Shell,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = crate::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "laneway", &mut script);
    screen::print(&String::from_utf8_lossy(&script))
}
