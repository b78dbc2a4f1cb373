//! Where the answer flips: the pick for workloads near the one that was asked for, one row for each thing that changes.

use laneway::{
    WaitStrategy,
    choose::{Axis as Change, Choice, Neighbour, Recommendation, Verdict},
};
use maud::{Markup, html};

use crate::{
    page::{
        frame::{RIGHT, WIDTH, figure, px},
        series::{Series, unwaiting},
        sizes::bytes,
    },
    screen::NONE,
};

/// How high a row is, and how much of it is the cell under its label.
const ROW: f64 = 56.0;
const CELL: f64 = 26.0;
/// Where cells start, after the names of rows.
const START: f64 = 90.0;

/// One workload.
struct Cell<'a> {
    label: String,
    /// Orders the cells of a row.
    place: f64,
    answer: &'a Recommendation,
    is_asked: bool,
}

/// How processes wait, in words and from the most eager one on.
fn wait(wait: Option<WaitStrategy>) -> (String, f64) {
    let wait = wait.unwrap_or(WaitStrategy::DEFAULT);
    let place = match wait {
        WaitStrategy::Spin => 0.0,
        WaitStrategy::Yield => 1.0,
        WaitStrategy::Park => 3.0,
        _ => 2.0,
    };
    (wait.word().to_owned(), place)
}

/// The workload that was asked for, as a cell of the row of this change.
fn asked<'a>(choice: &'a Choice, change: &Change) -> Cell<'a> {
    let workload = &choice.needs.workload;
    let (label, place) = match change {
        Change::Size { .. } => (bytes(workload.sizes.mean()), workload.sizes.mean()),
        Change::Wait { .. } => wait(workload.wait),
        _ => {
            let producers = workload.shape.producers.get();
            (producers.to_string(), f64::from(producers))
        }
    };
    Cell {
        label,
        place,
        answer: &choice.recommendation,
        is_asked: true,
    }
}

fn cell<'a>(neighbour: &'a Neighbour, index: usize) -> Cell<'a> {
    let workload = &neighbour.workload;
    let (label, place) = match neighbour.axis {
        Change::Size { .. } => (bytes(workload.sizes.mean()), workload.sizes.mean()),
        Change::Wait { wait: how } => wait(how),
        Change::Producers { producers } => (producers.to_string(), f64::from(producers)),
        _ => (workload.to_string(), index as f64),
    };
    Cell {
        label,
        place,
        answer: &neighbour.recommendation,
        is_asked: false,
    }
}

const fn row(change: &Change) -> &'static str {
    match change {
        Change::Size { .. } => "size",
        Change::Wait { .. } => "waiting",
        Change::Producers { .. } => "producers",
        _ => "other",
    }
}

/// The rows, each in order.
fn rows(choice: &Choice) -> Vec<(&'static str, Vec<Cell<'_>>)> {
    let mut rows: Vec<(&'static str, Vec<Cell<'_>>)> = Vec::new();
    for (index, neighbour) in choice.neighbours.iter().enumerate() {
        let name = row(&neighbour.axis);
        let cell = cell(neighbour, index);
        match rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, cells)) => cells.push(cell),
            None => rows.push((name, vec![asked(choice, &neighbour.axis), cell])),
        }
    }
    for (_, cells) in &mut rows {
        cells.sort_by(|a, b| a.place.total_cmp(&b.place));
    }
    rows
}

/// The plot.
pub(super) fn plot(choice: &Choice, series: &Series) -> Markup {
    let rows = rows(choice);
    let height = (ROW * rows.len() as f64).max(40.0);
    let drawing = html! {
        @if rows.is_empty() {
            text.title x=(px(WIDTH / 2.0)) y="24" text-anchor="middle" { "No other workload was measured." }
        }
        @for (index, (name, cells)) in rows.iter().enumerate() {
            text.name x=(px(START - 10.0)) y=(px(index as f64 * ROW + 38.0)) text-anchor="end" { (name) }
            @for (place, cell) in cells.iter().enumerate() {
                (draw(name, cell, series, (place, cells.len()), index as f64 * ROW))
            }
        }
    };
    let note = html! {
        p.note { "Each cell is a workload that differs from the one that was asked for (framed) in one thing, measured in short." }
    };
    figure("flips", "Where the answer flips", height, &drawing, &note)
}

fn draw(
    row: &str,
    cell: &Cell<'_>,
    series: &Series,
    (place, of): (usize, usize),
    top: f64,
) -> Markup {
    let width = (RIGHT - START) / of as f64;
    let left = START + place as f64 * width;
    let middle = left + width / 2.0;
    let pick = cell.answer.pick.as_deref();
    let class = pick.map_or("s other".to_owned(), |pick| series.class(pick));
    let told = match (pick, cell.answer.verdict) {
        (None, _) => NONE.to_owned(),
        (Some(pick), Verdict::Tie) => format!("{} (tie)", unwaiting(pick)),
        (Some(pick), _) => unwaiting(pick),
    };
    let frame = if cell.is_asked { "cell asked" } else { "cell" };
    html! {
        g class=(class) {
            text.label x=(px(middle)) y=(px(top + 15.0)) text-anchor="middle" { (cell.label) }
            rect class=(frame) data-row=(row) data-label=(cell.label) data-pick=[pick]
                x=(px(left + 2.0)) y=(px(top + 21.0)) width=(px(width - 4.0)) height=(px(CELL)) rx="4" {
                title { (cell.label) ": " (told) }
            }
            text.pick x=(px(middle)) y=(px(top + 38.5)) text-anchor="middle" { (told) }
        }
    }
}
