//! Where a number stands in a plot.

/// A scale from numbers to places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    scale: Scale,
    /// The numbers at its ends.
    low: f64,
    high: f64,
    /// The places of its ends.
    start: f64,
    end: f64,
}

/// How numbers are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    /// Ten times as much is as far everywhere.
    Log,
}

/// The numbers between which one looks for round ones.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// From so many decades on only powers of ten are marked.
const DECADES: f64 = 2.5;

impl Axis {
    /// A logarithmic one from the round number below the least to the round number above the greatest.
    pub(super) fn log(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let values = values.filter(|value| *value > 0.0 && value.is_finite());
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (low, high) = if low > high { (1.0, 10.0) } else { (low, high) };
        // A little room, so that nothing stands on the border.
        Self::between(below(low * 0.98), above(high * 1.02), start, end)
    }

    /// A logarithmic one between these numbers.
    pub(super) const fn between(low: f64, high: f64, start: f64, end: f64) -> Self {
        Self {
            scale: Scale::Log,
            low,
            high,
            start,
            end,
        }
    }

    /// A linear one from 0 to the greatest and a bit.
    pub(super) fn linear(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let high = values.fold(0.0_f64, f64::max);
        let high = if high > 0.0 { high } else { 1.0 };
        Self {
            scale: Scale::Linear,
            low: 0.0,
            high,
            start,
            end,
        }
    }

    /// Where a number stands; at an end if it is beyond.
    pub(super) fn at(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => {
                (value.max(f64::MIN_POSITIVE) / self.low).log10() / (self.high / self.low).log10()
            }
        };
        self.start + part.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// Round numbers on it.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = below(self.high / 3.0);
                let all = (0..8).map(|number| f64::from(number) * step);
                all.filter(|tick| *tick <= self.high).collect()
            }
            Scale::Log => {
                let many = (self.high / self.low).log10() > DECADES;
                let mut tick = self.low;
                let mut all = Vec::new();
                while tick <= self.high * 1.001 {
                    if !many || is_power(tick) {
                        all.push(tick);
                    }
                    tick = above(tick * 1.01);
                }
                all
            }
        }
    }
}

fn is_power(number: f64) -> bool {
    let log = number.log10();
    (log - log.round()).abs() < 1e-6
}

/// The greatest round number that is not greater.
fn below(number: f64) -> f64 {
    let decade = 10f64.powf(number.log10().floor());
    let steps = STEPS.iter().rev().map(|step| step * decade);
    let mut fits = steps.filter(|round| *round <= number * 1.000_001);
    fits.next().unwrap_or(decade)
}

/// The least round number that is not less.
fn above(number: f64) -> f64 {
    let decade = 10f64.powf(number.log10().floor());
    let steps = STEPS.iter().chain(&[10.0]).map(|step| step * decade);
    let mut fits = steps.filter(|round| *round >= number * 0.999_999);
    fits.next().unwrap_or(decade * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 1e-6
    }

    #[test]
    fn ten_times_as_much_is_as_far_everywhere() {
        let axis = Axis::log([3.0, 4000.0].into_iter(), 300.0, 0.0);
        let step = axis.at(10.0) - axis.at(100.0);
        assert!(is_near(step, axis.at(100.0) - axis.at(1000.0)));
        assert!(axis.at(3.0) < 300.0 && axis.at(4000.0) > 0.0);
        let ticks = axis.ticks();
        assert!(
            ticks
                .iter()
                .zip([10.0, 100.0, 1000.0])
                .all(|(a, b)| is_near(*a, b))
        );
    }

    #[test]
    fn a_single_number_and_none_have_an_axis_too() {
        let one = Axis::log([64.0].into_iter(), 0.0, 100.0);
        assert!(one.at(64.0) > 0.0 && one.at(64.0) < 100.0);
        assert_eq!(one.ticks().len(), 2);
        let none = Axis::log([].into_iter(), 0.0, 100.0);
        assert!(none.at(5.0).is_finite());
        let nothing = Axis::linear([0.0].into_iter(), 0.0, 100.0);
        assert!(nothing.at(0.0).abs() < 1e-9);
    }

    #[test]
    fn linear_ticks_are_round() {
        let axis = Axis::linear([730.0].into_iter(), 0.0, 100.0);
        assert_eq!(axis.ticks(), [0.0, 200.0, 400.0, 600.0]);
    }
}
