//! Senders that are stopped, not killed, at each point of waking others: what others send must arrive all the same.

use std::{
    thread,
    time::{Duration, Instant},
};

use laneway::{
    Channel, Deadline, Sender, crash_points,
    process::{Child, Process, inherited_sender},
};
use nix::{
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::Pid,
};

use crate::{
    case::Case,
    ledger::{DRAIN, Ledger, Page},
    member::KEY,
    message, step,
};

/// The points at which nothing is held that others need: of these on, the message is sent.
const POINTS: &[&str] = &[
    "mpmc.ready",
    "lock.given",
    "wake.seen",
    "wake.changed",
    "wake.done",
];

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Stops a sender at each point on each ring of many; whether others got through.
pub(crate) fn run(cases: &[Case], ledger: &Ledger) -> bool {
    let mut sound = true;
    for case in cases
        .iter()
        .filter(|case| !case.named && case.is_shared() && case.scheme().starts_with("shm"))
        .filter(|case| !case.looks_by_itself())
    {
        for &point in POINTS {
            let foreign = point.starts_with("mpmc") != (case.scheme() == "shm+mpmc")
                && !point.starts_with("wake");
            if foreign {
                continue;
            }
            let result = (0..5).try_for_each(|_| stop(case, ledger, point));
            println!(
                "{} stopped at {point}: {}",
                case.name(),
                match &result {
                    Ok(()) => "others go on",
                    Err(wrong) => wrong,
                }
            );
            sound &= result.is_ok();
        }
    }
    sound
}

fn stop(case: &Case, ledger: &Ledger, point: &'static str) -> Result<(), String> {
    ledger.clear().map_err(told)?;
    let (mut tx, rx) = case.channel("", &[]).pair().map_err(told)?;
    let (receiver, page) = step::asleep(&rx, ledger)?;
    drop(rx);
    let stopped = Process::fork(move || {
        let mut tx = inherited_sender(KEY).expect("given");
        assert!(crash_points::stop_at(point, 1), "{point}");
        let mut text = [0; 64];
        message::write(1, 1, &mut text);
        tx.send(&text).expect("there is room");
    });
    let stopped = stopped
        .give(KEY, &tx)
        .map_err(told)?
        .end_with_parent()
        .start()
        .map_err(told)?;
    await_stop(&stopped)?;
    // So that the receiver is asleep again, if it was woken, for good and watched.
    thread::sleep(Duration::from_millis(300));
    let known = page.count().map_err(told)?;
    let mut text = [0; 64];
    message::write(1, 2, &mut text);
    tx.send_by(&text, Deadline::after(Duration::from_secs(10)))
        .map_err(told)?;
    let arrived = arrives(&page, known);
    stopped.kill().map_err(told)?;
    stopped.join().map_err(told)?;
    ledger.order(DRAIN).map_err(told)?;
    drop(tx);
    match receiver
        .join_timeout(Duration::from_secs(10))
        .map_err(told)?
    {
        Some(_) => arrived,
        None => Err("it sleeps, and nobody is left".to_owned()),
    }
}

fn await_stop(child: &Child) -> Result<(), String> {
    let pid = Pid::from_raw(i32::try_from(child.pid()).map_err(told)?);
    match waitpid(pid, Some(WaitPidFlag::WUNTRACED)).map_err(told)? {
        WaitStatus::Stopped(..) => Ok(()),
        other => Err(format!("it did not stop: {other:?}")),
    }
}

fn arrives(page: &Page, known: u64) -> Result<(), String> {
    let start = Instant::now();
    while page.count().map_err(told)? <= known {
        if start.elapsed() > Duration::from_secs(5) {
            return Err("what another has sent does not arrive".to_owned());
        }
        thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}
