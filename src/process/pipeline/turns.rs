//! In which order the lanes of a link are used, so that what is dealt out comes together again in the order of the source.
//!
//! An item of the source is a turn, and so is all that becomes of it. Turn `t` belongs to worker `t mod n` of every stage of `n` workers. So a
//! worker knows by counting from whose lane its next turn comes and on whose it goes, and nothing has to be numbered or put aside. The
//! earliest turn that is not finished has nothing before it at any worker, so it always gets on, however short the lanes are.

/// What stands behind an item where turns are marked.
pub(super) const ITEM: u8 = 0;
/// What stands alone where a turn is over.
pub(super) const OVER: u8 = 1;

/// The lanes of one end of a link, as one process takes its turns on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    /// That of this turn.
    pub(super) lane: usize,
    /// How many further on that of the next one is.
    step: usize,
    lanes: usize,
    /// Whether the end of a turn is said, because a turn is not always one item.
    pub(super) marked: bool,
}

impl Turns {
    /// Those of a worker with this index, of so many, over so many lanes.
    pub(super) fn new(worker: usize, workers: usize, lanes: usize, marked: bool) -> Self {
        let lanes = lanes.max(1);
        Self {
            lane: worker % lanes,
            step: workers % lanes,
            lanes,
            marked,
        }
    }

    /// The turn is over.
    #[inline]
    pub(super) fn step(&mut self) {
        self.lane += self.step;
        if self.lane >= self.lanes {
            self.lane -= self.lanes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every turn goes out on the lane on which it is waited for, whatever the numbers of workers.
    #[test]
    fn both_ends_take_the_same_turns() {
        for before in 1..6 {
            for behind in 1..6 {
                let ends = |workers, lanes| {
                    let all =
                        (0..workers).map(move |worker| Turns::new(worker, workers, lanes, false));
                    all.collect::<Vec<_>>()
                };
                let (mut senders, mut receivers) = (ends(before, behind), ends(behind, before));
                for turn in 0..100 {
                    let (from, to) = (turn % before, turn % behind);
                    assert_eq!((senders[from].lane, receivers[to].lane), (to, from));
                    senders[from].step();
                    receivers[to].step();
                }
            }
        }
    }
}
