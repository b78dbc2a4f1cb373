//! Which of the measured channels to take. Pure: it also runs on saved reports.

use serde::{Deserialize, Serialize};

use crate::{
    choose::{
        needs::{Needs, Objective},
        words::{self, Count, Time},
    },
    measure::{Estimate, Figures, Outcome, Report},
};

/// How a choice came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// One is ahead of all others.
    Answer,
    /// Too close to call, so the simplest of those that lead is taken.
    Tie,
    /// There is none to take.
    Nothing,
}

/// What to take, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recommendation {
    /// How it came out.
    pub verdict: Verdict,
    /// The address to take, without a name.
    pub pick: Option<String>,
    /// The best of the others.
    pub runner_up: Option<String>,
    /// How many times as good as the runner-up the pick is; below 1 after a tie that a simpler one won.
    pub margin: Option<f64>,
    /// Those that cannot be told apart from the best, the simplest first.
    pub tied: Vec<String>,
    /// Why, a sentence each.
    pub why: Vec<String>,
}

/// A measured channel in the race.
#[derive(Clone, Copy)]
struct Runner<'a> {
    address: &'a str,
    figures: &'a Figures,
    /// Larger is better.
    score: Estimate,
}

/// As many round trips a second as `latency` nanoseconds allow.
fn inverse(latency: &Estimate) -> Estimate {
    let a_second = |nanos: f64| 1e9 / nanos.max(1.0);
    let mut inverse = *latency;
    inverse.median = a_second(latency.median);
    inverse.low = a_second(latency.high);
    inverse.high = a_second(latency.low);
    inverse
}

/// Chooses among reports, which stand in order of simplicity.
///
/// The one with the best median wins if its interval meets no other's. Else it is a tie, and the
/// simplest of those whose intervals meet the best one's is taken.
#[must_use]
pub fn rank(needs: &Needs, reports: &[Report]) -> Recommendation {
    let runners: Vec<Runner<'_>> = reports
        .iter()
        .filter_map(|report| {
            let figures = report.figures()?;
            let score = match needs.objective {
                Objective::Throughput => figures.rate,
                Objective::Latency => inverse(&figures.p50),
            };
            Some(Runner {
                address: &report.address,
                figures,
                score,
            })
        })
        .collect();
    let by_score = |a: &&Runner<'_>, b: &&Runner<'_>| {
        // Of equals the simpler: `max_by` takes the last.
        a.score.median.total_cmp(&b.score.median)
    };
    let Some(best) = runners.iter().rev().max_by(by_score) else {
        return nothing(reports);
    };
    let close = runners.iter().filter(|r| r.score.meets(&best.score));
    let close: Vec<Runner<'_>> = close.copied().collect();
    let pick = close.first().unwrap_or(best);
    let others = runners.iter().rev().filter(|r| r.address != pick.address);
    let second = others.max_by(by_score);
    let verdict = if close.len() > 1 {
        Verdict::Tie
    } else {
        Verdict::Answer
    };
    let mut why = vec![match (verdict, second) {
        (Verdict::Tie, _) => tie(needs.objective, &close, pick),
        (_, Some(second)) => ahead(needs.objective, pick, second),
        (_, None) if reports.len() == 1 => {
            format!("{} is the only one that qualifies", pick.address)
        }
        (_, None) => format!("{} is the only one with figures", pick.address),
    }];
    why.extend(other_objective(needs.objective, &runners, pick));
    why.extend(reports.iter().filter_map(mishap));
    Recommendation {
        verdict,
        pick: Some(pick.address.to_owned()),
        runner_up: second.map(|second| second.address.to_owned()),
        margin: second.map(|second| pick.score.median / second.score.median),
        tied: match verdict {
            Verdict::Tie => close.iter().map(|r| r.address.to_owned()).collect(),
            _ => Vec::new(),
        },
        why,
    }
}

fn nothing(reports: &[Report]) -> Recommendation {
    let mut why: Vec<String> = reports.iter().filter_map(mishap).collect();
    if why.is_empty() {
        why.push("no transport can do what is needed".to_owned());
    }
    Recommendation {
        verdict: Verdict::Nothing,
        pick: None,
        runner_up: None,
        margin: None,
        tied: Vec::new(),
        why,
    }
}

/// A figure of the objective, in words.
fn figure(objective: Objective, figures: &Figures) -> String {
    match objective {
        Objective::Throughput => format!("{} messages/s", Count(figures.rate.median)),
        Objective::Latency => format!("a round trip of {}", Time(figures.p50.median)),
    }
}

fn ahead(objective: Objective, pick: &Runner<'_>, second: &Runner<'_>) -> String {
    format!(
        "{} has {}, {} ahead of {} with {}; the 95 % intervals are apart over {} rounds",
        pick.address,
        figure(objective, pick.figures),
        words::factor(pick.score.median / second.score.median),
        second.address,
        figure(objective, second.figures),
        pick.figures.rounds.len(),
    )
}

