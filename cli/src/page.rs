//! A result as one page that needs nothing else: plots as inline SVG, the figures, and all data as JSON.

mod axis;
mod cpu;
mod flips;
mod frame;
mod latency;
mod series;
mod sizes;

use laneway::{
    Registry,
    choose::Choice,
    measure::{Comparison, Report, Survey, Workload},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use series::Series;

use crate::{
    choose::account::{self, Entry},
    figures, measure,
};

/// The page of a choice. `again` are the flags of the same workload, `json` is all of it.
pub(crate) fn of_choice(choice: &Choice, registry: &Registry, again: &str, json: &str) -> String {
    let comparison = &choice.comparison;
    let series = Series::of(comparison);
    let workload = &choice.needs.workload;
    let verdict = |report: &Report| Some(account::verdict(choice, report));
    let body = html! {
        h1 { "Which transport?" }
        p { (account::question(choice)) }
        div.answer { (account(&account::before(choice))) }
        (table(comparison, &series, verdict))
        p.note { (figures::LEGEND) "." }
        div.plots {
            (latency::plot(comparison, &series, choice.needs.slo))
            (sizes::plot(comparison, workload, &choice.neighbours, &series))
            (cpu::plot(comparison, &series))
            (flips::plot(choice, &series))
        }
        (account(&account::after(choice, registry, again)))
    };
    document(&format!("{workload}: laneway choose"), &body, json)
}

/// The page of a measurement.
pub(crate) fn of_survey(survey: &Survey, json: &str) -> String {
    let comparison = &survey.comparison;
    let series = Series::of(comparison);
    let workload: &Workload = &survey.workload;
    let mishaps = comparison.reports.iter().filter_map(figures::mishap);
    let body = html! {
        h1 { "Transports, measured" }
        p { (measure::question(survey)) }
        (table(comparison, &series, |_| None))
        @for mishap in mishaps { p { (mishap) } }
        p.note { (figures::LEGEND) "." }
        div.plots {
            (latency::plot(comparison, &series, None))
            (cpu::plot(comparison, &series))
        }
        dl {
            dt { "FLOOR" } dd { (figures::floors(&comparison.floors)) }
            dt { "MACHINE" } dd { (survey.machine) }
            dd { (figures::conditions(comparison)) }
            @for warning in &survey.warnings { dd { (warning) } }
        }
    };
    document(&format!("{workload}: laneway measure"), &body, json)
}

fn document(title: &str, body: &Markup, json: &str) -> String {
    // Inside JSON it only stands in strings, where it may be written so: no text ends the element.
    let json = json.replace('<', "\\u003c");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(include_str!("page/style.css"))) }
            }
            body {
                main {
                    (body)
                    p.note {
                        "laneway " (env!("CARGO_PKG_VERSION"))
                        ". All figures, with every histogram, stand in this page as JSON: "
                        code { "JSON.parse(document.getElementById('data').textContent)" } "."
                    }
                }
                script id="data" type="application/json" { (PreEscaped(json)) }
            }
        }
    };
    page.into_string()
}

/// Labels and what they say.
fn account(entries: &[Entry]) -> Markup {
    html! {
        dl {
            @for entry in entries {
                @if !entry.label.is_empty() { dt { (entry.label) } }
                dd { (entry.text) }
            }
        }
    }
}

/// The figures of all channels.
fn table(
    comparison: &Comparison,
    series: &Series,
    verdict: impl Fn(&Report) -> Option<&'static str>,
) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th { "transport" }
                @for head in figures::HEADS { th.number { (head) } }
                th { @if comparison.reports.iter().any(|report| verdict(report).is_some()) { "verdict" } }
            } }
            tbody {
                @for report in &comparison.reports {
                    tr {
                        th class=(series.class(&report.address)) { span.swatch {} code { (report.address) } }
                        @for cell in figures::cells(comparison, report) { td.number { (cell) } }
                        td { @if let Some(word) = verdict(report) { (word) } }
                    }
                }
            }
        } }
    }
}
