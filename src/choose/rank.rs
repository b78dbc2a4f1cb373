//! Which of the measured channels to take. Pure: it also runs on saved reports.

use serde::{Deserialize, Serialize};

use crate::{
    choose::{
        explain,
        judge::{delay, judge},
        needs::Needs,
        objective::Objective,
        standing::Standing,
        verdict::Verdict,
    },
    measure::{Comparison, Distance, Estimate, Figures, Report, Round},
};

/// What to take, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recommendation {
    /// How it came out.
    pub verdict: Verdict,
    /// What decided among those that may be taken.
    pub objective: Objective,
    /// The address to take, without a name.
    pub pick: Option<String>,
    /// The best of the others that may be taken.
    pub runner_up: Option<String>,
    /// How many times as good as the runner-up the pick is, round by round; its interval reaches below 1 after a tie.
    pub margin: Option<Estimate>,
    /// Those that cannot be told apart from the best, the simplest first.
    pub tied: Vec<String>,
    /// Where each channel stands, in the order of the reports.
    pub standings: Vec<Standing>,
    /// What to take instead if something else matters, and what that costs.
    pub alternatives: Vec<Alternative>,
    /// Which bound to relax if nothing keeps all.
    pub relax: Option<Relax>,
    /// Whether the machine itself is later than the service level allows, so that it cannot be judged here.
    pub too_noisy: bool,
    /// Why, a sentence each.
    pub why: Vec<String>,
}

/// What to take instead of the pick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alternative {
    /// Its address.
    pub address: String,
    /// When, and what it costs: a sentence.
    pub words: String,
}

/// A bound that nothing keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Relax {
    /// Which.
    pub bound: Bound,
    /// The channel that comes closest.
    pub address: String,
    /// What it achieves: nanoseconds, messages a second, or a share of one core.
    pub achieved: f64,
    /// That in words.
    pub words: String,
}

/// A bound that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bound {
    /// The service level.
    Slo,
    /// The rate.
    Rate,
    /// The share of one core.
    CpuBudget,
}

/// A measured channel in the race. Of scores the larger is better.
#[derive(Clone, Debug)]
pub(super) struct Runner<'a> {
    pub(super) address: &'a str,
    pub(super) figures: &'a Figures,
    /// Its score in each round, and the distance between cores then.
    rounds: Vec<(f64, Option<Distance>)>,
    score: Estimate,
}

/// The score of a round, and the distance between cores when it was taken.
fn score(needs: &Needs, objective: Objective, round: &Round) -> Option<(f64, Option<Distance>)> {
    let inverse = |nanos: f64| 1e9 / nanos.max(1e-3);
    let flow = &round.throughput;
    Some(match objective {
        Objective::Rate => (flow.rate(), flow.distance),
        Objective::Latency(quantile) => {
            let delay = delay(needs, round)?;
            let nanos = delay.latencies.raw(quantile).max(1);
            (inverse(nanos as f64), delay.distance)
        }
        Objective::Cpu => match &round.arrivals {
            Some(arrivals) => {
                let cpu = arrivals.costs.all().cpu as f64;
                let messages = arrivals.latencies.count().max(1) as f64;
                (inverse(cpu / messages), arrivals.distance)
            }
            None => {
                let cpu = flow.costs.all().cpu as f64;
                (inverse(cpu / flow.messages.max(1) as f64), flow.distance)
            }
        },
        Objective::Simplicity => return None,
    })
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        needs: &Needs,
        objective: Objective,
        distance: Option<Distance>,
        report: &'a Report,
    ) -> Option<Self> {
        let figures = report.figures()?;
        let scores = figures.rounds.iter();
        let rounds: Vec<_> = scores
            .map(|round| score(needs, objective, round))
            .collect::<Option<_>>()?;
        let all = |near: bool| {
            let counted = rounds.iter().filter(|(_, at)| !near || *at == distance);
            Estimate::of(&counted.map(|(score, _)| *score).collect::<Vec<_>>())
        };
        let near = distance.and_then(|_| all(true));
        Some(Self {
            address: &report.address,
            figures,
            score: near.or_else(|| all(false))?,
            rounds,
        })
    }

    /// How many times as good as `other` it is, compared round by round, since what disturbs the machine
    /// for longer than a round disturbs both: in rounds in which the cores were at `distance` for both; if these are too few
    /// for an interval, in those in which they were as far apart for one as for the other; else in all. `None` if they did not run
    /// the same rounds.
    pub(super) fn times(&self, other: &Self, distance: Option<Distance>) -> Option<Estimate> {
        /// The fewest with an interval of 95 %.
        const ENOUGH: usize = 6;

        if self.rounds.len() != other.rounds.len() {
            return None;
        }
        let ratio = |(a, b): (&(f64, _), &(f64, _))| a.0 / b.0;
        let of = |counts: &dyn Fn(Option<Distance>, Option<Distance>) -> bool| {
            let pairs = self.rounds.iter().zip(&other.rounds);
            let counted = pairs.filter(|(a, b)| counts(a.1, b.1));
            counted.map(ratio).collect::<Vec<f64>>()
        };
        let near = of(&|a, b| distance.is_some() && a == distance && b == distance);
        let alike = || of(&|a, b| a.is_some() && a == b);
        let enough = |ratios: &Vec<f64>| ratios.len() >= ENOUGH;
        let ratios = Some(near).filter(enough);
        let ratios = ratios.or_else(|| Some(alike()).filter(enough));
        Estimate::of(&ratios.unwrap_or_else(|| of(&|_, _| true)))
    }

    /// Whether `other` is so much worse, as far as it can be told, that simplicity does not make up for it.
    fn leaves_behind(&self, other: &Self, distance: Option<Distance>) -> bool {
        let times = self.times(other, distance).map(|times| times.median);
        times.unwrap_or(self.score.median / other.score.median) > DEAR
    }

    /// Whether it can be called better.
    pub(super) fn is_ahead_of(&self, other: &Self, distance: Option<Distance>) -> bool {
        match self.times(other, distance) {
            Some(times) => times.low > WORTH,
            None => self.score.low > other.score.high * WORTH,
        }
    }
}

