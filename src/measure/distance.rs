//! How far apart the two cores are on which messages are sent and received.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far apart two cores are, by the round trip of a cache line. On a virtual machine it changes several times a
/// second, so figures are compared within one distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Less than 60 ns: as between two threads of one core.
    Core,
    /// Less than 220 ns: as between two cores that share a cache.
    Complex,
    /// More.
    Far,
}

impl Distance {
    /// From near to far.
    pub const ALL: [Self; 3] = [Self::Core, Self::Complex, Self::Far];

    /// The distance of cores between which a cache line takes so many nanoseconds there and back.
    #[must_use]
    pub const fn of(nanos: f64) -> Self {
        match nanos {
            n if n < 60.0 => Self::Core,
            n if n < 220.0 => Self::Complex,
            _ => Self::Far,
        }
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Complex => "complex",
            Self::Far => "far",
        }
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What share of the time was spent at each distance; together 1, or all 0 if none was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shares {
    /// At [`Distance::Core`].
    pub core: f64,
    /// At [`Distance::Complex`].
    pub complex: f64,
    /// At [`Distance::Far`].
    pub far: f64,
    /// Where the distance was not the same before and after: not compared.
    pub changed: f64,
}

impl Shares {
    /// Of times in seconds, each at a distance, or `None` where it changed.
    #[must_use]
    pub fn of(times: impl IntoIterator<Item = (Option<Distance>, f64)>) -> Self {
        let mut shares = Self::default();
        let mut all = 0.0;
        for (distance, seconds) in times {
            *shares.part(distance) += seconds;
            all += seconds;
        }
        if all > 0.0 {
            for distance in [
                None,
                Some(Distance::Core),
                Some(Distance::Complex),
                Some(Distance::Far),
            ] {
                *shares.part(distance) /= all;
            }
        }
        shares
    }

    const fn part(&mut self, distance: Option<Distance>) -> &mut f64 {
        match distance {
            Some(Distance::Core) => &mut self.core,
            Some(Distance::Complex) => &mut self.complex,
            Some(Distance::Far) => &mut self.far,
            None => &mut self.changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_make_one() {
        let times = [
            (Some(Distance::of(27.0)), 1.0),
            (Some(Distance::of(100.0)), 2.0),
            (Some(Distance::of(400.0)), 4.0),
            (None, 1.0),
        ];
        let shares = Shares::of(times);
        assert_eq!(
            (shares.core, shares.complex, shares.far, shares.changed),
            (0.125, 0.25, 0.5, 0.125)
        );
        assert_eq!(Shares::of([]), Shares::default());
    }
}
