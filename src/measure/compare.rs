//! Several channels, measured in turns, so that what disturbs the machine disturbs all of them.

use std::{ops::ControlFlow, time::Duration};

use crate::{
    Address, Registry,
    measure::{
        fault::SessionError,
        report::{Report, Round},
        session::Session,
        workload::{Amount, Plan, Workload},
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
    Ok(Round::new(&throughput, &roundtrip))
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
) -> Result<Vec<Report>, B> {
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
    for address in addresses {
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
    let reports = addresses.iter().zip(measured);
    let report = |(address, result): (&Address, _)| Report::new(address.to_string(), result);
    Ok(reports.map(report).collect())
}
