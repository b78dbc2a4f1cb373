//! A row of the table: what is moved, who moves it, and how that one waits.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::slices::Slice;

/// What is moved: messages of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// From one to one other, as many as go.
    Stream(usize),
    /// From four to four others.
    Crowd(usize),
    /// There and back, one after the other.
    Trip(usize),
}

impl Work {
    /// Bytes of a message.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Stream(size) | Self::Crowd(size) | Self::Trip(size) => size,
        }
    }

    /// What its figures count.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Stream(_) | Self::Crowd(_) => "M/s",
            Self::Trip(_) => "ns",
        }
    }

    /// Whether `ours` is the better figure.
    pub(crate) fn is_better(self, ours: f64, theirs: f64) -> bool {
        match self {
            Self::Stream(_) | Self::Crowd(_) => ours > theirs,
            Self::Trip(_) => ours < theirs,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self {
            Self::Stream(_) => "",
            Self::Crowd(_) => "4x4 ",
            Self::Trip(_) => "rtt ",
        };
        match self.size() {
            size if size.is_multiple_of(1 << 20) => write!(f, "{prefix}{}MiB", size >> 20),
            size if size.is_multiple_of(1 << 10) => write!(f, "{prefix}{}KiB", size >> 10),
            size => write!(f, "{prefix}{size}B"),
        }
    }
}

/// Who moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// This library.
    Laneway,
    /// Something else that people use between processes.
    Rival,
    /// Something else that people use between threads.
    Threads,
    /// What the machine does at best.
    Limit,
}

/// How both sides wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wait {
    /// Asks again at once.
    Spin,
    /// Gives up the core, and asks again.
    #[cfg_attr(not(feature = "rivals"), allow(dead_code, reason = "a rival's"))]
    Yield,
    /// Asks again for a while, then sleeps.
    Adaptive,
    /// Sleeps on a futex, in a condition or for a semaphore.
    Park,
    /// Sleeps in the system call that moves the message.
    Kernel,
    /// Does not.
    Never,
}

impl Wait {
    /// Its word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Adaptive => "adaptive",
            Self::Park => "park",
            Self::Kernel => "kernel",
            Self::Never => "\u{2013}",
        }
    }
}

/// What a row is called in a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Label {
    /// What is moved.
    pub(crate) work: Work,
    /// By whom.
    pub(crate) who: String,
    /// What that is.
    pub(crate) kind: Kind,
    /// How it waits.
    pub(crate) wait: Wait,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.work, self.who)
    }
}

/// What has to be there before a row, or why it cannot be.
pub(crate) type Need = fn() -> Result<(), String>;

/// A row that can be played.
pub(crate) struct Row {
    /// What it is called.
    pub(crate) label: Label,
    /// Asked once, in the tool's own process, before the first row.
    pub(crate) need: Need,
    /// Plays so many slices.
    pub(crate) run: Box<dyn Fn(u32) -> Vec<Slice>>,
}

impl Row {
    /// A row that needs nothing.
    pub(crate) fn new(
        kind: Kind,
        work: Work,
        who: &str,
        wait: Wait,
        run: impl Fn(u32) -> Vec<Slice> + 'static,
    ) -> Self {
        let who = who.to_owned();
        Self {
            label: Label {
                work,
                who,
                kind,
                wait,
            },
            need: || Ok(()),
            run: Box::new(run),
        }
    }

    /// The same row, if this is there.
    pub(crate) fn needs(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// A row of a rival that this program was built without.
    #[cfg_attr(
        all(feature = "rivals", feature = "zeromq"),
        allow(dead_code, reason = "nothing is left out")
    )]
    pub(crate) fn left_out(work: Work, who: &str, wait: Wait, need: Need) -> Self {
        Self::new(Kind::Rival, work, who, wait, |_| Vec::new()).needs(need)
    }
}
