//! How a round ends: who stops, who is killed, and what the others must be told.

use std::{thread, time::Duration};

use laneway::{End, crash_points};

use super::{LIFE, Round, Wrong, holds, told};
use crate::{
    ledger::{DRAIN, STOP, Stage},
    points::When,
};

/// How long somebody has nothing to do until it has certainly fallen asleep for good.
const SLEEP: Duration = Duration::from_millis(250);

/// How long one may take to exit.
const EXIT: Duration = Duration::from_secs(60);

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Senders stop, receivers drain.
    Stop,
    /// Senders are killed, receivers drain.
    KillSenders,
    /// Receivers are killed, senders are told.
    KillReceivers,
    /// All are killed.
    Massacre,
}

impl Round<'_> {
    /// Ends the round as chance has it, and tells whether all that was sent must have been received.
    pub(super) fn end(&mut self) -> Result<bool, Wrong> {
        let endings = [
            Ending::Stop,
            Ending::Stop,
            Ending::KillSenders,
            Ending::KillReceivers,
            Ending::Massacre,
        ];
        let ending = self.chance.of(&endings).unwrap_or(Ending::Stop);
        self.end_as(ending)
            .map_err(|wrong| format!("{ending:?}: {wrong}"))
    }

    fn end_as(&mut self, ending: Ending) -> Result<bool, Wrong> {
        match ending {
            Ending::Stop => {
                self.start_the_last()?;
                self.arm_the_last()?;
                self.ledger.order(DRAIN | STOP).map_err(told)?;
                self.ends = None;
                self.await_all(true)
            }
            Ending::KillSenders => {
                self.ledger.order(DRAIN).map_err(told)?;
                self.ends = None;
                self.kill_all(End::Sender)?;
                self.await_all(true)
            }
            Ending::KillReceivers => {
                self.ledger.order(DRAIN).map_err(told)?;
                self.ends = None;
                self.kill_all(End::Receiver)?;
                self.await_all(false)
            }
            Ending::Massacre => self.massacre().map(|()| false),
        }
    }

    fn kill_all(&mut self, end: End) -> Result<(), Wrong> {
        if self.chance.one_in(2) {
            // Those across sleep, and for so long that they rely on being told of a death.
            self.ledger.order(DRAIN | holds(end)).map_err(told)?;
            thread::sleep(SLEEP);
        } else {
            thread::sleep(self.chance.time(LIFE * 20));
        }
        while let Some(place) = self.running.iter().position(|member| member.end == end) {
            self.kill(place)?;
        }
        Ok(())
    }

    /// Waits until all end by themselves, because the other side is gone; tells `drained`, unless a death has prevented that.
    fn await_all(&mut self, drained: bool) -> Result<bool, Wrong> {
        let torn = self.wait(
            false,
            "somebody is not told that the others are gone",
            |round| {
                // Who is told is done; its exit may wait for the kernel to put inotify's file away.
                let mut all = round.running.iter();
                all.try_fold(true, |so_far, member| {
                    let done = member.part.page.stage()? == Stage::Done;
                    Ok(so_far && (done || member.child.exit_status().is_some()))
                })
            },
        )?;
        if torn {
            self.outcome.torn += 1;
            self.massacre()?;
        }
        while let Some(member) = self.running.pop() {
            if member.child.join_timeout(EXIT).map_err(told)?.is_none() {
                return Err(format!("it is done and does not end: {}", member.said()));
            }
            self.retire(member, false)?;
        }
        Ok(drained && self.whole && !torn)
    }

    /// Starts some more who die where they are to, with nobody in their place: then those who are left must see to what they leave.
    fn start_the_last(&mut self) -> Result<(), Wrong> {
        if self.case.is_shared() && self.hits.is_some() {
            self.side = self
                .chance
                .of(&[End::Sender, End::Receiver])
                .unwrap_or(End::Sender);
            self.start(self.side, true)?;
            self.wait(false, "somebody does not open", |round| {
                let mut stages = round.running.iter().map(|member| member.part.page.stage());
                stages.try_fold(true, |all, stage| Ok(all && stage? != Stage::Opening))
            })?;
            thread::sleep(LIFE * 4);
        }
        Ok(())
    }

    /// Has some of those who are told to end die while they close their end.
    fn arm_the_last(&mut self) -> Result<(), Wrong> {
        let Some(hits) = &self.hits else {
            return Ok(());
        };
        for member in &mut self.running {
            if member.part.armed.is_some() || self.chance.one_in(3) {
                continue;
            }
            member.last = hits
                .choose(&mut self.chance, member.end, When::Last, None)
                .map(|armed| armed.point);
            let place = crash_points::points()
                .iter()
                .position(|point| Some(*point) == member.last);
            let number = place.map_or(0, |place| place as u64 + 1);
            member.part.page.arm(number).map_err(told)?;
        }
        Ok(())
    }
}
