//! One channel's life: members come, are killed and replaced, and at last everything is counted.

mod ending;
mod restart;
mod soak;

pub(crate) use restart::restart;
pub(crate) use soak::{Kept, held};

use std::{
    io,
    os::unix::process::ExitStatusExt,
    thread,
    time::{Duration, Instant},
};

use laneway::{
    BoxChannel, BoxReceiver, BoxSender, Channel, Deadline, End, Receiver, Sender,
    process::{Child, Process},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::{
    case::Case,
    chance::Chance,
    ledger::{HOLD_RECEIVERS, HOLD_SENDERS, Ledger, Stage},
    member::{KEY, Part, Taking},
    message::LEAST,
    points::{Hits, When},
    tally::{Past, Tally, tally},
};

/// The longest time that a member lives before it is killed at random.
const LIFE: Duration = Duration::from_micros(1500);

/// So many messages more were begun after they were counted: what is sent or taken at once is fewer.
const ONWARD: u64 = 33;

/// The order that has the members with this end do nothing.
const fn holds(end: End) -> u64 {
    match end {
        End::Sender => HOLD_SENDERS,
        End::Receiver => HOLD_RECEIVERS,
    }
}

/// What one round did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) senders: u64,
    pub(crate) receivers: u64,
    pub(crate) tally: Tally,
    /// Streams that a death cut.
    pub(crate) torn: u64,
    /// The longest time from a death to the next message received, or until anything else came that was waited for.
    pub(crate) stall: Duration,
    /// The longest time that this process slept beyond what it wanted: then the machine had others to do, who were not waited for.
    pub(crate) late: Duration,
    pub(crate) wrong: Vec<String>,
}

/// A place that stays empty until those who are left have gone on without whoever had it.
struct Owed {
    end: End,
    /// How far those with the same end had come by its death.
    before: Vec<(u32, u64)>,
}

/// A member that runs.
struct Running {
    child: Child,
    part: Part,
    end: End,
    /// Where it shall die when it ends.
    last: Option<&'static str>,
}

/// The round while it goes on.
pub(crate) struct Round<'a> {
    case: &'a Case,
    ledger: &'a Ledger,
    chance: Chance,
    watchdog: Duration,
    channel: BoxChannel,
    /// What members' ends are made from, if the channel has no name; or what keeps it open.
    ends: Option<(BoxSender, BoxReceiver)>,
    longest: usize,
    alike: bool,
    /// Which side dies; the other is killed next.
    side: End,
    /// Where members have died, if they are to die at points.
    hits: Option<Hits>,
    /// Whether no death among the last receivers took messages that nobody is left to receive.
    whole: bool,
    running: Vec<Running>,
    /// Those who are not killed.
    kept: Vec<u32>,
    owed: Option<Owed>,
    /// Where the last one died that died at a point.
    after: Option<&'static str>,
    past: Vec<Past>,
    next: u32,
    outcome: Outcome,
}

/// Something that is not as it must be.
type Wrong = String;

fn told(error: impl std::fmt::Display) -> Wrong {
    error.to_string()
}

impl<'a> Round<'a> {
    /// Opens a channel as chance has it.
    pub(crate) fn new(
        case: &'a Case,
        ledger: &'a Ledger,
        seed: u64,
        watchdog: Duration,
        hits: Option<Hits>,
    ) -> Result<Self, Wrong> {
        let mut chance = Chance::new(seed);
        let mut keys = Vec::new();
        let capacity = chance.of(&[4 << 10, 8 << 10, 64 << 10]).unwrap_or(8 << 10);
        if case.takes("capacity") {
            let capacity = if case.scheme() == "sysv" {
                capacity.min(16 << 10)
            } else if case.scheme().starts_with("unix+") {
                // The least that the kernel gives a socket.
                capacity.max(8 << 10)
            } else {
                capacity
            };
            keys.push(("capacity", capacity.to_string()));
        }
        if case.waits() {
            keys.push((
                "wait",
                chance
                    .of(&["adaptive", "park", "yield"])
                    .unwrap_or("park")
                    .to_owned(),
            ));
        }
        let word = format!("laneway-crash.{}.{seed:x}", std::process::id());
        let channel = case.channel(&case.unique_name(&word), &keys);
        ledger.clear().map_err(told)?;
        // Where an end stays open here, both sides may die at points: there is never nobody, with whom what was sent would go.
        let held = !case.named || hits.is_some() && case.is_shared() && chance.one_in(2);
        let ends = match held {
            true => Some(channel.pair().map_err(told)?),
            false => None,
        };
        let most = if case.is_packet() || case.may_be_torn() {
            1000
        } else {
            capacity / 8
        };
        let longest = LEAST + chance.index(chance.clone().index(most - LEAST) + 1);
        Ok(Self {
            case,
            ledger,
            // A receiver that dies between the two reads of a longer message cuts the stream, and the round is over.
            alike: !chance.one_in(if case.may_be_torn() { 4 } else { 2 }),
            side: chance
                .of(&[End::Sender, End::Receiver])
                .unwrap_or(End::Sender),
            hits,
            whole: true,
            chance,
            watchdog,
            channel,
            ends,
            longest,
            running: Vec::new(),
            kept: Vec::new(),
            owed: None,
            after: None,
            past: Vec::new(),
            next: 1,
            outcome: Outcome::default(),
        })
    }

