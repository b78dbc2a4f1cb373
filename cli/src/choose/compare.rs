//! Two saved results beside each other: two machines, two kernels, before and after.

use std::path::PathBuf;

use laneway::measure::{Comparison, Report};

use crate::{
    exit::Failure,
    figures,
    saved::Saved,
    screen::{NONE, Screen},
};

/// Reads both and prints how the second differs from the first.
pub(super) fn run(paths: &[PathBuf]) -> Result<(), Failure> {
    let saved: Vec<Saved> = paths
        .iter()
        .map(|path| Saved::read(path))
        .collect::<Result<_, _>>()?;
    let [a, b] = saved.as_slice() else {
        // Clap sees to it that there are two.
        return Ok(());
    };
    let mut screen = Screen::default();
    for (label, path, saved) in [("A", &paths[0], a), ("B", &paths[1], b)] {
        let workload = saved.workload();
        screen.paragraph(label, &format!("{}: {workload}", path.display()));
    }
    let mut label = "MACHINE";
    for difference in differences(a, b) {
        screen.paragraph(std::mem::take(&mut label), &difference);
    }
    screen.gap();
    let (before, after) = (a.comparison(), b.comparison());
    let mut head = vec!["B against A"];
    head.extend(figures::HEADS);
    let rows: Vec<_> = before
        .reports
        .iter()
        .filter_map(|report| Some(row(before, report, after, find(after, report)?)))
        .collect();
    screen.table(&head, &rows, figures::HEADS.len());
    screen.gap();
    screen.paragraph(
        "RATIOS",
        "each figure of B in figures of A: 2.00x thrput is twice as much, 2.00x p50 twice as late",
    );
    for (label, here, there) in [("ONLY A", before, after), ("ONLY B", after, before)] {
        let alone = here.reports.iter();
        let alone = alone.filter(|report| find(there, report).is_none());
        let names: Vec<&str> = alone.map(|report| report.address.as_str()).collect();
        if !names.is_empty() {
            screen.paragraph(label, &names.join(", "));
        }
    }
    screen.print()
}

/// The same channel in another comparison.
fn find<'a>(comparison: &'a Comparison, wanted: &Report) -> Option<&'a Report> {
    let mut reports = comparison.reports.iter();
    reports.find(|report| report.address == wanted.address)
}

fn row(a: &Comparison, before: &Report, b: &Comparison, after: &Report) -> Vec<String> {
    let mut cells = vec![figures::short(&before.address)];
    let pairs = figures::numbers(a, before)
        .into_iter()
        .zip(figures::numbers(b, after));
    cells.extend(pairs.map(|(before, after)| match (before, after) {
        (Some(before), Some(after)) if before > 0.0 => figures::times(after / before),
        _ => NONE.to_owned(),
    }));
    cells
}

/// What about the two is not the same, that figures depend on.
fn differences(a: &Saved, b: &Saved) -> Vec<String> {
    let (one, other) = (a.machine(), b.machine());
    let (before, after) = (a.comparison(), b.comparison());
    let told = |value: Option<&dyn std::fmt::Display>| {
        value.map_or(NONE.to_owned(), |value| value.to_string())
    };
    let kind = |is_virtual: Option<bool>| match is_virtual {
        Some(true) => "virtual",
        Some(false) => "real",
        None => NONE,
    };
    let facts = [
        ("processor", one.cpu.clone(), other.cpu.clone()),
        ("cores", one.cores.to_string(), other.cores.to_string()),
        ("kernel", one.kernel.clone(), other.kernel.clone()),
        (
            "governor",
            told(one.governor.as_ref().map(|g| g as _)),
            told(other.governor.as_ref().map(|g| g as _)),
        ),
        (
            "cores are",
            kind(one.is_virtual).to_owned(),
            kind(other.is_virtual).to_owned(),
        ),
        (
            "distance between cores",
            told(before.distance.as_ref().map(|d| d as _)),
            told(after.distance.as_ref().map(|d| d as _)),
        ),
        (
            "workload",
            a.workload().to_string(),
            b.workload().to_string(),
        ),
        ("laneway", a.version().to_owned(), b.version().to_owned()),
    ];
    let differs = facts.into_iter().filter(|(_, a, b)| a != b);
    let mut all: Vec<String> = differs
        .map(|(what, a, b)| format!("{what}: {a} -> {b}"))
        .collect();
    if all.is_empty() {
        all.push(format!("the same: {one}"));
    }
    all
}
