//! A row in a process of its own: one that fails, hangs or dies is a line of the table, not its end.

use std::{
    io::{PipeReader, PipeWriter, Read, Write},
    os::fd::AsFd,
    panic,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl::set_child_subreaper,
        signal::{Signal, kill},
        wait::{WaitStatus, wait, waitpid},
    },
    unistd::{ForkResult, fork, getpid},
};

use crate::{
    row::Row,
    saved::Outcome,
    slices::{Distance, Slice, die_with},
    traces,
};

/// The payload of a panic that says why a row cannot run here.
struct NotRun(String);

/// Ends a row that cannot run here: says what is missing, and what to do about it.
pub(crate) fn not_run(why: impl Into<String>) -> ! {
    panic::panic_any(NotRun(why.into()))
}

/// Plays a row once, and tells its slices or why there are none.
pub(crate) fn play(row: &Row, slices: u32) -> Result<Vec<Slice>, Outcome> {
    let (rx, tx) = std::io::pipe().expect("a pipe");
    let parent = getpid();
    // SAFETY: this program has no other thread here.
    let child = match unsafe { fork() }.expect("forks") {
        ForkResult::Child => {
            die_with(parent);
            drop(rx);
            serve(row, slices, tx)
        }
        ForkResult::Parent { child } => child,
    };
    drop(tx);
    let limit = Duration::from_secs(10) + Duration::from_millis(500) * slices;
    let (report, mut fault) = match read_to_end(rx.try_clone().expect("a pipe"), limit) {
        Ok(report) => (report, None),
        Err(report) => (
            report,
            Some(Outcome::Failed(format!(
                "not done after {limit:?}: hangs, or a side has died"
            ))),
        ),
    };
    let mut kept = Vec::new();
    for line in report.lines() {
        match line.split_once(' ') {
            Some(("fault", why)) => fault = Some(Outcome::Failed(why.into())),
            Some(("missing", why)) => fault = Some(Outcome::NotRun(why.into())),
            Some((distance, value)) => kept.extend(parse(distance, value)),
            None => {}
        }
    }
    if fault.is_some() {
        kill(child, Signal::SIGKILL).expect("is not yet reaped");
    }
    let status = waitpid(child, None).expect("reaps");
    // The others of the row die with it, and are ours then.
    drop(rx);
    while let Ok(_) | Err(Errno::EINTR) = wait() {}
    traces::sweep();
    match fault {
        Some(why) => Err(why),
        None if status != WaitStatus::Exited(child, 0) => {
            Err(Outcome::Failed(format!("{status:?}")))
        }
        None => Ok(kept),
    }
}

/// Makes those whose parent in a row is gone children of this process, so that [`play`] waits for them.
pub(crate) fn adopt() {
    set_child_subreaper(true).expect("takes orphans");
}

/// The row's process.
fn serve(row: &Row, slices: u32, tx: PipeWriter) -> ! {
    let report = tx.try_clone().expect("a pipe");
    // Both sides of the row inherit this. Short, so that it is written whole.
    panic::set_hook(Box::new(move |info| {
        let (word, why) = match info.payload().downcast_ref::<NotRun>() {
            Some(NotRun(why)) => ("missing", why.as_str()),
            None => ("fault", info.payload_as_str().unwrap_or("a panic")),
        };
        let line: String = why
            .chars()
            .map(|c| if c == '\n' { ' ' } else { c })
            .take(300)
            .collect();
        let _ = (&report).write_all(format!("{word} {line}\n").as_bytes());
        // SAFETY: ends the process without the destructors of the other side.
        unsafe { libc::_exit(101) }
    }));
    let lines: String = (row.run)(slices)
        .into_iter()
        .map(|slice| format!("{:?} {}\n", slice.distance, slice.value))
        .collect();
    (&tx).write_all(lines.as_bytes()).expect("writes");
    // SAFETY: ends the process without what belongs to its parent.
    unsafe { libc::_exit(0) }
}

/// A slice as [`serve`] writes it.
fn parse(distance: &str, value: &str) -> Option<Slice> {
    let distance = Distance::ALL
        .into_iter()
        .find(|known| format!("{known:?}") == distance)?;
    let value = value.parse().ok()?;
    Some(Slice { distance, value })
}

/// What comes until the end, or until a fault; what has come as error if time is up.
fn read_to_end(mut rx: PipeReader, limit: Duration) -> Result<String, String> {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::NONE);
        let ready = poll(&mut [PollFd::new(rx.as_fd(), PollFlags::POLLIN)], timeout);
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        match ready {
            Ok(0) => return Err(text()),
            Err(nix::Error::EINTR) => {}
            Err(error) => panic!("poll: {error}"),
            Ok(_) => match rx.read(&mut chunk).expect("reads") {
                0 => return Ok(text()),
                len => {
                    bytes.extend(&chunk[..len]);
                    let over = bytes.starts_with(b"fault") || bytes.starts_with(b"missing");
                    if over && bytes.ends_with(b"\n") {
                        return Ok(String::from_utf8_lossy(&bytes).into_owned());
                    }
                }
            },
        }
    }
}