    /// Kills so many, then ends.
    pub(crate) fn run(mut self, kills: u64) -> (Outcome, Option<Hits>) {
        let result = self.members().and_then(|()| self.kill_some(kills));
        let result = result.and_then(|torn| match torn {
            true => self.massacre().map(|()| false),
            false => self.end(),
        });
        if let Err(wrong) = &result {
            self.outcome.wrong.push(wrong.clone());
            // Whatever state they are in.
            let _ = self.massacre();
        }
        self.ends = None;
        let drained = result == Ok(true);
        match self.count(drained) {
            Ok(()) => {}
            Err(wrong) => self.outcome.wrong.push(wrong),
        }
        if let Err(wrong) = self.open_again() {
            self.outcome.wrong.push(wrong);
        }
        (self.outcome, self.hits)
    }

    /// The first members, first those of the side that is to die: so one of them makes the channel.
    fn members(&mut self) -> Result<(), Wrong> {
        let shared = self.case.is_shared();
        for end in [self.side, self.side.across()] {
            let count = if shared { 1 + self.chance.below(4) } else { 1 };
            for _ in 0..count {
                self.start(end, true)?;
                if self.past.is_empty() && self.running.len() == 1 {
                    // The first one makes the channel, and whoever takes its place heals what it leaves.
                    self.await_open()?;
                }
            }
        }
        self.await_open().map(drop)
    }

    /// Starts a member, `willing` to die at a point if that is tried.
    fn start(&mut self, end: End, willing: bool) -> Result<(), Wrong> {
        let id = self.next;
        self.next += 1;
        let max = 1 + self.chance.index(16);
        let taking = [
            Taking::Peek,
            Taking::Receive,
            Taking::Drain(max),
            Taking::DrainFirst(max),
        ];
        // Alone, it makes the channel.
        let alone = self.case.named && self.running.is_empty() && self.ends.is_none();
        let when = if alone { When::First } else { When::Open };
        let willing = willing && (end == self.side || self.ends.is_some());
        let armed = match &self.hits {
            Some(hits) if willing && !self.chance.one_in(3) => {
                hits.choose(&mut self.chance, end, when, self.after)
            }
            _ => None,
        };
        let part = Part {
            id,
            page: self.ledger.page(id),
            seed: self.chance.next(),
            address: self.case.named.then(|| self.channel.address()),
            longest: self.longest,
            alike: self.alike,
            taking: self.chance.of(&taking).unwrap_or(Taking::Peek),
            // Only a death cuts.
            may_be_torn: self.case.may_be_torn() && !self.past.is_empty(),
            holds: holds(end),
            armed,
        };
        let copy = part.clone();
        let process = Process::fork(move || match end {
            End::Sender => copy.send(),
            End::Receiver => copy.receive(),
        });
        let process = match (&self.ends, end) {
            _ if self.case.named => process,
            (None, _) => return Err("its ends are closed".to_owned()),
            (Some((tx, _)), End::Sender) => process.give(KEY, tx).map_err(told)?,
            (Some((_, rx)), End::Receiver) => process.give(KEY, rx).map_err(told)?,
        };
        let child = process.end_with_parent().start().map_err(told)?;
        self.running.push(Running {
            child,
            part,
            end,
            last: None,
        });
        Ok(())
    }