/// How many times as good the best must be to be worth more than simplicity. Figures of two runs on one machine differ by
/// as much.
const WORTH: f64 = 1.03;

/// How many times as good the best may seem for a simpler one to be taken, where the two cannot be told apart.
const DEAR: f64 = 1.07;

/// The one with the best median; of equals the first.
fn best<'r, 'a>(runners: impl DoubleEndedIterator<Item = &'r Runner<'a>>) -> Option<&'r Runner<'a>>
where
    'a: 'r,
{
    // `max_by` takes the last of equals.
    let last_first = runners.rev();
    last_first.max_by(|a, b| a.score.median.total_cmp(&b.score.median))
}

/// The channels that may be taken, in the order of the reports.
fn eligible<'a>(
    needs: &Needs,
    objective: Objective,
    comparison: &'a Comparison,
    standings: &[Standing],
) -> Vec<Runner<'a>> {
    let both = comparison.reports.iter().zip(standings);
    let may = both.filter(|(_, standing)| standing.judgement.is_eligible());
    may.filter_map(|(report, _)| Runner::new(needs, objective, comparison.distance, report))
        .collect()
}

/// Chooses among the reports of a comparison, which stand in order of simplicity.
///
/// What does not keep a bound in every round is out. Of the rest the one with the best median wins if it is ahead of each
/// other: the 95 % interval of how many times as good it is, round by round, lies above 1.03. Else it is a tie, and of those that
/// it is not ahead of the simplest is taken that seems no more than 7 % behind.
#[must_use]
pub fn rank(needs: &Needs, comparison: &Comparison) -> Recommendation {
    let objective = needs.objective();
    let stand = |report: &Report| Standing {
        address: report.address.clone(),
        judgement: judge(needs, report),
        figure: report
            .figures()
            .and_then(|figures| explain::figure(needs, objective, figures)),
    };
    let standings: Vec<Standing> = comparison.reports.iter().map(stand).collect();
    let race = Race::run(needs, objective, comparison, &standings);
    let too_noisy = explain::is_too_noisy(needs, comparison);
    let mut why = Vec::new();
    match &race {
        Some(race) => why.push(explain::outcome(needs, comparison, race)),
        None => why.extend(explain::nothing(comparison, &standings)),
    }
    let relax = match race {
        Some(_) => None,
        None => explain::relax(needs, &standings),
    };
    why.extend(relax.iter().map(|relax| relax.words.clone()));
    let alternatives = match &race {
        Some(race) => explain::alternatives(needs, comparison, race),
        None => Vec::new(),
    };
    why.extend(alternatives.iter().map(|other| other.words.clone()));
    why.extend(explain::remarks(needs, comparison, race.is_some()));
    let address = |runner: &Runner<'_>| runner.address.to_owned();
    Recommendation {
        verdict: race.as_ref().map_or(Verdict::Nothing, Race::verdict),
        objective,
        pick: race.as_ref().map(|race| address(&race.pick)),
        runner_up: race.as_ref().and_then(|r| r.second.as_ref().map(address)),
        margin: race.as_ref().and_then(|race| race.margin(comparison)),
        tied: match &race {
            Some(race) if race.verdict() == Verdict::Tie => {
                race.close.iter().map(address).collect()
            }
            _ => Vec::new(),
        },
        standings,
        alternatives,
        relax,
        too_noisy,
        why,
    }
}

/// How those that may be taken came out.
#[derive(Debug)]
pub(super) struct Race<'a> {
    pub(super) objective: Objective,
    pub(super) pick: Runner<'a>,
    pub(super) second: Option<Runner<'a>>,
    /// The simplest that may be taken.
    pub(super) simplest: Runner<'a>,
    /// Those that the best is not ahead of, with itself.
    pub(super) close: Vec<Runner<'a>>,
}

