//! The public interface, as rustdoc knows it, beside the list in the tree.

use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

use anyhow::{Context, bail};

/// The list, from the root.
const LIST: &str = "docs/public-api.txt";
/// What users may rely on: all features but those whose documentation says that they are no stable interface.
const FEATURES: &str = "measure,serde,tokio,tracing";

/// Has rustdoc write down the library's interface, and reads it.
fn found(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    // Its own folder: a build with RUSTC_BOOTSTRAP is not one that others can go on from.
    let target = root.join("target/publish");
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "rustdoc",
            "--quiet",
            "--lib",
            "--package",
            "laneway",
            "--features",
            FEATURES,
        ])
        .arg("--target-dir")
        .arg(&target)
        .args([
            "--",
            "-Z",
            "unstable-options",
            "--output-format",
            "json",
            "--cap-lints",
            "allow",
        ])
        .current_dir(root)
        // The JSON is not stable; public-api in Cargo.toml is the version that reads this Rust's.
        .env("RUSTC_BOOTSTRAP", "1")
        .status()?;
    if !built.success() {
        bail!("rustdoc wrote no JSON: {built}");
    }
    let json = target.join("doc/laneway.json");
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| format!("{}", json.display()))?;
    Ok(api.items().map(ToString::to_string).collect())
}

/// What the list lacks, and what it has in vain.
pub(crate) fn check(root: &Path, write: bool) -> anyhow::Result<Vec<String>> {
    let found = found(root)?;
    let list = root.join(LIST);
    if write {
        let mut text = String::new();
        for item in &found {
            text.push_str(item);
            text.push('\n');
        }
        fs::write(&list, text)?;
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&list).with_context(|| LIST.to_owned())?;
    let listed: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let gone = listed.difference(&found).map(|item| format!("- {item}"));
    let new = found.difference(&listed).map(|item| format!("+ {item}"));
    let mut wrong: Vec<String> = gone.chain(new).collect();
    if !wrong.is_empty() {
        wrong.push(format!(
            "the public interface has changed: if that is meant, `cargo run --manifest-path tools/publish/Cargo.toml -- api --write` and commit {LIST}; \
             a line with - breaks who uses it, and wants a new version in Cargo.toml"
        ));
    }
    Ok(wrong)
}
