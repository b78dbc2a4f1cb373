//! Which of the measured channels to take. Pure: it also runs on saved reports.

use serde::{Deserialize, Serialize};

use crate::{
    choose::{
        needs::{Needs, Objective},
        words::{self, Count, Time},
    },
    measure::{Estimate, Figures, Outcome, Report, Round},
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
    /// How many times as good as the runner-up the pick is, round by round; its interval reaches below 1 after a tie.
    pub margin: Option<Estimate>,
    /// Those that cannot be told apart from the best, the simplest first.
    pub tied: Vec<String>,
    /// Why, a sentence each.
    pub why: Vec<String>,
}

/// A measured channel in the race. Of scores the larger is better.
struct Runner<'a> {
    address: &'a str,
    figures: &'a Figures,
    /// Its score in each round.
    rounds: Vec<f64>,
    score: Estimate,
}

impl<'a> Runner<'a> {
    fn new(objective: Objective, report: &'a Report) -> Option<Self> {
        let figures = report.figures()?;
        let score = |round: &Round| match objective {
            Objective::Throughput => round.messages as f64 / round.seconds,
            // As many round trips a second as it allows.
            Objective::Latency => 1e9 / round.p50.max(1) as f64,
        };
        let rounds: Vec<f64> = figures.rounds.iter().map(score).collect();
        Some(Self {
            address: &report.address,
            figures,
            score: Estimate::of(&rounds)?,
            rounds,
        })
    }

    /// How many times as good as `other` it is, compared round by round, since what disturbs the machine
    /// for longer than a round disturbs both. `None` if they did not run the same rounds.
    fn times(&self, other: &Self) -> Option<Estimate> {
        if self.rounds.len() != other.rounds.len() {
            return None;
        }
        let pairs = self.rounds.iter().zip(&other.rounds);
        let ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours / theirs).collect();
        Estimate::of(&ratios)
    }

    /// Whether it can be called better.
    fn is_ahead_of(&self, other: &Self) -> bool {
        match self.times(other) {
            Some(times) => times.low > 1.0,
            None => self.score.low > other.score.high,
        }
    }
}

/// Those with figures, in the order of the reports.
fn runners(objective: Objective, reports: &[Report]) -> Vec<Runner<'_>> {
    let all = reports.iter();
    all.filter_map(|report| Runner::new(objective, report))
        .collect()
}

/// The one with the best median; of equals the first.
fn best<'r, 'a>(runners: impl DoubleEndedIterator<Item = &'r Runner<'a>>) -> Option<&'r Runner<'a>>
where
    'a: 'r,
{
    // `max_by` takes the last of equals.
    let last_first = runners.rev();
    last_first.max_by(|a, b| a.score.median.total_cmp(&b.score.median))
}

