//! The highest rate at which a channel still keeps the service level.

use std::{ops::ControlFlow, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    Address, Registry,
    choose::{judge::KEEPS_UP, needs::Needs, slo::Slo},
    measure::{Amount, Comparison, Delay, Plan, Progress, Session},
};

/// The highest rate at which a channel still keeps the service level, found by halving the interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ceiling {
    /// The channel.
    pub address: String,
    /// The highest rate that was tried and kept, in messages a second; `None` if not even the lowest was.
    pub rate: Option<f64>,
    /// The lowest rate that was tried and not kept; `None` if every rate was kept that goes through.
    pub failed: Option<f64>,
    /// How many rates were tried.
    pub tried: u32,
}

impl Ceiling {
    /// How often a rate is halved to find one that is kept, at most.
    const OCTAVES: f64 = 12.0;
    /// How close two rates are that are not told apart.
    const CLOSE: f64 = 1.15;
    /// How many rates that takes.
    pub(super) const TRIES: u32 = 7;

    /// None tried yet, of those up to `most`.
    const fn new(address: String, most: f64) -> (Self, Interval) {
        let ceiling = Self {
            address,
            rate: None,
            failed: None,
            tried: 0,
        };
        (ceiling, Interval { most })
    }

    /// The rate to try next; `None` if it is found.
    fn next(&self, Interval { most }: Interval) -> Option<f64> {
        let low = self.rate.unwrap_or(most / Self::OCTAVES.exp2());
        let high = self.failed.unwrap_or(most);
        (self.tried < Self::TRIES && high / low > Self::CLOSE).then(|| (low * high).sqrt())
    }

    fn note(&mut self, rate: f64, kept: bool) {
        self.tried += 1;
        if kept {
            self.rate = Some(rate);
        } else {
            self.failed = Some(rate);
        }
    }
}

/// Where to look.
#[derive(Clone, Copy, Debug)]
struct Interval {
    /// The rate that goes through in a closed loop.
    most: f64,
}

/// Whether messages at this rate keep the service level, and up with the rate.
fn is_kept(slo: &Slo, rate: f64, delay: &Delay) -> bool {
    slo.is_met_by(&delay.latencies) && delay.rate() >= rate * KEEPS_UP
}

/// Finds the ceiling of each channel that has figures, in about `time`. `watch` is told before each rate.
pub(super) fn ceilings<B>(
    needs: &Needs,
    registry: &Registry,
    comparison: &Comparison,
    time: Duration,
    watch: &mut dyn FnMut(Progress<'_>) -> ControlFlow<B>,
) -> Result<Vec<Ceiling>, B> {
    let Some(slo) = &needs.slo else {
        return Ok(Vec::new());
    };
    let measured: Vec<(Address, f64)> = comparison
        .reports
        .iter()
        .filter_map(|report| {
            let most = report.figures()?.throughput.rate.median;
            Some((report.address.parse().ok()?, most))
        })
        .collect();
    let channels = u32::try_from(measured.len()).unwrap_or(u32::MAX);
    let slice = time / Ceiling::TRIES.saturating_mul(channels).max(1);
    let plan = Plan::new(1, slice);
    let mut ceilings = Vec::new();
    let mut done = 0;
    for (address, most) in &measured {
        let (mut ceiling, interval) = Ceiling::new(address.to_string(), *most);
        // What fails now has figures that say more.
        let Ok(mut session) = Session::start(registry, address, &needs.workload, &plan) else {
            continue;
        };
        while let Some(rate) = ceiling.next(interval) {
            let mut progress = Progress::start(address, &needs.workload, 0);
            progress.done = done;
            if let ControlFlow::Break(reason) = watch(progress) {
                return Err(reason);
            }
            done += 1;
            // Half the time, and the other half if the first was in vain: a hiccup of the machine is no answer.
            let mut attempt = || session.arrivals(rate, Amount::Time(slice / 2));
            let kept = match attempt() {
                Ok(delay) if is_kept(slo, rate, &delay) => true,
                Ok(_) => attempt().is_ok_and(|delay| is_kept(slo, rate, &delay)),
                Err(_) => break,
            };
            ceiling.note(rate, kept);
        }
        ceilings.push(ceiling);
    }
    Ok(ceilings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_finds_the_edge() {
        for edge in [300.0, 5e4, 9e5] {
            let (mut ceiling, interval) = Ceiling::new("x:".to_owned(), 1e6);
            while let Some(rate) = ceiling.next(interval) {
                ceiling.note(rate, rate <= edge);
            }
            let low = ceiling.rate.unwrap_or(1e6 / 4096.0);
            let high = ceiling.failed.unwrap_or(1e6);
            assert!(low <= edge && edge <= high, "{ceiling:?}");
            assert!(high / low <= Ceiling::CLOSE, "{ceiling:?}");
            assert!(ceiling.tried <= Ceiling::TRIES);
        }
        let (mut none, interval) = Ceiling::new("x:".to_owned(), 1e6);
        while let Some(rate) = none.next(interval) {
            none.note(rate, false);
        }
        assert_eq!(none.rate, None);
    }
}
