//! Rivals and limits beside laneway, in one run, in slices labelled by the distance of the cores.
//!
//! `cargo run --release -p laneway-peers -- [--slices N] [--rounds N] [--markdown] [filter...]`, with
//! `--features rivals` for those that take a while to build.

#![allow(unsafe_code, reason = "forks itself, and plays the bare limits")]
#![allow(clippy::print_stdout, reason = "a tool")]

mod crowd;
mod futex;
mod isolated;
mod nap;
mod rivals;
mod slices;
mod table;
mod traces;

use std::{collections::BTreeMap, env};

use slices::Slice;
use table::Form;

/// A row of the table.
struct Row {
    name: &'static str,
    unit: &'static str,
    run: Box<dyn Fn(u32) -> Vec<Slice>>,
}

impl Row {
    /// A row of million messages a second.
    fn rate(name: &'static str, run: impl Fn(u32) -> Vec<Slice> + 'static) -> Self {
        Self {
            name,
            unit: "M/s",
            run: Box::new(run),
        }
    }

    /// A row of nanoseconds a round trip.
    #[cfg(feature = "rivals")]
    fn nanos(name: &'static str, run: impl Fn(u32) -> Vec<Slice> + 'static) -> Self {
        Self {
            name,
            unit: "ns",
            run: Box::new(run),
        }
    }
}

fn main() {
    let mut slices = 40;
    let mut rounds = 3;
    let mut form = Form::Plain;
    let mut filters = Vec::new();
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).expect("a number");
        match arg.as_str() {
            "--slices" => slices = number(),
            "--rounds" => rounds = number(),
            "--markdown" => form = Form::Markdown,
            _ => filters.push(arg),
        }
    }
    let rows: Vec<Row> = rivals::rows()
        .into_iter()
        .filter(|row| filters.is_empty() || filters.iter().any(|f| row.name.contains(f.as_str())))
        .collect();
    let mut all: BTreeMap<usize, Vec<Slice>> = BTreeMap::new();
    let mut faults: BTreeMap<usize, String> = BTreeMap::new();
    isolated::adopt();
    traces::sweep();
    for _ in 0..rounds {
        for (index, row) in rows.iter().enumerate() {
            // What has failed once is not to be believed, and not tried again.
            if faults.contains_key(&index) {
                continue;
            }
            match isolated::play(row, slices) {
                Ok(kept) => all.entry(index).or_default().extend(kept),
                Err(why) => drop(faults.insert(index, why)),
            }
        }
    }
    let lines: Vec<table::Line> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let kept = match faults.remove(&index) {
                Some(why) => Err(why),
                None => Ok(all.remove(&index).unwrap_or_default()),
            };
            (row.name, row.unit, kept)
        })
        .collect();
    print!("{}", table::print(&lines, form));
}
