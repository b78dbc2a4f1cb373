//! Words of a large text, counted by several processes: `cargo run --release --example pipeline [FILE]`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{collections::BTreeMap, env, error::Error, fs, process};

use laneway::process::{Entries, Pipeline};

type Counts = BTreeMap<String, u64>;

/// The source: the lines of a file, some hundred at a time.
fn read(path: String) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a file of text");
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks(500).map(|some| some.join("\n")).collect()
}

fn words(text: String) -> Vec<String> {
    let words = text.split_whitespace();
    words.map(str::to_lowercase).collect()
}

fn count(words: Vec<String>) -> Counts {
    let mut counts = Counts::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// A text of some megabytes, always the same.
fn text() -> String {
    let end = |n| if n % 12 == 0 { ".\n" } else { " " };
    let word = |n: u64| format!("W{}{}", n * n % 1009, end(n));
    (1..=500_000).map(word).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let entries = Entries::new().source("read", read).stage("words", words);
    entries.stage("count", count).serve();
    let own = env::temp_dir().join(format!("laneway-words.{}", process::id()));
    fs::write(&own, text())?;
    let path = env::args().nth(1).unwrap_or(own.display().to_string());

    let pipeline = Pipeline::new().source("read", &path).stage("words", 4);
    let mut running = pipeline.link("shm+mpmc:").stage("count", 2).start()?;
    let mut total = Counts::new();
    for counts in running.sink::<Counts>()? {
        for (word, some) in counts? {
            *total.entry(word).or_default() += some;
        }
    }
    running.join()?;
    println!("{}", running.stats());
    assert_eq!(total, count(words(fs::read_to_string(path)?)));
    println!("{} words", total.values().sum::<u64>());
    Ok(fs::remove_file(own)?)
}
