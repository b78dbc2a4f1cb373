//! Several channels, measured in turns, so that what disturbs the machine disturbs all of them.

use std::{ops::ControlFlow, time::Duration};

use crate::{
    Address, Registry,
    measure::{
        distance::{Distance, Shares},
        fault::SessionError,
        floor::Floor,
        floors::Played,
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
    /// What is sent.
    pub workload: &'a Workload,
}

impl<'a> Progress<'a> {
    /// Before the first step.
    pub(crate) const fn start(address: &'a Address, workload: &'a Workload, total: usize) -> Self {
        Self {
            done: 0,
            total,
            address,
            workload,
        }
    }
}

/// Measures one round: throughput, then round trips, then arrivals.
fn round(session: &mut Session, plan: &Plan, part: u32) -> Result<Round, SessionError> {
    let time = |time: Duration| Amount::Time(time / part);
    let arrivals = session.workload().arrivals();
    Ok(Round {
        throughput: session.throughput(time(plan.time))?,
        roundtrip: session.roundtrip(time(plan.time))?,
        arrivals: match arrivals {
            Some(rate) => Some(session.arrivals(rate, time(plan.open))?),
            None => None,
        },
    })
}

/// A channel that is measured in turns with others.
struct Lane {
    address: Address,
    /// `None` after something went wrong.
    session: Option<Session>,
    rounds: Result<Vec<Round>, SessionError>,
}

impl Lane {
    /// Starts it, and warms it up for half a round.
    fn start(registry: &Registry, address: Address, workload: &Workload, plan: &Plan) -> Self {
        let started = Session::start(registry, &address, workload, plan);
        let warm = started.and_then(|mut session| {
            round(&mut session, plan, 2)?;
            Ok(session)
        });
        let (session, rounds) = match warm {
            Ok(session) => (Some(session), Ok(Vec::new())),
            Err(error) => (None, Err(error)),
        };
        Self {
            address,
            session,
            rounds,
        }
    }

    /// Measures one round, unless something went wrong before.
    fn run(&mut self, plan: &Plan) {
        let Some(session) = &mut self.session else {
            return;
        };
        match (round(session, plan, 1), &mut self.rounds) {
            (Ok(round), Ok(rounds)) => rounds.push(round),
            (Ok(_), Err(_)) => {}
            (Err(error), rounds) => {
                *rounds = Err(error);
                self.session = None;
            }
        }
    }
}

/// Measures channels round by round (A B C, then B C A), after half a round to warm up. `watch` is told before each step,
/// and may end it. Reports come in the order of the addresses.
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
    let total = plan.steps(addresses.len());
    let mut done = 0;
    let mut step = |address: &Address| {
        let progress = Progress {
            done,
            total,
            address,
            workload,
        };
        done += 1;
        match watch(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(reason) => Err(reason),
        }
    };
    let mut lanes = Vec::new();
    for address in addresses {
        let address = wait::waiting(registry, address, workload.wait);
        step(&address)?;
        lanes.push(Lane::start(registry, address, workload, plan));
    }
    let mut played = Played::default();
    let mut hiccups = Hiccups::default();
    for _ in 0..plan.rounds {
        if plan.machine {
            hiccups.listen();
            let mut sessions = lanes.iter_mut().filter_map(|lane| lane.session.as_mut());
            if let Some(session) = sessions.next() {
                // If it fails the lane's next round tells.
                let _ = Floor::ALL.iter().try_for_each(|floor| {
                    session
                        .floor(*floor)
                        .map(|figure| played.note(*floor, figure))
                });
            }
        }
        for lane in &mut lanes {
            step(&lane.address)?;
            lane.run(plan);
        }
        // Whoever goes first follows a pause, and who follows whom may matter: not always the same.
        if !lanes.is_empty() {
            lanes.rotate_left(1);
        }
    }
    let turns = plan.rounds as usize % lanes.len().max(1);
    lanes.rotate_right(turns);
    let distance = common(&lanes);
    let report = |lane: Lane| {
        let wait = wait::of(registry, &lane.address);
        Report::new(lane.address.to_string(), wait, lane.rounds, distance)
    };
    let reports: Vec<Report> = lanes.into_iter().map(report).collect();
    let rounds = reports.iter().flat_map(Report::figures);
    let rounds = rounds.flat_map(|figures| &figures.rounds);
    Ok(Comparison {
        floors: played.floors(),
        hiccups,
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
fn common(lanes: &[Lane]) -> Option<Distance> {
    let fewest = |distance: Distance| {
        let at = |round: &&Round| times(round).any(|(at, _)| at == Some(distance));
        let measured = lanes.iter().filter_map(|lane| lane.rounds.as_ref().ok());
        let counts = measured.map(|rounds| rounds.iter().filter(at).count());
        counts.min().unwrap_or(0)
    };
    let all = Distance::ALL.into_iter();
    let most = all.max_by_key(|distance| fewest(*distance))?;
    (fewest(most) > 0).then_some(most)
}
