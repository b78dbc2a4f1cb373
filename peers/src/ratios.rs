//! What the tables say, as ratios within the run.

use crate::{
    row::{Wait, Work},
    saved::{Line, Saved},
    slices::Distance,
};

/// Which row.
#[derive(Clone, Copy, Debug)]
struct Who {
    work: Work,
    name: &'static str,
    /// Of several that wait differently.
    wait: Option<Wait>,
}

impl Who {
    fn find(self, lines: &[Line]) -> Option<&Line> {
        lines.iter().find(|line| {
            let label = &line.label;
            let alike = self.wait.is_none_or(|wait| wait == label.wait);
            label.work == self.work && label.who == self.name && alike
        })
    }
}

const fn who(work: Work, name: &'static str) -> Who {
    Who {
        work,
        name,
        wait: None,
    }
}

const fn waits(work: Work, name: &'static str, wait: Wait) -> Who {
    Who {
        work,
        name,
        wait: Some(wait),
    }
}

/// What a ratio ought to be.
#[derive(Clone, Copy, Debug)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least,
            Self::AtMost(most) => ratio <= most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => least.to_string(),
            Self::AtMost(most) => format!("{most} at most"),
        }
    }
}

const SMALL: Work = Work::Stream(64);
const CROWD: Work = Work::Crowd(64);
const TRIP: Work = Work::Trip(8);
const LARGE: Work = Work::Stream(64 << 10);
const HUGE: Work = Work::Stream(1 << 20);

/// The first in terms of the second.
const RATIOS: [(Who, Who, Goal); 25] = [
    (
        who(SMALL, "spsc lent"),
        who(SMALL, "rtrb (threads)"),
        Goal::AtLeast(0.9),
    ),
    (
        who(SMALL, "spsc copied"),
        who(SMALL, "rtrb (threads)"),
        Goal::AtLeast(0.6),
    ),
    (
        who(SMALL, "spsc lent"),
        who(SMALL, "iceoryx2 loan"),
        Goal::AtLeast(20.0),
    ),
    (
        who(SMALL, "spsc batch 32"),
        who(SMALL, "spsc copied"),
        Goal::AtLeast(1.2),
    ),
    (
        waits(TRIP, "spsc", Wait::Spin),
        who(TRIP, "bare cache line"),
        Goal::AtMost(1.8),
    ),
    (
        waits(TRIP, "spsc", Wait::Spin),
        who(TRIP, "iceoryx2 loan"),
        Goal::AtMost(0.2),
    ),
    (
        waits(TRIP, "spsc", Wait::Adaptive),
        waits(TRIP, "spsc", Wait::Spin),
        Goal::AtMost(1.3),
    ),
    (
        waits(TRIP, "spsc", Wait::Park),
        who(TRIP, "bare futex"),
        Goal::AtMost(1.1),
    ),
    (
        who(SMALL, "lock"),
        who(SMALL, "raw_sync + shared_memory"),
        Goal::AtLeast(3.5),
    ),
    (
        who(SMALL, "lock"),
        who(SMALL, "boost message_queue"),
        Goal::AtLeast(2.0),
    ),
    (
        who(SMALL, "lock batch 64"),
        who(SMALL, "raw_sync + shared_memory"),
        Goal::AtLeast(12.0),
    ),
    (
        who(CROWD, "lock"),
        who(CROWD, "boost message_queue"),
        Goal::AtLeast(1.4),
    ),
    (
        who(CROWD, "lock batch 64"),
        who(CROWD, "crossbeam-channel (threads)"),
        Goal::AtLeast(1.0),
    ),
    (
        who(CROWD, "mpmc"),
        who(CROWD, "crossbeam-channel (threads)"),
        Goal::AtLeast(1.0),
    ),
    (
        who(CROWD, "mpmc"),
        who(CROWD, "boost message_queue"),
        Goal::AtLeast(3.0),
    ),
    (
        who(HUGE, "spsc lent"),
        who(HUGE, "iceoryx2 loan"),
        Goal::AtLeast(1.5),
    ),
    (
        who(HUGE, "spsc copied"),
        who(HUGE, "iceoryx2 loan"),
        Goal::AtLeast(0.8),
    ),
    (
        who(LARGE, "spsc copied"),
        who(LARGE, "iceoryx2 loan"),
        Goal::AtLeast(1.0),
    ),
    (
        who(SMALL, "pipe"),
        who(SMALL, "bare pipe"),
        Goal::AtLeast(0.95),
    ),
    (
        who(SMALL, "fifo"),
        who(SMALL, "bare fifo"),
        Goal::AtLeast(0.95),
    ),
    (
        who(SMALL, "sysv"),
        who(SMALL, "bare sysv"),
        Goal::AtLeast(0.95),
    ),
    (
        who(SMALL, "pipe batch 256"),
        who(SMALL, "pipe"),
        Goal::AtLeast(12.0),
    ),
    (
        who(SMALL, "pipe"),
        who(SMALL, "unix seqpacket"),
        Goal::AtLeast(1.0),
    ),
    (
        who(LARGE, "pipe"),
        who(LARGE, "unix seqpacket"),
        Goal::AtLeast(1.0),
    ),
    (
        who(SMALL, "mpmc"),
        who(SMALL, "python Queue"),
        Goal::AtLeast(50.0),
    ),
];

