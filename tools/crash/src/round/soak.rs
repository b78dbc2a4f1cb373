//! Some live on while those around them are killed all the time, and must not grow.

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

use super::{Outcome, Round, Wrong, told};

/// How much more memory a member may have at the end, in KiB: buffers that were not needed before.
const SLACK: u64 = 256;
/// How many are killed between two looks at the clock.
const SOME: u64 = 20;

/// What a process has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// KiB of its own memory.
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
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
    /// Kills those around the ones that live on, for this time; how much memory and how many descriptors those had more at the end.
    pub(crate) fn soak(mut self, time: Duration) -> (Outcome, [u64; 2]) {
        let mut grown = [0; 2];
        let result = self.go_on(time, &mut grown);
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
        (self.outcome, grown)
    }

    fn go_on(&mut self, time: Duration, grown: &mut [u64; 2]) -> Result<(), Wrong> {
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
            let memory = after.memory.saturating_sub(before.memory);
            let descriptors = after.descriptors.saturating_sub(before.descriptors);
            let [most_memory, most_descriptors] = grown;
            *most_memory = memory.max(*most_memory);
            *most_descriptors = descriptors.max(*most_descriptors);
            if memory > SLACK || descriptors > 0 {
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
