//! A figure that was taken several times.

use serde::{Deserialize, Serialize};

/// The median of a figure over rounds, and how far to trust it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// Where the 95 % interval of the median begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

impl Estimate {
    /// `None` without a value.
    ///
    /// The interval lies between two of the values, chosen by rank so that the median of all possible
    /// rounds is outside it with a chance of 5 % at most, whatever their distribution. Below 6 values that is all of them.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let upper = *sorted.get(count / 2)?;
        let lower = *sorted.get((count - 1) / 2)?;
        let cut = rank(count);
        Some(Self {
            median: f64::midpoint(lower, upper),
            low: *sorted.get(cut)?,
            high: *sorted.get(count - 1 - cut)?,
        })
    }

    /// A figure that is known.
    #[must_use]
    pub const fn exactly(figure: f64) -> Self {
        Self {
            median: figure,
            low: figure,
            high: figure,
        }
    }

    /// Half the interval, as a part of the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        (self.high - self.low) / 2.0 / self.median
    }

    /// Whether the intervals meet, so that neither figure can be called larger.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// How many values may be left out at each end.
fn rank(count: usize) -> usize {
    // The chance that so many of `count` fair coins or fewer show heads.
    let (mut ways, mut sum, mut cut) = (0.5_f64.powf(count as f64), 0.0, 0);
    while cut < count / 2 {
        sum += ways;
        if sum > 0.025 {
            break;
        }
        cut += 1;
        ways *= (count + 1 - cut) as f64 / cut as f64;
    }
    cut.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // Values left out at each end of a 95 % interval of the median: sign test tables.
        for (count, cut) in [(5, 0), (6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (20, 5)] {
            assert_eq!(rank(count), cut, "{count} values");
        }
    }

    #[test]
    fn one_wild_round_of_nine_moves_nothing() {
        let steady = [10.0, 11.0, 9.0, 10.0, 10.5, 9.5, 10.0, 10.0, 10.0];
        let mut wild = steady;
        wild[0] = 1000.0;
        let estimate = Estimate::of(&wild).expect("values");
        assert!((estimate.median - 10.0).abs() < f64::EPSILON);
        assert!(estimate.high <= 11.0);
        assert!(Estimate::of(&[]).is_none());
    }

    #[test]
    fn intervals_meet_or_do_not() {
        let of = |low, high| Estimate {
            median: f64::midpoint(low, high),
            low,
            high,
        };
        assert!(of(1.0, 3.0).meets(&of(2.0, 4.0)));
        assert!(of(1.0, 9.0).meets(&of(2.0, 4.0)));
        assert!(!of(1.0, 2.0).meets(&of(2.5, 4.0)));
        assert!(!of(2.5, 4.0).meets(&of(1.0, 2.0)));
    }
}
