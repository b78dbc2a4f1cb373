//! Why a channel is taken or not, in words. Pure.

use crate::{
    choose::{
        judge::{delays, share},
        needs::Needs,
        objective::Objective,
        rank::{Alternative, Bound, Race, Relax, Runner},
        standing::{Judgement, Standing},
        verdict::Verdict,
        words::{self, Count, Share, Time},
    },
    measure::{Comparison, Estimate, Figures, Outcome, Quantile, Report},
};

/// A figure of an objective: messages a second, or nanoseconds.
pub(super) fn figure(needs: &Needs, objective: Objective, figures: &Figures) -> Option<Estimate> {
    match objective {
        Objective::Rate => Some(figures.throughput.rate),
        Objective::Latency(quantile) => {
            let delays = delays(needs, figures)?;
            match quantile {
                Quantile::P50 => Some(delays.p50),
                Quantile::P99 => Some(delays.p99),
                _ => {
                    let told = delays.percentiles.at(quantile)? as f64;
                    Some(Estimate::exactly(told))
                }
            }
        }
        Objective::Cpu => Some(match &figures.arrivals {
            Some(arrivals) => arrivals.prices.all.cpu,
            None => figures.throughput.prices.all.cpu,
        }),
        Objective::Simplicity => None,
    }
}

/// The same in words.
fn told(needs: &Needs, objective: Objective, figures: &Figures) -> String {
    let median = figure(needs, objective, figures).map(|estimate| estimate.median);
    let group = match needs.workload.arrivals() {
        Some(_) => "",
        None => " of a round trip",
    };
    match (objective, median) {
        (Objective::Rate, Some(rate)) => format!("{} messages/s", Count(rate)),
        (Objective::Latency(quantile), Some(nanos)) => {
            format!("a {quantile}{group} of {}", Time(nanos))
        }
        (Objective::Cpu, Some(nanos)) => {
            let share = share(needs, figures);
            format!("{} of processor a message ({})", Time(nanos), Share(share))
        }
        (Objective::Simplicity, _) => "the simplest way".to_owned(),
        (_, None) => "no figure".to_owned(),
    }
}

/// Whether the machine itself is later than the service level allows.
pub(super) fn is_too_noisy(needs: &Needs, comparison: &Comparison) -> bool {
    let noise = comparison.hiccups.p999();
    needs
        .slo
        .is_some_and(|slo| noise.is_some_and(|nanos| nanos > slo.bound))
}

/// What was decided, and by how much.
pub(super) fn outcome(needs: &Needs, comparison: &Comparison, race: &Race<'_>) -> String {
    let objective = race.objective;
    let keeps = match &needs.slo {
        Some(slo) => format!("keeps {} in every round; ", slo.told()),
        None => String::new(),
    };
    let pick = &race.pick;
    let figure = |runner: &Runner<'_>| told(needs, objective, runner.figures);
    match (race.verdict(), &race.second) {
        (_, _) if objective == Objective::Simplicity => {
            format!(
                "{} {keeps}it is the simplest that may be taken",
                pick.address
            )
        }
        (Verdict::Tie, _) => {
            let each = |runner: &Runner<'_>| format!("{} has {}", runner.address, figure(runner));
            let all: Vec<String> = race.close.iter().map(each).collect();
            let first = race.close.first();
            let of = match first.is_some_and(|first| first.address == pick.address) {
                true => "of them",
                false => "that does not seem far behind",
            };
            format!(
                "{keeps}too close to call round by round: {}; {} is the simplest {of}",
                all.join(", "),
                pick.address
            )
        }
        (_, Some(second)) => {
            let lead = pick.times(second, comparison.distance).map_or_else(
                || "ahead of".to_owned(),
                |times| format!("{} as good as", words::times(&times)),
            );
            format!(
                "{} {keeps}has {}: {lead} {} with {}",
                pick.address,
                figure(pick),
                second.address,
                figure(second),
            )
        }
        (_, None) if comparison.reports.len() == 1 => {
            format!("{} is the only one that qualifies", pick.address)
        }
        (_, None) => {
            format!(
                "{} {keeps}it is the only one that may be taken, with {}",
                pick.address,
                figure(pick)
            )
        }
    }
}

/// What is simpler than the pick, and what is better at something that was not asked for: each with its price.
pub(super) fn alternatives(
    needs: &Needs,
    comparison: &Comparison,
    race: &Race<'_>,
) -> Vec<Alternative> {
    let simpler = simpler(needs, comparison, race);
    simpler
        .into_iter()
        .chain(better(needs, comparison, race))
        .collect()
}

/// What is simpler, if it may be taken too.
fn simpler(needs: &Needs, comparison: &Comparison, race: &Race<'_>) -> Option<Alternative> {
    let Race {
        objective,
        pick,
        simplest,
        ..
    } = race;
    if simplest.address == pick.address {
        return None;
    }
    let price = pick
        .times(simplest, comparison.distance)
        .map_or_else(String::new, |times| {
            format!(", {} as good", words::times(&times))
        });
    let words = format!(
        "{} is simpler and may be taken too, with {}; {} is{price}",
        simplest.address,
        told(needs, *objective, simplest.figures),
        pick.address,
    );
    let address = simplest.address.to_owned();
    Some(Alternative { address, words })
}

