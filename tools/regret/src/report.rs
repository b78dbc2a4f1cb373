//! What the results say, as Markdown.

use std::collections::BTreeMap;

use laneway::choose::Verdict;

use crate::results::{Again, Regret, Results};

/// How much better the best may be.
const WITHIN: f64 = 1.10;

/// Prints all of it.
pub(crate) fn print(results: &Results) {
    if !results.regrets.is_empty() {
        regrets(&results.regrets);
    }
    if !results.again.is_empty() {
        again(&results.again);
    }
}

fn regrets(all: &[Regret]) {
    let good = |regret: &&Regret| regret.times.is_some_and(|times| times <= WITHIN);
    let count = all.iter().filter(good).count();
    let share = count as f64 / all.len() as f64 * 100.0;
    let ties = all.iter().filter(|r| r.verdict == Verdict::Tie).count();
    println!(
        "\n{count} of {} answers ({share:.0} %) are within 10 % of the best; {ties} said that it is a tie.\n",
        all.len()
    );
    let bad: Vec<&Regret> = all.iter().filter(|regret| !good(regret)).collect();
    if bad.is_empty() {
        return;
    }
    println!("| workload | answer | best | behind |");
    println!("|---|---|---|---|");
    for regret in bad {
        let word = |pick: &Option<String>| pick.clone().unwrap_or_else(|| "nothing".to_owned());
        let behind = regret.times.map_or_else(
            || "does not do it".to_owned(),
            |times| format!("{:.0} %", (times - 1.0) * 100.0),
        );
        let (pick, best) = (word(&regret.pick), word(&regret.best));
        println!("| {} | `{pick}` | `{best}` | {behind} |", regret.name);
    }
}

fn again(all: &[Again]) {
    let mut questions: BTreeMap<&str, Vec<&Again>> = BTreeMap::new();
    for again in all {
        questions.entry(&again.name).or_default().push(again);
    }
    println!("\n| question | asked | same answer or tie | answers |");
    println!("|---|---|---|---|");
    for (name, answers) in questions {
        let mut counts: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for answer in &answers {
            *counts.entry(answer.pick.as_deref()).or_default() += 1;
        }
        let usual = counts.iter().max_by_key(|(_, count)| **count);
        let usual = usual.and_then(|(pick, _)| *pick);
        let same =
            |answer: &&&Again| answer.pick.as_deref() == usual || answer.verdict == Verdict::Tie;
        let same = answers.iter().filter(same).count();
        let words: Vec<String> = counts
            .iter()
            .map(|(pick, count)| format!("`{}` {count}", pick.unwrap_or("nothing")))
            .collect();
        println!(
            "| {name} | {} | {same} | {} |",
            answers.len(),
            words.join(", ")
        );
    }
}
