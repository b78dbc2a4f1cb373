//! What many slices come to.

use std::fmt;

use crate::{
    saved::{Line, Outcome},
    slices::{Distance, Slice},
};

/// Median, quartiles and number of the slices of a row at one distance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) quartiles: [f64; 2],
    count: usize,
}

impl Line {
    /// `None` if there are not enough.
    pub(crate) fn figure(&self, distance: Distance) -> Option<Figure> {
        let Outcome::Measured(slices) = &self.outcome else {
            return None;
        };
        Figure::of(slices, distance)
    }
}

impl Figure {
    fn of(slices: &[Slice], distance: Distance) -> Option<Self> {
        let here = slices.iter().filter(|slice| slice.distance == distance);
        let mut values: Vec<f64> = here.map(|slice| slice.value).collect();
        if values.len() < 3 {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values[(values.len() - 1) * part / 4];
        Some(Self {
            median: at(2),
            quartiles: [at(1), at(3)],
            count: values.len(),
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.quartiles.map(digits);
        write!(
            f,
            "{} ({low}\u{2013}{high}) {}",
            digits(self.median),
            self.count
        )
    }
}

/// A value with four digits that count, or five.
fn digits(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 100.0 => format!("{v:.1}"),
        v if v >= 10.0 => format!("{v:.2}"),
        v if v >= 1.0 => format!("{v:.3}"),
        v => format!("{v:.4}"),
    }
}
