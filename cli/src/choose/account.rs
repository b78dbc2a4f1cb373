//! A choice in words: what the screen and the page both say.

use laneway::{
    Registry,
    choose::{Ceiling, Choice, Count, Judgement, Objective, Verdict},
    measure::{Outcome, Report},
};

use crate::{figures, screen::NONE};

/// The name that addresses have which are to be pasted.
const WORD: &str = "orders";

/// A label and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Empty if it goes on where the one before ended.
    pub(crate) label: &'static str,
    pub(crate) text: String,
}

fn entry(label: &'static str, text: impl Into<String>) -> Entry {
    let text = text.into();
    Entry { label, text }
}

/// The first with its label, the rest without.
fn entries(label: &'static str, texts: impl IntoIterator<Item = String>) -> Vec<Entry> {
    let mut label = label;
    let all = texts.into_iter();
    all.map(|text| entry(std::mem::take(&mut label), text))
        .collect()
}

/// What was asked.
pub(crate) fn question(choice: &Choice) -> String {
    let (needs, plan) = (&choice.needs, &choice.plan);
    let mut text = format!("{}, by {}", needs.workload, choice.recommendation.objective);
    if let Some(slo) = &needs.slo {
        text += &format!(", {slo}");
    }
    if let Some(budget) = needs.cpu_budget {
        text += &format!(", at most {:.0} % of a core", budget * 100.0);
    }
    for need in &needs.must {
        text += &format!(", {need}");
    }
    let latency = match needs.workload.arrivals() {
        Some(_) => "from when a message was due until it came",
        None => "there and back",
    };
    format!(
        "{text}: {} rounds of {} ms for each figure; latency {latency}",
        choice.plan.rounds,
        plan.time.as_millis(),
    )
}

/// What comes before the table.
pub(crate) fn before(choice: &Choice) -> Vec<Entry> {
    let mut all = vec![entry("ANSWER", answer(choice))];
    all.extend(entries("WHY", choice.recommendation.why.iter().cloned()));
    all
}

fn answer(choice: &Choice) -> String {
    let answer = &choice.recommendation;
    let Some(pick) = &answer.pick else {
        return "none: nothing that was measured may be taken".to_owned();
    };
    let rounds = choice.plan.rounds;
    match (answer.verdict, answer.margin, &answer.runner_up) {
        (Verdict::Tie, ..) => {
            let others = answer.tied.iter().filter(|tied| *tied != pick);
            let others: Vec<&str> = others.map(String::as_str).collect();
            let of = match answer.tied.first() == Some(pick) {
                true => "",
                false => " that does not seem far behind",
            };
            format!(
                "{pick}   TIE with {}, taken as the simplest{of}",
                others.join(", ")
            )
        }
        (_, Some(margin), Some(second)) if answer.objective != Objective::Simplicity => format!(
            "{pick}   {} ({} to {}) as good as {second} by {}, over {rounds} rounds",
            figures::times(margin.median),
            figures::times(margin.low),
            figures::times(margin.high),
            answer.objective,
        ),
        _ => pick.clone(),
    }
}

/// The last column.
pub(crate) fn verdict(choice: &Choice, report: &Report) -> &'static str {
    let answer = &choice.recommendation;
    if answer.pick.as_ref() == Some(&report.address) {
        return "<- PICK";
    }
    if answer.tied.contains(&report.address) {
        return "TIE";
    }
    let mut standings = answer.standings.iter();
    let standing = standings.find(|standing| standing.address == report.address);
    match (&report.outcome, standing.map(|standing| standing.judgement)) {
        (Outcome::Disqualified(_), _) => "FAULTY",
        (Outcome::Failed { .. }, _) => "FAILED",
        (_, Some(Judgement::Meets)) => "MEETS",
        (_, Some(Judgement::Late { .. })) => "LATE",
        (_, Some(Judgement::Behind { .. })) => "BEHIND",
        (_, Some(Judgement::Dear { .. })) => "DEAR",
        _ => NONE,
    }
}

/// What comes after the table. `again` are the flags of the same workload.
pub(crate) fn after(choice: &Choice, registry: &Registry, again: &str) -> Vec<Entry> {
    let refused = choice.refused.iter().map(|refused| {
        let (address, reason) = (&refused.address, &refused.reason);
        format!("{address} {reason} -> {}", reason.remedy())
    });
    let mut all = entries("REFUSED", refused);
    all.extend(entries("FLIPS", flips(choice)));
    all.push(entry("MAX", most(choice)));
    all.push(entry("FLOOR", figures::floors(&choice.comparison.floors)));
    let machine = [
        choice.machine.to_string(),
        figures::conditions(&choice.comparison),
    ];
    let warnings = choice.warnings.iter().map(ToString::to_string);
    all.extend(entries("MACHINE", machine.into_iter().chain(warnings)));
    all.extend(entries("NEXT", next(choice, registry, again)));
    all
}

fn flips(choice: &Choice) -> Vec<String> {
    if !choice.flips.is_empty() {
        return choice.flips.iter().map(|flip| flip.words.clone()).collect();
    }
    match choice.neighbours.len() {
        0 => vec![NONE.to_owned()],
        count => vec![format!(
            "the answer is the same for all {count} workloads near this one that were tried"
        )],
    }
}

/// The highest rates at which the service level holds.
fn most(choice: &Choice) -> String {
    let Some(slo) = &choice.needs.slo else {
        return format!("{NONE} (no service level was set: --slo p99.9<50us has it searched)");
    };
    if choice.ceilings.is_empty() {
        return NONE.to_owned();
    }
    let told = |ceiling: &Ceiling| {
        let rate = match (ceiling.rate, ceiling.failed) {
            (Some(rate), Some(_)) => format!("{}/s", Count(rate)),
            (Some(rate), None) => format!("{}/s and all that goes through", Count(rate)),
            (None, _) => "none that was tried".to_owned(),
        };
        format!("{} {rate}", ceiling.address)
    };
    let all: Vec<String> = choice.ceilings.iter().map(told).collect();
    format!("highest rate that keeps {slo}: {}", all.join(", "))
}

fn next(choice: &Choice, registry: &Registry, again: &str) -> Vec<String> {
    let Some(address) = choice.next(registry, WORD) else {
        let hint = "change the workload, relax a bound, or do what stands behind -> above";
        return vec![hint.to_owned()];
    };
    let open = if address.is_anonymous() {
        format!("let (tx, rx) = laneway::channel(\"{address}\")?.pair()?;")
    } else {
        format!("let channel = laneway::channel(\"{address}\")?;")
    };
    let answer = &choice.recommendation;
    let both = answer.pick.iter().chain(&answer.runner_up);
    let quoted: Vec<String> = both.map(|address| format!("'{address}'")).collect();
    let measure = format!("laneway measure {}{again}", quoted.join(" "));
    vec![open, measure]
}
