//! Choices of several sizes as the tables of BENCHMARKS.md.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use laneway::choose::{Choice, Count, Time, Verdict};
use laneway::measure::{Figures, Report};

/// Writes tables: transports down, sizes across.
pub(super) fn write(out: &mut impl Write, choices: &[Choice]) -> io::Result<()> {
    let Some(first) = choices.first() else {
        return Ok(());
    };
    let (plan, shape) = (&first.plan, first.needs.workload.shape);
    writeln!(out, "Machine: {}.", first.machine)?;
    for warning in &first.warnings {
        writeln!(out, "Note: {warning}.")?;
    }
    writeln!(
        out,
        "laneway {}, processes {shape}, one message a call; medians of {} interleaved rounds of {} ms, \u{b1} half the 95 % interval of the median.",
        first.version,
        plan.rounds,
        plan.time.as_millis(),
    )?;
    writeln!(out, "\n**Messages a second, one way**\n")?;
    table(out, choices, |figures| {
        let rate = &figures.throughput.rate;
        format!(
            "{} \u{b1}{:.0} %",
            Count(rate.median),
            rate.spread() * 100.0
        )
    })?;
    answers(out, choices)?;
    writeln!(out, "\n**Round trip, p50 / p99**\n")?;
    table(out, choices, |figures| {
        let (p50, p99) = (&figures.roundtrip.p50, &figures.roundtrip.p99);
        let spread = p50.spread() * 100.0;
        format!(
            "{} \u{b1}{spread:.0} % / {}",
            Time(p50.median),
            Time(p99.median)
        )
    })?;
    notes(out, choices)
}

/// What stands before the colon.
fn scheme(address: &str) -> &str {
    address.split(':').next().unwrap_or_default()
}

/// The schemes that have figures or a reason why not, in the order in which they first come.
fn schemes(choices: &[Choice]) -> Vec<&str> {
    let mut all = Vec::new();
    for choice in choices {
        let reports = choice
            .comparison
            .reports
            .iter()
            .map(|report| &report.address);
        let refused = choice.refused.iter().map(|refused| &refused.address);
        for address in reports.chain(refused) {
            if !all.contains(&scheme(address)) {
                all.push(scheme(address));
            }
        }
    }
    all
}

fn find<'a>(choice: &'a Choice, wanted: &str) -> Option<&'a Report> {
    let mut reports = choice.comparison.reports.iter();
    reports.find(|report| scheme(&report.address) == wanted)
}

/// Bytes as people write them.
fn bytes(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        size if size.is_multiple_of(1 << 20) => format!("{} MiB", size >> 20),
        size if size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        size => format!("{size} B"),
    }
}

fn table(
    out: &mut impl Write,
    choices: &[Choice],
    cell: impl Fn(&Figures) -> String,
) -> io::Result<()> {
    let line = |out: &mut dyn Write, cells: &[String]| writeln!(out, "| {} |", cells.join(" | "));
    let sizes = choices.iter().map(|c| bytes(c.needs.workload.sizes.most()));
    let head: Vec<String> = [String::new()].into_iter().chain(sizes).collect();
    line(out, &head)?;
    let rule = vec!["---".to_owned(); head.len()];
    line(out, &rule)?;
    for wanted in schemes(choices) {
        let mut cells = vec![format!("`{wanted}:`")];
        for choice in choices {
            let figures = find(choice, wanted).map(Report::figures);
            cells.push(match figures {
                Some(Some(figures)) => cell(figures),
                Some(None) => "disqualified".to_owned(),
                None => "\u{2013}".to_owned(),
            });
        }
        line(out, &cells)?;
    }
    Ok(())
}

/// The last row of the first table: what `choose` answers.
fn answers(out: &mut impl Write, choices: &[Choice]) -> io::Result<()> {
    let mut cells = vec!["answer".to_owned()];
    for choice in choices {
        let answer = &choice.recommendation;
        cells.push(match (answer.verdict, &answer.pick) {
            (Verdict::Answer, Some(pick)) => format!("`{}:`", scheme(pick)),
            (Verdict::Tie, _) => {
                let tied = answer
                    .tied
                    .iter()
                    .map(|tied| format!("`{}:`", scheme(tied)));
                format!("tie: {}", tied.collect::<Vec<_>>().join(", "))
            }
            _ => "\u{2013}".to_owned(),
        });
    }
    writeln!(out, "| {} |", cells.join(" | "))
}

/// Where a transport was made larger, and why one is missing.
fn notes(out: &mut impl Write, choices: &[Choice]) -> io::Result<()> {
    let mut notes = BTreeSet::new();
    let mut lines = Vec::new();
    for choice in choices {
        let size = bytes(choice.needs.workload.sizes.most());
        for report in &choice.comparison.reports {
            if report.address.contains('?') && notes.insert(report.address.clone()) {
                lines.push(format!("{size}: measured as `{}`.", report.address));
            }
        }
        for refused in &choice.refused {
            let (reason, remedy) = (&refused.reason, refused.reason.remedy());
            lines.push(format!(
                "{size}: `{}` {reason} ({remedy}).",
                refused.address
            ));
        }
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "- {line}"))
}
