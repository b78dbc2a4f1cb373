//! Whether a measured channel keeps the bounds that were set. Pure.

use crate::{
    choose::{needs::Needs, standing::Judgement},
    measure::{Delay, Figures, Latencies, LatencyFigures, Quantile, Report, Round},
};

/// The part of the arriving messages that must go through for a channel to keep up: the last ones may still be under way.
pub(super) const KEEPS_UP: f64 = 0.9;

/// The latencies of a round that service levels are about.
pub(super) fn delay<'a>(needs: &Needs, round: &'a Round) -> Option<&'a Delay> {
    match needs.workload.arrivals() {
        Some(_) => round.arrivals.as_ref(),
        None => Some(&round.roundtrip),
    }
}

/// The same over all rounds.
pub(super) fn delays<'a>(needs: &Needs, figures: &'a Figures) -> Option<&'a LatencyFigures> {
    match needs.workload.arrivals() {
        Some(_) => figures.arrivals.as_ref(),
        None => Some(&figures.roundtrip),
    }
}

/// The share of one core that all processes took together, at the workload's rate, else at full speed.
pub(super) fn share(needs: &Needs, figures: &Figures) -> f64 {
    let (prices, rate) = match (&figures.arrivals, needs.workload.arrivals()) {
        (Some(arrivals), Some(rate)) => (&arrivals.prices, rate),
        _ => (&figures.throughput.prices, figures.throughput.rate.median),
    };
    prices.all.cpu.median * rate / 1e9
}

/// All latencies that service levels are about.
fn overall(needs: &Needs, figures: &Figures) -> Latencies {
    let mut all = Latencies::new();
    let rounds = figures
        .rounds
        .iter()
        .filter_map(|round| delay(needs, round));
    rounds.for_each(|delay| all.merge(&delay.latencies));
    all
}

/// Whether the channel of this report may be taken.
pub(super) fn judge(needs: &Needs, report: &Report) -> Judgement {
    let Some(figures) = report.figures() else {
        return Judgement::Unmeasured;
    };
    if let Some(offered) = needs.workload.arrivals() {
        let rate = figures.arrivals.as_ref().map_or(0.0, |a| a.rate.median);
        if rate < offered * KEEPS_UP {
            return Judgement::Behind { rate };
        }
    }
    if let Some(slo) = &needs.slo {
        let rounds = figures
            .rounds
            .iter()
            .filter_map(|round| delay(needs, round));
        let late: Vec<&Delay> = rounds.filter(|d| !slo.is_met_by(&d.latencies)).collect();
        let overall = overall(needs, figures);
        if !late.is_empty() || !slo.is_met_by(&overall) {
            let raw = |latencies: &Latencies, quantile: Quantile| latencies.raw(quantile);
            let worst = late.iter().map(|d| raw(&d.latencies, slo.quantile)).max();
            let overall = raw(&overall, slo.quantile);
            return Judgement::Late {
                rounds: late.len(),
                worst: worst.unwrap_or(overall),
                overall,
            };
        }
    }
    if let Some(budget) = needs.cpu_budget {
        let share = share(needs, figures);
        if share > budget {
            return Judgement::Dear { share };
        }
    }
    Judgement::Meets
}
