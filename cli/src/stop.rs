//! Ending on a signal, with every end closed on the way out.

use std::{
    ffi::c_int,
    fs, io,
    os::fd::AsFd,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use laneway::Deadline;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    flag,
};

use crate::exit::Failure;

/// How long a call may block before it looks whether a signal came. Channels do not return on signals.
const TICK: Duration = Duration::from_millis(100);

/// How long we may take to end before another signal ends us at once. Some send two for one, as `timeout` does: to us, and to our group.
const PATIENCE: Duration = Duration::from_millis(500);

/// Knows whether a signal has asked us to end. Another one, a while later, ends at once.
#[derive(Debug)]
pub(crate) struct Stop {
    signal: Arc<AtomicUsize>,
    /// Whether the next signal ends us.
    again: Arc<AtomicBool>,
    seen: OnceLock<()>,
}

impl Stop {
    /// Catches the signals that ask programs to end, but for those that our parent had us ignore, as nohup does.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let signal = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        let ignored = ignored();
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            if ignored >> (number - 1) & 1 == 1 {
                continue;
            }
            let value = usize::try_from(number).unwrap_or_default();
            flag::register_conditional_default(number, Arc::clone(&again))
                .and_then(|_| flag::register_usize(number, Arc::clone(&signal), value))
                .map_err(Failure::Signals)?;
        }
        Ok(Self {
            signal,
            again,
            seen: OnceLock::new(),
        })
    }

    /// An error if a signal came.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        // ORDERING: Relaxed; the number is all that is published.
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => {
                self.seen.get_or_init(|| self.lose_patience());
                Err(Failure::Stopped(
                    c_int::try_from(signal).unwrap_or_default(),
                ))
            }
        }
    }

    fn lose_patience(&self) {
        let again = Arc::clone(&self.again);
        let later = move || {
            thread::sleep(PATIENCE);
            // ORDERING: Relaxed; the flag is all that is published.
            again.store(true, Ordering::Relaxed);
        };
        let spawned = thread::Builder::new().spawn(later);
        if spawned.is_err() {
            // ORDERING: Relaxed; as above.
            self.again.store(true, Ordering::Relaxed);
        }
    }

    /// The deadline, or the moment before it when signals must be looked at.
    pub(crate) fn slice(deadline: Deadline) -> Deadline {
        match deadline.remaining() {
            Some(left) if left <= TICK => deadline,
            _ => Deadline::after(TICK),
        }
    }

    /// Waits until `file` has one of `events`, or an error, or hangs up.
    ///
    /// # Errors
    /// [`Failure::Stopped`] if it had none of these when a signal came; what `failure` makes of the system's.
    pub(crate) fn wait(
        &self,
        file: impl AsFd,
        events: PollFlags,
        failure: impl Fn(io::Error) -> Failure,
    ) -> Result<(), Failure> {
        loop {
            let stopped = self.check();
            let timeout = if stopped.is_ok() {
                TICK
            } else {
                Duration::ZERO
            };
            let has = look(&file, events, timeout).map_err(&failure)?;
            if !has.is_empty() {
                return Ok(());
            }
            stopped?;
        }
    }
}

/// What of `events` `file` has, or errors, within `timeout`; nothing if a signal comes.
pub(crate) fn look(file: impl AsFd, events: PollFlags, timeout: Duration) -> io::Result<PollFlags> {
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(file.as_fd(), events)];
    match poll(&mut fds, timeout) {
        Ok(_) => Ok(fds[0].revents().unwrap_or(PollFlags::empty())),
        Err(Errno::EINTR) => Ok(PollFlags::empty()),
        Err(error) => Err(error.into()),
    }
}

/// The set of signals that this process was started to ignore: signal N is bit N-1.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
