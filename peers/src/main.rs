//! Rivals and limits beside laneway, in one run, in slices labelled by the distance of the cores.
//!
//! `cargo run --release -p laneway-peers -- [--slices N] [--rounds N] [filter...]`

#![allow(unsafe_code, reason = "forks itself, and plays the bare limits")]
#![allow(clippy::print_stdout, reason = "a tool")]

mod rivals;
mod slices;

use std::{collections::BTreeMap, env};

use slices::{Distance, Slice};

/// A row of the table.
struct Row {
    name: &'static str,
    unit: &'static str,
    run: Box<dyn Fn(u32) -> Vec<Slice>>,
}

fn main() {
    let mut slices = 40;
    let mut rounds = 3;
    let mut filters = Vec::new();
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).expect("a number");
        match arg.as_str() {
            "--slices" => slices = number(),
            "--rounds" => rounds = number(),
            _ => filters.push(arg),
        }
    }
    let rows: Vec<Row> = rivals::rows()
        .into_iter()
        .filter(|row| filters.is_empty() || filters.iter().any(|f| row.name.contains(f.as_str())))
        .collect();
    let mut all: BTreeMap<usize, Vec<Slice>> = BTreeMap::new();
    for _ in 0..rounds {
        for (index, row) in rows.iter().enumerate() {
            all.entry(index).or_default().extend((row.run)(slices));
        }
    }
    println!("{:44} {:>26} {:>26} {:>26}", "", "core", "complex", "far");
    for (index, row) in rows.iter().enumerate() {
        let kept = all.remove(&index).unwrap_or_default();
        let cells: Vec<String> = [Distance::Core, Distance::Complex, Distance::Far]
            .into_iter()
            .map(|distance| cell(&kept, distance))
            .collect();
        println!(
            "{:36} {:7} {:>26} {:>26} {:>26}",
            row.name, row.unit, cells[0], cells[1], cells[2]
        );
    }
}

/// Median (quartiles) of the slices at one distance.
fn cell(slices: &[Slice], distance: Distance) -> String {
    let mut values: Vec<f64> = slices
        .iter()
        .filter(|s| s.distance == distance)
        .map(|s| s.value)
        .collect();
    if values.len() < 3 {
        return "-".into();
    }
    values.sort_by(f64::total_cmp);
    let at = |part: usize| values[(values.len() - 1) * part / 4];
    format!("{:.4} ({:.3}-{:.3}) {}", at(2), at(1), at(3), values.len())
}
