//! The oldest Rust that is promised, and the one that the tests ran with.

use std::{env, path::Path, process::Command};

use anyhow::Context;
use cargo_metadata::MetadataCommand;

/// Tells if the tests show nothing about the Rust that Cargo.toml promises.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let promised = metadata
        .packages
        .iter()
        .find(|package| package.name == "laneway");
    let promised = promised
        .and_then(|package| package.rust_version.clone())
        .context("no rust-version")?;
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = String::from_utf8(Command::new(rustc).arg("--version").output()?.stdout)?;
    let ours = told
        .split_whitespace()
        .nth(1)
        .context("rustc tells no version")?
        .to_owned();
    let starts = format!("{}.{}.", promised.major, promised.minor);
    Ok(if ours.starts_with(&starts) {
        Vec::new()
    } else {
        vec![format!(
            "Cargo.toml promises Rust {promised}, and this is {ours}, so the tests tell nothing of it: run CI with {promised}, or raise rust-version"
        )]
    })
}
