//! Numbers as people read them.

use std::fmt;

use crate::measure::Estimate;

/// A count, in thousands or millions where it is that large.
#[derive(Clone, Copy, Debug)]
pub struct Count(pub f64);

/// A time in nanoseconds, in the unit that suits it.
#[derive(Clone, Copy, Debug)]
pub struct Time(pub f64);

/// A share of one core, in percent.
#[derive(Clone, Copy, Debug)]
pub struct Share(pub f64);

/// A size, in the largest unit that divides it.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let fits = |shift: &(_, u32)| self.0 > 0 && self.0.trailing_zeros() >= shift.1;
        let (unit, shift) = units.into_iter().find(fits).unwrap_or(("B", 0));
        f.pad(&format!("{} {unit}", self.0 >> shift))
    }
}

/// Three digits, and what comes after them.
fn short(f: &mut fmt::Formatter<'_>, number: f64, unit: &str) -> fmt::Result {
    let digits = match number {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    f.pad(&format!("{number:.digits$}{unit}"))
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ..999.5 => f.pad(&format!("{:.0}", self.0)),
            ..999.5e3 => short(f, self.0 / 1e3, " k"),
            _ => short(f, self.0 / 1e6, " M"),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ..999.5 => f.pad(&format!("{:.0} ns", self.0)),
            ..999.5e3 => short(f, self.0 / 1e3, " us"),
            ..999.5e6 => short(f, self.0 / 1e6, " ms"),
            _ => short(f, self.0 / 1e9, " s"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        let digits = if percent < 9.95 { 1 } else { 0 };
        f.pad(&format!("{percent:.digits$} % of a core"))
    }
}

/// How many times, with the interval.
pub(super) fn times(ratio: &Estimate) -> String {
    let digits = if ratio.median < 2.0 { 2 } else { 1 };
    let Estimate { median, low, high } = ratio;
    format!("{median:.digits$} ({low:.digits$} to {high:.digits$}) times")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        let counts = [
            (0.0, "0"),
            (999.0, "999"),
            (1000.0, "1.00 k"),
            (45_670.0, "45.7 k"),
            (999_600.0, "1.00 M"),
            (123_456_789.0, "123 M"),
        ];
        for (number, text) in counts {
            assert_eq!(Count(number).to_string(), text);
        }
        let times = [(80.0, "80 ns"), (49_950.0, "50.0 us"), (2.5e9, "2.50 s")];
        for (nanos, text) in times {
            assert_eq!(Time(nanos).to_string(), text);
        }
        assert_eq!(format!("{:>8}", Time(80.0)), "   80 ns");
        let sizes = [0, 8, 1024, 1500, 3 << 20].map(|size| Bytes(size).to_string());
        assert_eq!(sizes, ["0 B", "8 B", "1 KiB", "1500 B", "3 MiB"]);
        assert_eq!(Share(0.0412).to_string(), "4.1 % of a core");
        assert_eq!(Share(1.5).to_string(), "150 % of a core");
    }
}
