//! Which named points of the library's protocols each transport has, and which to try next.

use std::collections::BTreeMap;

use laneway::{End, crash_points};

use crate::{case::Case, chance::Chance};

/// How a point is chosen for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Armed {
    pub(crate) point: &'static str,
    /// At which passing to die.
    pub(crate) nth: u32,
    /// Not to die but to stop there for a while.
    pub(crate) stops: bool,
}

/// Whether the users of this transport come to this point. Every point must belong to some transport.
fn has(case: &Case, point: &str) -> bool {
    let scheme = case.scheme();
    let ring = scheme.starts_with("shm");
    let in_memory = ring || scheme == "sysv";
    let pipe = matches!(scheme, "pipe" | "fifo");
    let (family, _) = point.split_once('.').unwrap_or((point, ""));
    match family {
        _ if is_elsewhere(point) => false,
        "lock" | "locked" => scheme == "shm+lock",
        "spsc" => scheme == "shm+spsc",
        "mpmc" => scheme == "shm+mpmc",
        "number" => matches!(scheme, "shm+lock" | "shm+mpmc"),
        "sleep" | "wake" => in_memory,
        "stream" => pipe,
        "fifo" => scheme == "fifo",
        "socket" => match point {
            "socket.sent" | "socket.taken" => scheme.starts_with("unix"),
            _ => scheme.starts_with("unix") && case.named,
        },
        "sysv" => match point {
            "sysv.file" | "sysv.made" => scheme == "sysv" && case.named,
            _ => scheme == "sysv",
        },
        "segment" => match point {
            "segment.left" | "segment.gone" => in_memory,
            // Also a queue without a name has a segment with one; but the harness has made it, and is the last one out.
            "segment.last-gate" => scheme == "sysv" || ring && case.named,
            _ => in_memory && case.named,
        },
        _ => false,
    }
}

/// When in its life a member shall die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// While it makes the channel, or heals what another has left of it.
    First,
    /// While it opens, sends or receives.
    Open,
    /// While it closes its end.
    Last,
}

/// Whose point it is, if it is not everybody's.
fn owner(point: &str) -> Option<End> {
    match point {
        "locked.written" | "locked.published" | "mpmc.claimed" | "mpmc.passed" | "mpmc.stamped"
        | "mpmc.skipped" | "mpmc.written" | "mpmc.ready" | "spsc.written" | "spsc.added"
        | "spsc.cleared" | "spsc.shown" | "spsc.settled" | "spsc.resumed" | "stream.written"
        | "socket.sent" | "socket.connected" | "sysv.sent" => Some(End::Sender),
        "locked.copied" | "locked.finished" | "mpmc.taken" | "mpmc.head-passed" | "mpmc.done"
        | "mpmc.adopted" | "mpmc.claim-skipped" | "spsc.skipped" | "spsc.stepped"
        | "spsc.finished" | "stream.read" | "sysv.received" | "socket.taken"
        | "socket.accepted" | "socket.locked" | "socket.gate" | "socket.bound"
        | "socket.joined" => Some(End::Receiver),
        _ => None,
    }
}

/// Whether a member may come to the point then.
fn suits(point: &str, when: When) -> bool {
    let last = matches!(
        point,
        "segment.left"
            | "segment.gone"
            | "segment.last-gate"
            | "segment.last-discarded"
            | "segment.removed"
    );
    let first = [
        "segment.",
        "sysv.file",
        "sysv.made",
        "fifo.",
        "socket.locked",
        "socket.gate",
        "socket.bound",
        "socket.joined",
    ];
    match when {
        When::First => !last && first.iter().any(|start| point.starts_with(start)),
        When::Open => !last,
        When::Last => last,
    }
}

/// Points that are come to only by whoever finds what a death at this one has left.
fn follow(point: &str) -> &'static [&'static str] {
    match point {
        "mpmc.claimed" | "mpmc.passed" | "mpmc.stamped" | "mpmc.written" | "mpmc.taken"
        | "mpmc.head-passed" => &["mpmc.disowned", "mpmc.claim-skipped", "mpmc.adopted"],
        _ if point.starts_with("lock") => &["lock.taken-over", "lock.marked"],
        "segment.linked" | "segment.gate" | "segment.discarded" | "segment.mapped"
        | "segment.announced" => &["segment.discarded", "segment.healed"],
        _ => &[],
    }
}

