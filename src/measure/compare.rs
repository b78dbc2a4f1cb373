//! Several channels, measured in turns, so that what disturbs the machine disturbs all of them.

use std::{ops::ControlFlow, time::Duration};

use crate::{
    Address, Registry,
    measure::{
        distance::{Distance, Shares},
        fault::SessionError,
        floors::Floors,
        hiccups::Hiccups,
        plan::Plan,
        report::{Comparison, Report},
        round::Round,
        session::Session,
        wait,
        workload::{Amount, Workload},
    },
};

/// How far a comparison is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
    /// The channel that is measured next.
    pub address: &'a Address,
}

/// Measures one round: throughput, then round trips.
fn round(session: &mut Session, time: Duration) -> Result<Round, SessionError> {
    let throughput = session.throughput(Amount::Time(time))?;
    let roundtrip = session.roundtrip(Amount::Time(time))?;
    Ok(Round {
        throughput,
        roundtrip,
        arrivals: None,
    })
}

/// Measures channels round by round (A B C A B C), after half a round to warm up. `watch` is told before each step, and may
/// end it. Reports come in the order of the addresses.
///
/// # Errors
/// What `watch` breaks with. Peers and channels are gone in any case.
pub fn compare<B>(
    registry: &Registry,
    addresses: &[Address],
    workload: &Workload,
    plan: &Plan,
    watch: &mut dyn FnMut(Progress<'_>) -> ControlFlow<B>,
) -> Result<Comparison, B> {
    let addresses: Vec<Address> = addresses
        .iter()
        .map(|address| wait::waiting(registry, address, workload.wait))
        .collect();
    let total = addresses.len().saturating_mul(plan.rounds as usize + 1);
    let mut done = 0;
    let mut step = |address: &Address| {
        let progress = Progress {
            done,
            total,
            address,
        };
        done += 1;
        match watch(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(reason) => Err(reason),
        }
    };
    let mut sessions = Vec::new();
    let mut measured: Vec<Result<Vec<Round>, SessionError>> = Vec::new();
    for address in &addresses {
        step(address)?;
        let started = Session::start(registry, address, workload, plan).and_then(|mut session| {
            round(&mut session, plan.time / 2)?;
            Ok(session)
        });
        let (session, result) = match started {
            Ok(session) => (Some(session), Ok(Vec::new())),
            Err(error) => (None, Err(error)),
        };
        sessions.push(session);
        measured.push(result);
    }
    for _ in 0..plan.rounds {
        let lanes = addresses.iter().zip(&mut sessions).zip(&mut measured);
        for ((address, lane), result) in lanes {
            step(address)?;
            let Some(session) = lane else { continue };
            match (round(session, plan.time), &mut *result) {
                (Ok(round), Ok(rounds)) => rounds.push(round),
                (Ok(_), Err(_)) => {}
                (Err(error), _) => {
                    *result = Err(error);
                    *lane = None;
                }
            }
        }
    }
    let distance = common(&measured);
    let reports = addresses.iter().zip(measured).map(|(address, result)| {
        let wait = wait::of(registry, address);
        Report::new(address.to_string(), wait, result, distance)
    });
    let reports: Vec<Report> = reports.collect();
    let rounds = reports.iter().flat_map(Report::figures);
    let rounds = rounds.flat_map(|figures| &figures.rounds);
    Ok(Comparison {
        floors: Floors::default(),
        hiccups: Hiccups::default(),
        distance,
        shares: Shares::of(rounds.flat_map(times)),
        reports,
    })
}

/// When the cores were how far apart in a round, in seconds.
fn times(round: &Round) -> impl Iterator<Item = (Option<Distance>, f64)> {
    let Round {
        throughput,
        roundtrip,
        arrivals,
    } = round;
    [
        (throughput.distance, throughput.seconds),
        (roundtrip.distance, roundtrip.seconds),
    ]
    .into_iter()
    .chain(arrivals.iter().map(|d| (d.distance, d.seconds)))
}

/// The distance of which the channel that has the fewest rounds at it has the most.
fn common(measured: &[Result<Vec<Round>, SessionError>]) -> Option<Distance> {
    let fewest = |distance: Distance| {
        let at = |round: &&Round| times(round).any(|(at, _)| at == Some(distance));
        let counts = measured.iter().flatten();
        let counts = counts.map(|rounds| rounds.iter().filter(at).count());
        counts.min().unwrap_or(0)
    };
    let all = Distance::ALL.into_iter();
    let most = all.max_by_key(|distance| fewest(*distance))?;
    (fewest(most) > 0).then_some(most)
}