impl<'a> Race<'a> {
    /// `None` if there are none.
    fn run(
        needs: &Needs,
        objective: Objective,
        comparison: &'a Comparison,
        standings: &[Standing],
    ) -> Option<Self> {
        // Simplicity needs no figures, and its second is the one that is best by the usual measure.
        let measure = match objective {
            Objective::Simplicity => Needs {
                objective: None,
                ..needs.clone()
            }
            .objective(),
            other => other,
        };
        let runners = eligible(needs, measure, comparison, standings);
        let best_of_all = best(runners.iter())?;
        let close: Vec<Runner<'a>> = match objective {
            Objective::Simplicity => runners.first().cloned().into_iter().collect(),
            _ => {
                let distance = comparison.distance;
                let close = runners
                    .iter()
                    .filter(|runner| !best_of_all.is_ahead_of(runner, distance));
                close.cloned().collect()
            }
        };
        let near = |runner: &&Runner<'_>| !best_of_all.leaves_behind(runner, comparison.distance);
        let pick = match objective {
            Objective::Simplicity => close.first(),
            _ => close.iter().find(near),
        };
        let pick = pick.unwrap_or(best_of_all).clone();
        let second = best(runners.iter().filter(|r| r.address != pick.address)).cloned();
        Some(Self {
            objective,
            pick,
            second,
            simplest: runners.first()?.clone(),
            close,
        })
    }

    pub(super) const fn verdict(&self) -> Verdict {
        if self.close.len() > 1 {
            Verdict::Tie
        } else {
            Verdict::Answer
        }
    }

    pub(super) fn margin(&self, comparison: &Comparison) -> Option<Estimate> {
        let second = self.second.as_ref()?;
        match self.objective {
            Objective::Simplicity => None,
            _ => self.pick.times(second, comparison.distance),
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{
        Cost, Costs, Delay, Fault, Floors, Flow, Hiccups, Latencies, Outcome, Quantile, Shares,
        Workload,
    };

    /// A report of nine rounds around a rate, with a round trip. The rounds are so far apart, the slowest first.
    fn report(address: &str, rate: u64, spread: u64, p50: u64) -> Report {
        shifted(address, rate, spread, p50, 0)
    }

    /// The same, with the slowest round later.
    fn shifted(address: &str, rate: u64, spread: u64, p50: u64, shift: u64) -> Report {
        let cost = Cost {
            cpu: 1_000_000,
            ..Cost::default()
        };
        let costs = Costs {
            producers: cost,
            consumers: cost,
        };
        let latencies: Latencies = [p50].repeat(1000).into_iter().collect();
        let round = |number: u64| Round {
            throughput: Flow {
                messages: rate - 4 * spread + (number + 9 - shift) % 9 * spread,
                bytes: 0,
                seconds: 1.0,
                costs,
                distance: None,
            },
            roundtrip: Delay {
                latencies: latencies.clone(),
                seconds: 1.0,
                costs,
                distance: None,
            },
            arrivals: None,
        };
        let rounds = Ok((0..9).map(round).collect());
        Report::new(address.to_owned(), None, rounds, None)
    }

    fn compared(reports: impl Into<Vec<Report>>) -> Comparison {
        Comparison {
            reports: reports.into(),
            floors: Floors::default(),
            hiccups: Hiccups::default(),
            distance: None,
            shares: Shares::default(),
        }
    }

    fn rank(needs: &Needs, reports: &[Report]) -> Recommendation {
        super::rank(needs, &compared(reports))
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

    /// So few rounds, or so different ones, do not tell them apart; that is no reason to take the worse.
    #[test]
    fn a_simpler_one_that_seems_far_behind_is_not_taken() {
        let reports = [
            report("simplest:", 1000, 150, 500),
            shifted("simple:", 1450, 150, 500, 4),
            shifted("best:", 1500, 150, 500, 5),
        ];
        let answer = rank(&needs(), &reports);
        assert_eq!(answer.verdict, Verdict::Tie);
        assert_eq!(answer.tied, ["simplest:", "simple:", "best:"]);
        assert_eq!(answer.pick.as_deref(), Some("simple:"));
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
        assert_eq!(answer.tied, ["simple:", "fast:"]);
    }

    #[test]
    fn latency_is_another_question() {
        let reports = [
            report("quick:", 1000, 1, 100),
            report("busy:", 5000, 1, 900),
        ];
        let answer = rank(&needs().by(Objective::Latency(Quantile::P50)), &reports);
        assert_eq!(answer.pick.as_deref(), Some("quick:"));
        assert!(answer.margin.is_some_and(|m| (m.median - 9.0).abs() < 0.01));
        let throughput = rank(&needs(), &reports);
        assert_eq!(throughput.pick.as_deref(), Some("busy:"));
        let simpler = "quick: is simpler and may be taken too, with 1.00 k messages/s";
        for (why, start) in throughput
            .why
            .iter()
            .skip(1)
            .zip([simpler, "for latency take quick: instead"])
        {
            assert!(why.starts_with(start), "{why}");
        }
    }

    #[test]
    fn a_liar_never_wins() {
        let liar = Report::new("liar:".to_owned(), None, Err(Fault::Altered.into()), None);
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