/// A table of Markdown: a ratio of medians a line, by distance; bold where it is not what it ought to be. Empty if neither
/// of any two was measured.
pub(crate) fn markdown(saved: &Saved) -> String {
    let lines = &saved.lines;
    let mut rows = Vec::new();
    for (ours, theirs, goal) in RATIOS {
        let (Some(one), Some(other)) = (ours.find(lines), theirs.find(lines)) else {
            continue;
        };
        let ratio = |distance: Distance| {
            let (one, other) = (one.figure(distance)?, other.figure(distance)?);
            Some(one.median / other.median)
        };
        let cells = Distance::ALL.map(|distance| match ratio(distance) {
            None => "\u{2013}".to_owned(),
            Some(ratio) if goal.is_met(ratio) => digits(ratio),
            Some(ratio) => format!("**{}**", digits(ratio)),
        });
        let wait = |who: Who, line: &Line| match who.wait {
            Some(wait) => format!("{}, {}", line.label.who, wait.word()),
            None => line.label.who.clone(),
        };
        let name = format!(
            "{} {} / {}",
            one.label.work,
            wait(ours, one),
            wait(theirs, other)
        );
        rows.push(format!(
            "| {name} | {} | {} |\n",
            cells.join(" | "),
            goal.words()
        ));
    }
    if rows.is_empty() {
        return String::new();
    }
    let heads = Distance::ALL.map(|distance| format!("{distance:?}").to_lowercase());
    format!(
        "\n**As ratios of medians**, bold where it is not what we want\n\n|  | {} | wanted |\n| --- |{} --- |\n{}",
        heads.join(" | "),
        " ---: |".repeat(heads.len()),
        rows.concat()
    )
}

/// Three digits that count.
fn digits(ratio: f64) -> String {
    match ratio {
        10.0.. => format!("{ratio:.0}"),
        1.0..10.0 => format!("{ratio:.2}"),
        _ => format!("{ratio:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rivals, saved::Outcome};

    #[test]
    fn every_ratio_has_its_rows() {
        let line = |row: crate::row::Row| Line {
            label: row.label,
            outcome: Outcome::Measured(Vec::new()),
        };
        let lines: Vec<Line> = rivals::rows().into_iter().map(line).collect();
        for (ours, theirs, _) in RATIOS {
            assert!(ours.find(&lines).is_some(), "{ours:?}");
            // Others only where they were built.
            if cfg!(feature = "rivals") {
                assert!(theirs.find(&lines).is_some(), "{theirs:?}");
            }
        }
    }
}
