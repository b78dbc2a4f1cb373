//! A choice on one screen, 100 columns wide at most.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use laneway::{
    Registry,
    choose::{Choice, Count, Objective, Time, Verdict},
    measure::{Figures, Outcome, Report},
};

/// Columns of a line.
const WIDTH: usize = 100;
/// Columns of what stands in front of a paragraph.
const LABEL: usize = 9;

/// Writes all of it.
pub(super) fn write(out: &mut impl Write, choice: &Choice, registry: &Registry) -> io::Result<()> {
    let recommendation = &choice.recommendation;
    heading(out, choice)?;
    writeln!(out, "{}\n", table(choice))?;
    for refused in &choice.refused {
        let (reason, remedy) = (&refused.reason, refused.reason.remedy());
        let text = format!("{} {reason} ({remedy})", refused.address);
        paragraph(out, "REFUSED", &text)?;
    }
    let answer = match (&recommendation.pick, recommendation.verdict) {
        (Some(pick), Verdict::Tie) => {
            format!("{pick}  (TIE with {})", others(&recommendation.tied, pick))
        }
        (Some(pick), _) => pick.clone(),
        (None, _) => "none".to_owned(),
    };
    paragraph(out, "ANSWER", &answer)?;
    for (index, why) in recommendation.why.iter().enumerate() {
        paragraph(out, if index == 0 { "WHY" } else { "" }, why)?;
    }
    paragraph(out, "MACHINE", &choice.machine.to_string())?;
    for warning in &choice.warnings {
        paragraph(out, "", &warning.to_string())?;
    }
    match choice.next(registry, "orders") {
        Some(address) if address.is_anonymous() => paragraph(
            out,
            "NEXT",
            &format!("let (tx, rx) = laneway::channel(\"{address}\")?.pair()?;"),
        ),
        Some(address) => paragraph(
            out,
            "NEXT",
            &format!("let channel = laneway::channel(\"{address}\")?;"),
        ),
        None => paragraph(
            out,
            "NEXT",
            "change the workload, or do what stands in brackets above",
        ),
    }
}

fn others(tied: &[String], pick: &str) -> String {
    let others: Vec<&str> = tied.iter().map(String::as_str).collect();
    let others: Vec<&str> = others.into_iter().filter(|other| *other != pick).collect();
    others.join(", ")
}

fn heading(out: &mut impl Write, choice: &Choice) -> io::Result<()> {
    writeln!(
        out,
        "{}, by {}: {} rounds of {} ms for each figure\n",
        choice.needs.workload,
        choice.recommendation.objective,
        choice.plan.rounds,
        choice.plan.time.as_millis(),
    )
}

fn table(choice: &Choice) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "transport",
            "messages/s",
            "MB/s",
            "p50",
            "p99",
            "spread",
            "verdict",
        ]);
    for report in &choice.comparison.reports {
        table.add_row(row(choice, report));
    }
    for refused in &choice.refused {
        let mut cells = vec![short(&refused.address)];
        cells.extend((0..5).map(|_| "-".to_owned()));
        cells.push("REFUSED".to_owned());
        table.add_row(cells);
    }
    for index in 1..6 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// An address that leaves room for the other columns.
fn short(address: &str) -> String {
    const MOST: usize = 34;

    if address.len() <= MOST {
        return address.to_owned();
    }
    let start: String = address.chars().take(MOST - 3).collect();
    format!("{start}...")
}

fn row(choice: &Choice, report: &Report) -> Vec<String> {
    let mut cells = vec![short(&report.address)];
    match report.figures() {
        Some(figures) => cells.extend(numbers(choice, figures)),
        None => cells.extend((0..5).map(|_| "-".to_owned())),
    }
    let recommendation = &choice.recommendation;
    let verdict = match &report.outcome {
        Outcome::Disqualified(_) => "DISQUALIFIED",
        Outcome::Failed { .. } => "FAILED",
        _ if recommendation.pick.as_ref() == Some(&report.address) => "<- pick",
        _ if recommendation.tied.contains(&report.address) => "tied",
        _ => "",
    };
    cells.push(verdict.to_owned());
    cells
}

/// The figures that the columns have. The spread is that of what was asked for.
fn numbers(choice: &Choice, figures: &Figures) -> [String; 5] {
    let megabytes = figures.throughput.bytes.median / 1e6;
    let digits = if megabytes < 99.95 { 1 } else { 0 };
    let delays = figures.arrivals.as_ref().unwrap_or(&figures.roundtrip);
    let asked = match choice.recommendation.objective {
        Objective::Latency(_) => &delays.p50,
        _ => &figures.throughput.rate,
    };
    [
        Count(figures.throughput.rate.median).to_string(),
        format!("{megabytes:.digits$}"),
        Time(delays.p50.median).to_string(),
        Time(delays.p99.median).to_string(),
        format!("{:.0} %", asked.spread() * 100.0),
    ]
}

/// What is not parted from the number before it.
const UNITS: [&str; 10] = ["%", "B", "M", "k", "ms", "ns", "s", "us", "times", "rounds"];

/// Writes words under each other, with a label in front.
fn paragraph(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let bare = word.trim_end_matches([';', ',', ')']);
        match words.last_mut() {
            Some(number) if UNITS.contains(&bare) => {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    let mut line = format!("{label:LABEL$}");
    let mut column = LABEL;
    for word in words {
        let len = word.chars().count();
        if column > LABEL && column + 1 + len > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(LABEL);
            column = LABEL;
        }
        if column > LABEL {
            line.push(' ');
            column += 1;
        }
        line.push_str(&word);
        column += len;
    }
    writeln!(out, "{}", line.trim_end())
}