fn tie(objective: Objective, close: &[Runner<'_>], pick: &Runner<'_>) -> String {
    let told = |r: &Runner<'_>| format!("{} with {}", r.address, figure(objective, r.figures));
    let all: Vec<String> = close.iter().map(told).collect();
    format!(
        "too close to call: the 95 % intervals meet of {}; {} is the simplest of them",
        all.join(" and "),
        pick.address
    )
}

/// Who is better than the pick at what was not asked for, if that can be told.
fn other_objective(
    objective: Objective,
    runners: &[Runner<'_>],
    pick: &Runner<'_>,
) -> Option<String> {
    let (other, score): (_, fn(&Figures) -> Estimate) = match objective {
        Objective::Throughput => (Objective::Latency, |figures| inverse(&figures.p50)),
        Objective::Latency => (Objective::Throughput, |figures| figures.rate),
    };
    let ours = score(pick.figures);
    let apart = |r: &&Runner<'_>| score(r.figures).low > ours.high;
    let best = runners.iter().filter(apart).max_by(|a, b| {
        let median = |r: &Runner<'_>| score(r.figures).median;
        median(a).total_cmp(&median(b))
    })?;
    Some(format!(
        "for {other} take {} instead, with {} against {}",
        best.address,
        figure(other, best.figures),
        figure(other, pick.figures)
    ))
}

/// What went wrong with a channel.
fn mishap(report: &Report) -> Option<String> {
    let address = &report.address;
    match &report.outcome {
        Outcome::Measured(_) => None,
        Outcome::Disqualified(fault) => Some(format!("{address} is disqualified: {fault}")),
        Outcome::Failed { why } => Some(format!("{address} could not be measured: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Fault, Round, Workload};

    /// A report of nine rounds around a rate, so far apart, with a round trip.
    fn report(address: &str, rate: u64, spread: u64, p50: u64) -> Report {
        let round = |number: u64| Round {
            messages: rate - 4 * spread + number * spread,
            bytes: 0,
            seconds: 1.0,
            roundtrips: 1000,
            p50,
            p99: 2 * p50,
            max: 3 * p50,
        };
        Report::new(address.to_owned(), Ok((0..9).map(round).collect()))
    }

    fn needs() -> Needs {
        Needs::new(Workload::new(64))
    }

    #[test]
    fn the_best_wins_by_its_margin() {
        let reports = [
            report("slow:", 1000, 1, 500),
            report("fast:", 3000, 1, 500),
            report("middle:", 1500, 1, 500),
        ];
        let answer = rank(&needs(), &reports);
        assert_eq!(answer.verdict, Verdict::Answer);
        assert_eq!(answer.pick.as_deref(), Some("fast:"));
        assert_eq!(answer.runner_up.as_deref(), Some("middle:"));
        assert_eq!(answer.margin, Some(2.0));
        assert!(answer.tied.is_empty());
        let why = answer.why.first().expect("a reason");
        assert!(why.contains("2.0 times ahead of middle:"), "{why}");
    }

    #[test]
    fn of_those_too_close_the_simplest_wins() {
        let reports = [
            report("far:", 100, 1, 500),
            report("simple:", 1000, 20, 500),
            report("fast:", 1050, 20, 500),
        ];
        let answer = rank(&needs(), &reports);
        assert_eq!(answer.verdict, Verdict::Tie);
        assert_eq!(answer.pick.as_deref(), Some("simple:"));
        assert_eq!(answer.tied, ["simple:", "fast:"]);
        assert_eq!(answer.runner_up.as_deref(), Some("fast:"));
        assert!(answer.margin.is_some_and(|margin| margin < 1.0));
        // Equal to the last digit is a tie too.
        let equal = [report("a:", 100, 0, 5), report("b:", 100, 0, 5)];
        assert_eq!(rank(&needs(), &equal).pick.as_deref(), Some("a:"));
    }

    #[test]
    fn latency_is_another_question() {
        let reports = [
            report("quick:", 1000, 1, 100),
            report("busy:", 5000, 1, 900),
        ];
        let answer = rank(&needs().objective(Objective::Latency), &reports);
        assert_eq!(answer.pick.as_deref(), Some("quick:"));
        assert_eq!(answer.margin, Some(9.0));
        let throughput = rank(&needs(), &reports);
        assert_eq!(throughput.pick.as_deref(), Some("busy:"));
        let other = throughput.why.get(1).expect("a second reason");
        assert!(
            other.starts_with("for latency take quick: instead"),
            "{other}"
        );
    }

    #[test]
    fn a_liar_never_wins() {
        let liar = Report::new("liar:".to_owned(), Err(Fault::Altered.into()));
        let reports = [liar.clone(), report("honest:", 10, 1, 500)];
        let answer = rank(&needs(), &reports);
        assert_eq!(answer.verdict, Verdict::Answer);
        assert_eq!(answer.pick.as_deref(), Some("honest:"));
        assert!(answer.why.iter().any(|why| why.contains("disqualified")));
        for none in [vec![liar], Vec::new()] {
            let answer = rank(&needs(), &none);
            assert_eq!(answer.verdict, Verdict::Nothing);
            assert_eq!(answer.pick, None);
            assert!(!answer.why.is_empty());
        }
    }
}
