//! Which processor cores there are for us, and staying on one.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The cores that this process may use; empty if the system does not tell.
pub(super) fn allowed() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else {
        return Vec::new();
    };
    let is_set = |core: &usize| set.is_set(*core).unwrap_or(false);
    (0..CpuSet::count()).filter(is_set).collect()
}

/// Keeps this process on `core`.
pub(super) fn stay_on(core: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// The core of a producer; `None` if there are not several. They are dealt out from the first on.
pub(super) fn of_producer(cores: &[usize], index: u16) -> Option<usize> {
    let several = cores.len() > 1;
    let core = cores.iter().cycle().nth(usize::from(index)).copied();
    core.filter(|_| several)
}

/// The core of a consumer. They are dealt out from the last on, so that one consumer never shares the core of one producer.
pub(super) fn of_consumer(cores: &[usize], index: u16) -> Option<usize> {
    let several = cores.len() > 1;
    let core = cores.iter().rev().cycle().nth(usize::from(index)).copied();
    core.filter(|_| several)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_dealt_out_from_both_ends() {
        let deal = |cores: &[usize]| {
            let producers: Vec<_> = (0..2).map(|index| of_producer(cores, index)).collect();
            let consumers: Vec<_> = (0..2).map(|index| of_consumer(cores, index)).collect();
            [producers, consumers].concat()
        };
        assert_eq!(deal(&[3, 5]), [Some(3), Some(5), Some(5), Some(3)]);
        assert_eq!(deal(&[0, 1, 2, 3]), [Some(0), Some(1), Some(3), Some(2)]);
        assert_eq!(deal(&[7]), [None; 4]);
        assert_eq!(deal(&[]), [None; 4]);
    }

    #[test]
    fn a_process_stays_on_a_core_that_it_may_use() {
        let cores = allowed();
        let first = *cores.first().expect("at least one");
        // In a thread of its own, since it is the thread that stays.
        let stayed = std::thread::spawn(move || stay_on(first).map(|()| allowed()));
        assert_eq!(stayed.join().expect("no panic"), Ok(vec![first]));
        assert_eq!(allowed(), cores);
    }
}