    /// Looks at everybody. Those who died where they were to are put away, and replaced if `replace`; `true` if a stream turned
    /// out to be cut.
    fn attend(&mut self, replace: bool) -> Result<bool, Wrong> {
        let mut place = 0;
        while let Some(member) = self.running.get(place) {
            if member.part.armed.is_some_and(|armed| armed.stops) {
                member.signal(Signal::SIGCONT)?;
            }
            // In this order: one that has ended has said how.
            let ended = member.child.exit_status();
            let stage = member.part.page.stage().map_err(told)?;
            match stage {
                Stage::Torn => return Ok(true),
                Stage::Wrong => return Err(member.said()),
                Stage::Opening | Stage::Open | Stage::Done => {}
            }
            let Some(status) = ended else {
                place += 1;
                continue;
            };
            let died = status.signal() == Some(Signal::SIGKILL as i32);
            let point = member.part.armed.map(|armed| armed.point);
            match point.filter(|_| member.last.is_none()).or(member.last) {
                Some(point) if died => {
                    if let Some(hits) = &mut self.hits {
                        hits.hit(point);
                    }
                    self.after = Some(point);
                    let (end, last) = (member.end, member.last.is_some());
                    self.count_death(end);
                    self.whole &= last || end == End::Sender;
                    let member = self.running.swap_remove(place);
                    self.retire(member, true)?;
                    if replace {
                        self.replace(end)?;
                    }
                }
                _ if replace || stage != Stage::Done => return Err(member.said()),
                _ => place += 1,
            }
        }
        Ok(false)
    }

    /// Waits until `ready` says so.
    fn wait(
        &mut self,
        replace: bool,
        what: &str,
        ready: impl Fn(&Self) -> io::Result<bool>,
    ) -> Result<bool, Wrong> {
        let start = Instant::now();
        let mut pause = Duration::from_micros(20);
        loop {
            if self.attend(replace)? {
                return Ok(true);
            }
            if ready(self).map_err(told)? {
                self.outcome.stall = self.outcome.stall.max(start.elapsed());
                return Ok(false);
            }
            if start.elapsed() > self.watchdog {
                return Err(format!("hang: {what}; {}", self.describe()));
            }
            let asleep = Instant::now();
            thread::sleep(pause);
            let late = asleep.elapsed().saturating_sub(pause);
            self.outcome.late = self.outcome.late.max(late);
            pause = (pause * 5 / 4).min(Duration::from_millis(1));
        }
    }

    /// Waits until all who run have their ends; `true` if a stream turned out to be cut.
    fn await_open(&mut self) -> Result<bool, Wrong> {
        self.wait(true, "somebody does not open", |round| {
            let mut stages = round.running.iter().map(|member| member.part.page.stage());
            stages.try_fold(true, |all, stage| Ok(all && stage? != Stage::Opening))
        })
    }

    /// Kills, replaces and looks whether messages go on; `true` if a stream was cut.
    fn kill_some(&mut self, kills: u64) -> Result<bool, Wrong> {
        let mut victim = None;
        let most = self.deaths() + kills;
        while self.deaths() < most {
            if self.pay()? {
                return self.cut();
            }
            thread::sleep(self.chance.time(LIFE));
            if self.attend(true)? {
                return self.cut();
            }
            self.slow()?;
            if !self.kept.is_empty() && !self.case.is_shared() {
                // The other side is kept.
            } else if self.hits.is_none() || self.ends.is_some() {
                self.side = self
                    .chance
                    .of(&[End::Sender, End::Receiver])
                    .unwrap_or(End::Sender);
            } else if self.chance.one_in(16) && victim.is_none() {
                if self.disarm()? {
                    return self.cut();
                }
                self.side = self.side.across();
            }
            let again = victim
                .take()
                .and_then(|id| self.running.iter().position(|member| member.part.id == id));
            let place = again.unwrap_or_else(|| self.choose(self.side));
            let counts = self.progress(End::Receiver)?;
            let start = Instant::now();
            let end = self.kill(place)?;
            self.replace(end)?;
            if self.owed.is_some() {
                continue;
            }
            if self.chance.one_in(5) {
                // At once again, while it opens. The other side stays, so nothing is gone with both.
                thread::sleep(self.chance.time(LIFE / 4));
                victim = Some(self.next - 1);
                continue;
            }
            if self.await_open()? || self.await_progress(&counts)? {
                return self.cut();
            }
            self.outcome.stall = self.outcome.stall.max(start.elapsed());
        }
        if self.pay()? || self.disarm()? || self.await_open()? {
            return self.cut();
        }
        Ok(false)
    }

