//! Some live on while those around them are killed all the time, and must not grow.

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

use super::{Outcome, Round, Wrong, told};

/// Descriptors of the watch for deaths: its file, the thread's and the channel's. On a slow machine nobody has slept long enough to
/// want it before the first look.
const WATCH: u64 = 3;
/// How much more memory a member may have at the end, in KiB: buffers that were not needed before.
const SLACK: u64 = 256;
/// How many are killed between two looks at the clock.
const SOME: u64 = 20;

/// What a process has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// KiB of its own memory.
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
}

impl Held {
    /// The more of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            descriptors: self.descriptors.max(other.descriptors),
        }
    }

    fn beyond(self, before: Self) -> Self {
        Self {
            memory: self.memory.saturating_sub(before.memory),
            descriptors: self.descriptors.saturating_sub(before.descriptors),
        }
    }
}

/// What those who live on have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kept {
    /// The most that one has at the end.
    pub(crate) last: Held,
    /// The most that one has more than before.
    pub(crate) grown: Held,
}

impl Kept {
    /// The more of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            last: self.last.max(other.last),
            grown: self.grown.max(other.grown),
        }
    }
}

/// What a process has; the least of some looks, since whoever works has a buffer or a file for a moment.
pub(crate) fn held(pid: u32) -> io::Result<Held> {
    let look = || -> io::Result<Held> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let memory = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        Ok(Held {
            memory: memory.ok_or(io::ErrorKind::InvalidData)?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        })
    };
    let mut least = look()?;
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(1));
        let now = look()?;
        least.memory = least.memory.min(now.memory);
        least.descriptors = least.descriptors.min(now.descriptors);
    }
    Ok(least)
}

impl Round<'_> {
    /// Kills those around the ones that live on, for this time, and tells what those have.
    pub(crate) fn soak(mut self, time: Duration) -> (Outcome, Kept) {
        let mut kept = Kept::default();
        let result = self.go_on(time, &mut kept);
        if let Err(wrong) = result {
            self.outcome.wrong.push(wrong);
        }
        let rest = self.massacre();
        self.ends = None;
        for result in [rest, self.count(false), self.open_again()] {
            if let Err(wrong) = result {
                self.outcome.wrong.push(wrong);
            }
        }
        (self.outcome, kept)
    }

    fn go_on(&mut self, time: Duration, kept: &mut Kept) -> Result<(), Wrong> {
        let start = Instant::now();
        for end in [self.side, self.side.across()] {
            let lives_on = end != self.side || self.case.is_shared();
            if lives_on {
                self.kept.push(self.next);
                self.start(end, false)?;
            }
            if end == self.side || self.case.is_shared() {
                self.start(end, false)?;
            }
        }
        self.await_open()?;
        // Until whatever is made at the first death is made.
        let mut first = None;
        while start.elapsed() < time {
            if self.kill_some(SOME)? {
                // A death has cut the stream.
                return Ok(());
            }
            if first.is_none() && start.elapsed() > time / 4 {
                first = Some(self.held_by_kept()?);
            }
        }
        for (before, after) in first.iter().flatten().zip(self.held_by_kept()?) {
            let grown = after.beyond(*before);
            *kept = kept.max(Kept { last: after, grown });
            if grown.memory > SLACK || grown.descriptors > WATCH {
                return Err(format!(
                    "one who lives on grows: {before:?}, then {after:?}"
                ));
            }
        }
        Ok(())
    }

    fn held_by_kept(&self) -> Result<Vec<Held>, Wrong> {
        let all = self.running.iter();
        let kept = all.filter(|member| self.kept.contains(&member.part.id));
        let mut kept: Vec<_> = kept.collect();
        kept.sort_by_key(|member| member.part.id);
        let held = kept.iter().map(|member| held(member.child.pid()));
        held.collect::<io::Result<_>>().map_err(told)
    }
}