/// What is better at something that was not asked for.
fn better(needs: &Needs, comparison: &Comparison, race: &Race<'_>) -> Option<Alternative> {
    let pick = &race.pick;
    let other = match race.objective {
        Objective::Rate => Objective::Latency(Quantile::P50),
        _ => Objective::Rate,
    };
    let run = |report| Runner::new(needs, other, comparison.distance, report);
    let mut reports = comparison.reports.iter();
    let ours = run(reports.find(|report| report.address == pick.address)?)?;
    let times = |runner: &Runner<'_>| runner.times(&ours, comparison.distance);
    let runners = comparison.reports.iter().filter_map(run);
    let ahead = runners.filter(|runner| runner.is_ahead_of(&ours, comparison.distance));
    let lead = |runner: &Runner<'_>| times(runner).map_or(1.0, |times| times.median);
    let best = ahead.max_by(|a, b| lead(a).total_cmp(&lead(b)))?;
    let (address, figures) = (best.address.to_owned(), best.figures);
    let what = match other {
        Objective::Rate => "rate",
        _ => "latency",
    };
    let words = format!(
        "for {what} take {address} instead, with {} against {}",
        told(needs, other, figures),
        told(needs, other, pick.figures)
    );
    Some(Alternative { address, words })
}

/// Why nothing may be taken.
pub(super) fn nothing(comparison: &Comparison, standings: &[Standing]) -> Vec<String> {
    if comparison.reports.is_empty() {
        return vec!["no transport can do what is needed".to_owned()];
    }
    let judged = |standing: &&Standing| standing.judgement != Judgement::Unmeasured;
    if standings.iter().any(|standing| judged(&standing)) {
        return vec!["nothing that was measured keeps every bound".to_owned()];
    }
    Vec::new()
}

/// Which bound to relax, and who comes closest to it.
pub(super) fn relax(needs: &Needs, standings: &[Standing]) -> Option<Relax> {
    // What keeps more of the bounds comes closer; a channel is judged by the rate first, then by the service level.
    let best = |achieved: &dyn Fn(&Judgement) -> Option<f64>| {
        let all = standings
            .iter()
            .filter_map(|s| Some((s, achieved(&s.judgement)?)));
        all.min_by(|a, b| a.1.total_cmp(&b.1))
    };
    let dear = best(&|judgement| match judgement {
        Judgement::Dear { share } => Some(*share),
        _ => None,
    });
    if let Some((standing, share)) = dear {
        return Some(Relax {
            bound: Bound::CpuBudget,
            address: standing.address.clone(),
            achieved: share,
            words: format!(
                "relax the processor budget: {} takes {}",
                standing.address,
                Share(share)
            ),
        });
    }
    let late = best(&|judgement| match judgement {
        Judgement::Late { worst, .. } => Some(*worst as f64),
        _ => None,
    });
    if let (Some((standing, nanos)), Some(slo)) = (late, &needs.slo) {
        return Some(Relax {
            bound: Bound::Slo,
            address: standing.address.clone(),
            achieved: nanos,
            words: format!(
                "relax the service level: {} has a {} of {} in its worst round",
                standing.address,
                slo.quantile,
                Time(nanos)
            ),
        });
    }
    let behind = best(&|judgement| match judgement {
        Judgement::Behind { rate } => Some(-rate),
        _ => None,
    });
    let (standing, rate) = behind?;
    Some(Relax {
        bound: Bound::Rate,
        address: standing.address.clone(),
        achieved: -rate,
        words: format!(
            "lower the rate: {} moves {} messages/s",
            standing.address,
            Count(-rate)
        ),
    })
}

/// What else there is to know.
pub(super) fn remarks(needs: &Needs, comparison: &Comparison, is_taken: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(slo) = &needs.slo {
        if is_too_noisy(needs, comparison) {
            let noise = comparison.hiccups.p999().unwrap_or_default();
            remarks.push(format!(
                "machine too noisy to judge this service level: it stands still by itself for {} at p99.9",
                Time(noise as f64)
            ));
        }
        let counts = comparison.reports.iter().filter_map(Report::figures);
        let counts = counts.filter_map(|figures| delays(needs, figures));
        let least = counts.map(|delays| delays.percentiles.count).min();
        if let Some(least) = least.filter(|least| is_taken && !slo.can_be_judged_by(*least)) {
            remarks.push(format!(
                "{} is judged by {least} messages; measure longer for the {} that make it sure",
                slo.quantile,
                slo.quantile.messages()
            ));
        }
    }
    remarks.extend(comparison.reports.iter().filter_map(mishap));
    remarks
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