    /// Starts another in place of a dead one: at once, or once the others have gone on without it.
    fn replace(&mut self, end: End) -> Result<(), Wrong> {
        let stays = |member: &Running| member.end == end && member.part.armed.is_none();
        let others = self.case.is_shared() && self.running.iter().any(stays);
        if others && self.owed.is_none() && self.chance.one_in(3) {
            let before = self.progress(end)?;
            self.owed = Some(Owed { end, before });
            return Ok(());
        }
        self.start(end, true)
    }

    /// Waits until those who are left have gone on without a dead one, and starts one in its place; `true` if a stream turned
    /// out to be cut.
    fn pay(&mut self) -> Result<bool, Wrong> {
        let Some(Owed { end, before }) = self.owed.take() else {
            return Ok(false);
        };
        // While this waits, who dies is replaced at once, so there is always somebody.
        let torn = self.wait(true, "those who are left do not go on", |round| {
            let mut all = round.running.iter().filter(|member| member.end == end);
            all.try_fold(false, |goes_on, member| {
                let known = before.iter().find(|(id, _)| *id == member.part.id);
                let now = member.progress()?;
                Ok(goes_on || known.is_none_or(|(_, before)| now >= before + ONWARD))
            })
        })?;
        self.start(end, true)?;
        Ok(torn)
    }

    /// How far each with this end has come.
    fn progress(&self, end: End) -> Result<Vec<(u32, u64)>, Wrong> {
        let all = self.running.iter().filter(|member| member.end == end);
        all.map(|member| Ok((member.part.id, member.progress()?)))
            .collect::<io::Result<_>>()
            .map_err(told)
    }

    /// Now and then stops one for a while, in the middle of whatever it does.
    fn slow(&mut self) -> Result<(), Wrong> {
        if !self.chance.one_in(8) {
            return Ok(());
        }
        let place = self.chance.index(self.running.len());
        let pause = self.chance.time(LIFE * 2);
        let Some(member) = self.running.get(place) else {
            return Ok(());
        };
        member.signal(Signal::SIGSTOP)?;
        thread::sleep(pause);
        member.signal(Signal::SIGCONT)
    }

    fn cut(&mut self) -> Result<bool, Wrong> {
        self.outcome.torn += 1;
        Ok(true)
    }

    /// Replaces all that may die by themselves by others that do not.
    fn disarm(&mut self) -> Result<bool, Wrong> {
        while let Some(place) = self
            .running
            .iter()
            .position(|member| member.part.armed.is_some())
        {
            let end = self.kill(place)?;
            self.start(end, false)?;
        }
        self.await_open()
    }

    fn deaths(&self) -> u64 {
        self.outcome.senders + self.outcome.receivers
    }

    fn count_death(&mut self, end: End) {
        match end {
            End::Sender => self.outcome.senders += 1,
            End::Receiver => self.outcome.receivers += 1,
        }
    }

    /// One of those at this end.
    fn choose(&mut self, end: End) -> usize {
        let may = |member: &Running| member.end == end && !self.kept.contains(&member.part.id);
        let places = self.running.iter().enumerate();
        let all: Vec<usize> = places
            .filter(|(_, member)| may(member))
            .map(|(place, _)| place)
            .collect();
        self.chance.of(&all).unwrap_or(0)
    }

    /// Kills one, and tells which end it had.
    fn kill(&mut self, place: usize) -> Result<End, Wrong> {
        let member = self.running.swap_remove(place);
        member.child.kill().map_err(told)?;
        member.child.join().map_err(told)?;
        let end = member.end;
        self.count_death(end);
        self.retire(member, true)?;
        Ok(end)
    }

    /// Puts one that has ended away; what it met may not have been.
    fn retire(&mut self, member: Running, killed: bool) -> Result<(), Wrong> {
        let stage = member.part.page.stage().map_err(told)?;
        let said = (stage == Stage::Wrong).then(|| member.said());
        self.past.push(Past {
            id: member.part.id,
            page: member.part.page,
            taking: (member.end == End::Receiver).then_some(member.part.taking),
            killed,
        });
        said.map_or(Ok(()), Err)
    }

