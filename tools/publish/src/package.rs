//! The package that would be published.

use std::{env, path::Path, process::Command};

/// What a package of the library has no use for: whoever builds it gets it with every download.
const UNWANTED: &[&str] = &[
    "target/",
    ".ci/",
    "docs/plots/",
    "docs/images/",
    "peers/",
    "tools/",
];

/// Packs the library, builds it from the package, and tells what went wrong.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let cargo = || {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(root)
            .args(["package", "--package", "laneway", "--allow-dirty"]);
        cargo
    };
    let listed = cargo().arg("--list").output()?;
    let list = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut wrong = Vec::new();
    if !list.lines().any(|file| file == "src/lib.rs") {
        wrong.push(format!(
            "cargo lists no library: {}",
            String::from_utf8_lossy(&listed.stderr)
        ));
    }
    let unwanted = list
        .lines()
        .filter(|file| UNWANTED.iter().any(|start| file.starts_with(start)));
    wrong.extend(
        unwanted.map(|file| format!("{file} would be packed: add it to `exclude` in Cargo.toml")),
    );
    let packed = cargo()
        .arg("--target-dir")
        .arg(root.join("target/publish"))
        .output()?;
    let said = String::from_utf8_lossy(&packed.stderr);
    if !packed.status.success() {
        wrong.push(format!(
            "cargo package ends with {}:\n{said}",
            packed.status
        ));
    }
    // laneway has no place on the web yet, and names none.
    let homeless = "manifest has no documentation, homepage or repository";
    let warnings = said
        .lines()
        .filter(|line| line.starts_with("warning") && !line.contains(homeless));
    wrong.extend(warnings.map(str::to_owned));
    Ok(wrong)
}
