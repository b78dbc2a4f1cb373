//! The processor cores that are measured on.

use std::str::FromStr;

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use crate::exit::Failure;

/// Cores by number, as in `0,2-3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// Keeps this process, and those that it starts, to these.
    pub(crate) fn stay(&self) -> Result<(), Failure> {
        let failed = |error: Errno| Failure::Cores(error.into());
        let mut set = CpuSet::new();
        self.0
            .iter()
            .try_for_each(|core| set.set(*core))
            .map_err(failed)?;
        sched_setaffinity(Pid::from_raw(0), &set).map_err(failed)
    }
}

impl FromStr for Cores {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse::<usize>().ok();
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            (first <= last && last < CpuSet::count()).then_some(first..=last)
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        let ranges = ranges.ok_or("write core numbers, as in 0,1 or 0-3")?;
        Ok(Self(ranges.into_iter().flatten().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_read() {
        assert_eq!("0,2-4".parse(), Ok(Cores(vec![0, 2, 3, 4])));
        for wrong in ["", "a", "1-", "3-1", "0,", "-1", "99999999"] {
            assert!(wrong.parse::<Cores>().is_err(), "{wrong}");
        }
    }
}