    /// Waits until somebody receives one more; `true` if a stream turned out to be cut.
    fn await_progress(&mut self, before: &[(u32, u64)]) -> Result<bool, Wrong> {
        self.wait(true, "nobody receives", |round| {
            for member in round
                .running
                .iter()
                .filter(|member| member.end == End::Receiver)
            {
                let known = before.iter().find(|(id, _)| *id == member.part.id);
                if member
                    .part
                    .page
                    .has_more_than(known.map_or(0, |(_, count)| *count))?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// Who is there and what they do, for whoever looks into a hang.
    fn describe(&self) -> String {
        let members = self.running.iter().map(|member| {
            let pid = member.child.pid();
            let read = |file: &str| {
                std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
            };
            let stage = member.part.page.stage();
            let sent = member.part.page.sent();
            let count = member.part.page.count();
            let state = read("stat");
            let state = state.rsplit(") ").next().unwrap_or("").get(..1);
            let state = state.unwrap_or("gone").to_owned();
            // Nanoseconds on a core, and waiting for one.
            let cores = read("schedstat");
            let mut cores = cores.split_whitespace().map(|n| n.parse().unwrap_or(0) / 1_000_000);
            let [ran, waited] = [(); 2].map(|()| cores.next().unwrap_or(0_u64));
            format!(
                "{:?} {} {:?} {stage:?} {state} ran {ran} ms, waited for a core {waited} ms, sent {sent:?} received {count:?} in {} {}",
                member.end,
                member.part.id,
                member.part.taking,
                read("wchan"),
                read("syscall").trim_end()
            )
        });
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        format!(
            "{}: {}; load {}",
            self.channel.address(),
            members.collect::<Vec<_>>().join("; "),
            load.trim_end()
        )
    }

    fn massacre(&mut self) -> Result<(), Wrong> {
        while !self.running.is_empty() {
            self.kill(self.running.len() - 1)?;
        }
        Ok(())
    }

    fn count(&mut self, drained: bool) -> Result<(), Wrong> {
        let batch = match self.case.scheme() {
            "shm+spsc" => 64,
            _ => 1,
        };
        let (tally, wrong) = tally(&self.past, self.case.taken(), batch, drained).map_err(told)?;
        self.outcome.tally = tally;
        self.outcome.wrong.extend(wrong);
        Ok(())
    }

    /// Under the same name one can start again at once, and the last one out leaves nothing.
    fn open_again(&self) -> Result<(), Wrong> {
        if !self.case.named {
            // Also a queue without a name is something, which the next to make one removes if its users died.
            return match self.case.scheme() {
                "sysv" => self.channel.pair().map(drop).map_err(told),
                _ => Ok(()),
            };
        }
        let again = |error: String| format!("opened again: {error}");
        let (mut tx, mut rx) = self.channel.pair().map_err(|error| again(told(error)))?;
        tx.send_by(b"alive", Deadline::NOW)
            .map_err(|error| again(told(error)))?;
        match rx.peek(Deadline::NOW) {
            Ok(b"alive") => {}
            other => return Err(again(format!("received {other:?}"))),
        }
        rx.consume();
        drop((tx, rx));
        match self.channel.unlink() {
            Ok(()) => Err(again("the last one out left it".to_owned())),
            Err(_) => Ok(()),
        }
    }
}

impl Running {
    fn signal(&self, signal: Signal) -> Result<(), Wrong> {
        // As long as this is there, nobody has waited for it to end, or it has ended and that is known.
        if self.child.exit_status().is_some() {
            return Ok(());
        }
        let pid = Pid::from_raw(i32::try_from(self.child.pid()).map_err(told)?);
        signal::kill(pid, signal).map_err(told)
    }

    /// How many messages it has sent or received.
    fn progress(&self) -> io::Result<u64> {
        match self.end {
            End::Sender => Ok(self.part.page.sent()?.1),
            End::Receiver => self.part.page.count(),
        }
    }

    fn said(&self) -> String {
        let said = self.part.page.said().unwrap_or_default();
        format!(
            "{:?} {} ({:?}): {said} {:?}",
            self.end,
            self.part.id,
            self.part.taking,
            self.child.exit_status()
        )
    }
}
