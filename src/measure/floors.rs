//! What no transport can beat here.

use serde::{Deserialize, Serialize};

use crate::measure::{estimate::Estimate, floor::Floor};

/// What the machine itself takes, measured in the same run between two processes on the cores of the first producer and
/// the first consumer. `None` where they could not be measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Floors {
    /// A cache line there and back while both spin, in nanoseconds.
    pub cache_line: Option<Estimate>,
    /// Copying memory in one process, in bytes a second.
    pub memcpy: Option<Estimate>,
    /// A wake-up by futex there and back, in nanoseconds: both sleep.
    pub futex: Option<Estimate>,
    /// A byte there and back through two pipes, in nanoseconds: both sleep.
    pub pipe: Option<Estimate>,
}

/// What was played of each floor.
#[derive(Debug, Default)]
pub(super) struct Played {
    cache_line: Vec<f64>,
    memcpy: Vec<f64>,
    futex: Vec<f64>,
    pipe: Vec<f64>,
}

impl Played {
    /// Notes what came out, if it could be played.
    pub(super) fn note(&mut self, floor: Floor, figure: Option<f64>) {
        let figures = match floor {
            Floor::CacheLine => &mut self.cache_line,
            Floor::Memcpy => &mut self.memcpy,
            Floor::Futex => &mut self.futex,
            Floor::Pipe => &mut self.pipe,
        };
        figures.extend(figure);
    }

    pub(super) fn floors(&self) -> Floors {
        Floors {
            cache_line: Estimate::of(&self.cache_line),
            memcpy: Estimate::of(&self.memcpy),
            futex: Estimate::of(&self.futex),
            pipe: Estimate::of(&self.pipe),
        }
    }
}