/// Whether only what a death has left leads to this point, for one who opens.
fn is_led(point: &str) -> bool {
    matches!(point, "segment.discarded" | "segment.healed")
}

/// How often users of a transport have died at each of its points.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hits(BTreeMap<&'static str, u64>);

impl Hits {
    /// None yet, at each point that the transport has.
    pub(crate) fn of(case: &Case) -> Self {
        let points = crash_points::points()
            .iter()
            .filter(|point| has(case, point));
        Self(points.map(|&point| (point, 0)).collect())
    }

    pub(crate) fn hit(&mut self, point: &'static str) {
        *self.0.entry(point).or_default() += 1;
    }

    /// Those at which fewer than so many have died.
    pub(crate) fn below(&self, wanted: u64) -> Vec<&'static str> {
        let few = self.0.iter().filter(|&(_, &hits)| hits < wanted);
        few.map(|(&point, _)| point).collect()
    }

    /// How many points there are, and the least number of deaths at one.
    pub(crate) fn summary(&self) -> (usize, u64) {
        (self.0.len(), self.0.values().copied().min().unwrap_or(0))
    }

    /// Only the points whose names start so.
    pub(crate) fn only(self, starts: &[&str]) -> Self {
        let is_one = |point: &str| starts.iter().any(|start| point.starts_with(start));
        Self(
            self.0
                .into_iter()
                .filter(|(point, _)| is_one(point))
                .collect(),
        )
    }

    /// A point for a member, one of those with the fewest deaths or any; with luck one that whoever died `after` another leads to.
    pub(crate) fn choose(
        &self,
        chance: &mut Chance,
        end: End,
        when: When,
        after: Option<&'static str>,
    ) -> Option<Armed> {
        let suits = self.0.iter().filter(|(point, _)| {
            // The first of all finds nothing that anybody has left.
            let vain = when == When::First && after.is_none() && is_led(point);
            suits(point, when) && !vain && owner(point).is_none_or(|owner| owner == end)
        });
        let follow = after.map(follow).unwrap_or_default();
        let led: Vec<&'static str> = suits
            .clone()
            .map(|(&point, _)| point)
            .filter(|point| follow.contains(point))
            .collect();
        if !led.is_empty() && chance.one_in(2) {
            return Some(Armed {
                point: chance.of(&led)?,
                nth: 1,
                stops: false,
            });
        }
        // Some points are come to only after a death at another.
        let least = match chance.one_in(2) {
            true => u64::MAX - 2,
            false => suits.clone().map(|(_, &hits)| hits).min()?,
        };
        let few: Vec<&'static str> = suits
            .filter(|&(_, &hits)| hits <= least + 2)
            .map(|(&point, _)| point)
            .collect();
        let nth = match chance.below(4) {
            0 | 1 => 1,
            2 => 1 + chance.below(4),
            _ => 1 + chance.below(200),
        };
        Some(Armed {
            point: chance.of(&few)?,
            nth: match when {
                When::Open => u32::try_from(nth).unwrap_or(1),
                When::First | When::Last => 1,
            },
            stops: when == When::Open && chance.one_in(6),
        })
    }
}

/// Points that are come to only by senders that give messages up, and those of sockets with a path: tests/overflow, tests/broadcast and
/// tests/passing kill there.
fn is_elsewhere(point: &str) -> bool {
    point.starts_with("broadcast.")
        || point.starts_with("socket.") && point != "socket.sent" && point != "socket.taken"
        || point.ends_with(".discarded") && !point.starts_with("segment")
}

/// Points that no transport has.
pub(crate) fn orphans(cases: &[Case]) -> Vec<&'static str> {
    let points = crash_points::points().iter();
    points
        .filter(|point| !is_elsewhere(point))
        .filter(|point| !cases.iter().any(|case| has(case, point)))
        .copied()
        .collect()
}
