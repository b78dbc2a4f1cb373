//! What must be right before laneway is published, for CI and for whoever publishes.
//!
//! Each check reads what the maintainers wrote down (Cargo.toml, deny.toml, docs/public-api.txt) and holds it against what is there.
//! It ends with 1 if something is wrong, and says what to do.

mod api;
mod book;
mod deny;
mod package;
mod rust_version;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Checks what is published: interface, licences, package, Rust version, book. Without a command, all of them.
#[derive(Parser)]
#[command(name = "laneway-publish")]
struct Arguments {
    #[command(subcommand)]
    check: Option<Check>,
}

#[derive(Clone, Copy, Subcommand)]
enum Check {
    /// Holds the public interface against docs/public-api.txt
    Api {
        /// Write the file anew: the change then stands in the commit, for the reviewer to see
        #[arg(long)]
        write: bool,
    },
    /// Builds the book into target/book
    Book,
    /// Holds licences, sources and doubled dependencies of what is published against deny.toml
    Deny,
    /// Packs the library and builds it from the package alone
    Package,
    /// Holds the Rust that runs this against `rust-version`
    RustVersion,
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a check, and tells what is wrong.
fn run(check: Check) -> anyhow::Result<Vec<String>> {
    let root = root();
    match check {
        Check::Api { write } => api::check(&root, write),
        Check::Book => book::check(&root),
        Check::Deny => deny::check(&root),
        Check::Package => package::check(&root),
        Check::RustVersion => rust_version::check(&root),
    }
}

impl Check {
    const ALL: [Self; 5] = [
        Self::RustVersion,
        Self::Book,
        Self::Deny,
        Self::Api { write: false },
        Self::Package,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Api { .. } => "api",
            Self::Book => "book",
            Self::Deny => "deny",
            Self::Package => "package",
            Self::RustVersion => "rust-version",
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let checks = match Arguments::parse().check {
        Some(check) => vec![check],
        None => Check::ALL.to_vec(),
    };
    let mut verdict = ExitCode::SUCCESS;
    let mut screen = io::stdout();
    for check in checks {
        let wrong = run(check)?;
        if wrong.is_empty() {
            writeln!(screen, "{}: as it should be", check.name())?;
        } else {
            verdict = ExitCode::FAILURE;
        }
        for line in wrong {
            writeln!(screen, "{}: {line}", check.name())?;
        }
    }
    Ok(verdict)
}
