//! What the pages of the book show of the shell is run, by bash, with this command.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};

/// What a page shows between ```` ```sh ```` and the next fence, and where.
struct Snippet {
    at: String,
    code: String,
}

fn snippets(path: &Path, shown: &str) -> Vec<Snippet> {
    let text = fs::read_to_string(path).expect("a page");
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == "```sh" {
            let code = lines.by_ref().map(|(_, line)| line);
            let code: Vec<_> = code.take_while(|line| line.trim() != "```").collect();
            found.push(Snippet {
                at: format!("{shown}:{}", number + 1),
                code: code.join("\n"),
            });
        }
    }
    found
}

fn pages(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("lists") {
        let path = entry.expect("lists").path();
        if path.is_dir() {
            pages(&path, into);
        } else if path.extension().is_some_and(|end| end == "md") {
            into.push(path);
        }
    }
}

/// Runs a snippet in a folder of its own, with `laneway` in front of everything else that has that name.
fn run(snippet: &Snippet) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let command = Path::new(env!("CARGO_BIN_EXE_laneway"));
    let others = env::var_os("PATH").unwrap_or_default();
    let ours = command.parent().ok_or("a folder")?.to_owned();
    let path = env::join_paths([ours].into_iter().chain(env::split_paths(&others)))?;
    // Nobody waits for ever for a snippet that is wrong.
    let output = Command::new("timeout")
        .args([
            "--kill-after=5",
            "120",
            "bash",
            "-euo",
            "pipefail",
            "-c",
            &snippet.code,
        ])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Err(format!(
        "{} ends with {}\n{}\nprinted:\n{out}{err}",
        snippet.at, output.status, snippet.code
    )
    .into())
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    pages(&root.join("docs"), &mut all);
    all.sort();
    let mut trials = Vec::new();
    for page in &all {
        let shown = page.strip_prefix(&root).expect("below the root").display();
        for snippet in snippets(page, &shown.to_string()) {
            let at = snippet.at.clone();
            trials.push(Trial::test(at, move || run(&snippet)));
        }
    }
    assert!(!trials.is_empty(), "the book shows nothing of the shell");
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