/// Chooses among reports, which stand in order of simplicity.
///
/// The one with the best median wins if it is ahead of each other: the 95 % interval of how many times as good it is, round by round, lies
/// above 1. Else it is a tie, and the simplest of those that it is not ahead of is taken.
#[must_use]
pub fn rank(needs: &Needs, reports: &[Report]) -> Recommendation {
    let runners = runners(needs.objective, reports);
    let Some(best_of_all) = best(runners.iter()) else {
        return nothing(reports);
    };
    let close = |runner: &&Runner<'_>| !best_of_all.is_ahead_of(runner);
    let close: Vec<&Runner<'_>> = runners.iter().filter(close).collect();
    let pick = close.first().copied().unwrap_or(best_of_all);
    let second = best(runners.iter().filter(|r| r.address != pick.address));
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
    why.extend(other_objective(needs.objective, reports, pick.address));
    why.extend(reports.iter().filter_map(mishap));
    Recommendation {
        verdict,
        pick: Some(pick.address.to_owned()),
        runner_up: second.map(|second| second.address.to_owned()),
        margin: second.and_then(|second| pick.times(second)),
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
    let lead = pick.times(second).map_or_else(
        || "ahead of".to_owned(),
        |times| format!("{} as good as", words::times(&times)),
    );
    format!(
        "{} has {}: {lead} {} with {}",
        pick.address,
        figure(objective, pick.figures),
        second.address,
        figure(objective, second.figures),
    )
}

fn tie(objective: Objective, close: &[&Runner<'_>], pick: &Runner<'_>) -> String {
    let told = |r: &&Runner<'_>| format!("{} has {}", r.address, figure(objective, r.figures));
    let all: Vec<String> = close.iter().map(told).collect();
    format!(
        "too close to call round by round: {}; {} is the simplest of them",
        all.join(", "),
        pick.address
    )
}

/// Who is better than the pick at what was not asked for, if that can be told.
fn other_objective(objective: Objective, reports: &[Report], pick: &str) -> Option<String> {
    let other = match objective {
        Objective::Throughput => Objective::Latency,
        Objective::Latency => Objective::Throughput,
    };
    let runners = runners(other, reports);
    let best = best(runners.iter())?;
    let pick = runners.iter().find(|runner| runner.address == pick)?;
    best.is_ahead_of(pick).then(|| {
        format!(
            "for {other} take {} instead, with {} against {}",
            best.address,
            figure(other, best.figures),
            figure(other, pick.figures)
        )
    })
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

    /// A report of nine rounds around a rate, with a round trip. The rounds are so far apart, the slowest first.
    fn report(address: &str, rate: u64, spread: u64, p50: u64) -> Report {
        shifted(address, rate, spread, p50, 0)
    }

    /// The same, with the slowest round later.
    fn shifted(address: &str, rate: u64, spread: u64, p50: u64, shift: u64) -> Report {
        let round = |number: u64| Round {
            messages: rate - 4 * spread + (number + 9 - shift) % 9 * spread,
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
        let margin = answer.margin.expect("two ran");
        assert!((margin.median - 2.0).abs() < 0.01, "{margin:?}");
        assert!(answer.tied.is_empty());
        let why = answer.why.first().expect("a reason");
        assert!(
            why.contains("2.0 (2.0 to 2.0) times as good as middle:"),
            "{why}"
        );
    }

    #[test]
    fn of_those_too_close_the_simplest_wins() {
        let reports = [
            report("far:", 100, 1, 500),
            report("simple:", 1000, 20, 500),
            shifted("fast:", 1050, 20, 500, 4),
        ];
        let answer = rank(&needs(), &reports);
        assert_eq!(answer.verdict, Verdict::Tie);
        assert_eq!(answer.pick.as_deref(), Some("simple:"));
        assert_eq!(answer.tied, ["simple:", "fast:"]);
        assert_eq!(answer.runner_up.as_deref(), Some("fast:"));
        let margin = answer.margin.expect("two are near");
        assert!(margin.low < 1.0 && 1.0 < margin.high, "{margin:?}");
        // Equal to the last digit is a tie too.
        let equal = [report("a:", 100, 0, 5), report("b:", 100, 0, 5)];
        assert_eq!(rank(&needs(), &equal).pick.as_deref(), Some("a:"));
    }

    /// Intervals meet, and yet one is ahead in every round.
    #[test]
    fn what_disturbs_both_does_not_make_a_tie() {
        let reports = [
            report("simple:", 1000, 100, 500),
            report("fast:", 1200, 120, 500),
        ];
        let answer = rank(&needs(), &reports);
        assert_eq!(answer.verdict, Verdict::Answer);
        assert_eq!(answer.pick.as_deref(), Some("fast:"));
        // Without the same rounds there is nothing but the intervals.
        let Outcome::Measured(mut figures) = reports[1].outcome.clone() else {
            panic!("measured");
        };
        figures.rounds.pop();
        let mut fewer = reports[1].clone();
        fewer.outcome = Outcome::Measured(figures);
        let answer = rank(&needs(), &[reports[0].clone(), fewer]);
        assert_eq!(answer.verdict, Verdict::Tie);
        assert_eq!(answer.pick.as_deref(), Some("simple:"));
    }

    #[test]
    fn latency_is_another_question() {
        let reports = [
            report("quick:", 1000, 1, 100),
            report("busy:", 5000, 1, 900),
        ];
        let answer = rank(&needs().objective(Objective::Latency), &reports);
        assert_eq!(answer.pick.as_deref(), Some("quick:"));
        assert!(answer.margin.is_some_and(|m| (m.median - 9.0).abs() < 0.01));
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
