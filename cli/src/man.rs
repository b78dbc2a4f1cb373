//! `laneway man`: the manual's pages.

use std::{fs, path::PathBuf};

use clap::CommandFactory;

use crate::exit::Failure;

const HELP: &str = "\
Examples:
  laneway man /usr/local/share/man/man1
  laneway man . && man ./laneway-send.1

Exit codes:
  0  done
  1  a page could not be written
  2  wrong usage";

/// Write the manual's pages, one a command
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The folder that they go to, made if it is not there
    dir: PathBuf,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let failed = |error| Failure::Sink {
        path: dir.clone(),
        error,
    };
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(crate::Arguments::command(), dir).map_err(failed)
}
