//! Words that processes tell each other, in a small segment without a name: a line of its own for each.

use std::{io, sync::Arc};

use crate::{
    Address, End, Handoff, OpenError, OpenErrorKind,
    shm::{
        layout::{LAYOUT, MAGIC, Shape},
        object::LEAST,
        plan::Plan,
        segment::Segment,
    },
    sync::AtomicU64,
};

/// Words of a line: as many bytes as two processes write apart from each other.
const LINE: usize = 16;

/// Whose lines they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// The kind of the segment.
    pub(super) number: u32,
    /// What stands for its address.
    pub(super) word: &'static str,
}

impl Kind {
    fn address(self) -> Address {
        Address::of(self.word, "".as_ref())
    }

    /// Opens with what `open` makes of the plan for so many lines.
    fn with_plan<T>(
        self,
        lines: usize,
        open: impl FnOnce(&Plan<'_>) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        open(&Plan {
            address: &self.address(),
            shape: Shape {
                magic: MAGIC,
                layout: LAYOUT,
                kind: self.number,
                capacity: LEAST as u64,
                max_message: 0,
                lock: 0,
                flags: 0,
                extra: 0,
                trailer: lines as u64 * LINE as u64 * 8,
            },
            explicit: false,
            exclusive: |_| false,
            is_sound: &|_| true,
            refuse: &|_| None,
            guarded: false,
            prepare: &|_, _| Ok(()),
            discard: Arc::new(|_| {}),
        })
    }
}

/// A hold on lines.
#[derive(Debug)]
pub(super) struct Lines {
    kind: Kind,
    segment: Segment,
}

impl Lines {
    /// So many new lines, all zeroes.
    pub(super) fn new(kind: Kind, lines: usize) -> Result<Self, OpenError> {
        // Its two ends are alike; one is enough.
        let (segment, _) = kind.with_plan(lines, Segment::pair)?;
        Ok(Self { kind, segment })
    }

    /// Takes the hold that was handed over. How many lines there are, the segment tells itself.
    pub(super) fn adopt(kind: Kind, lines: usize, handoff: Handoff) -> Result<Self, OpenError> {
        let Ok([fd]) = <[_; 1]>::try_from(handoff.fds) else {
            return Err(OpenError::new(handoff.address, OpenErrorKind::Handoff));
        };
        let segment = kind.with_plan(lines, |plan| Segment::adopt(fd, |_| None, plan))?;
        Ok(Self { kind, segment })
    }

    /// Another hold on the same, for another thread.
    pub(super) fn another(&self) -> Result<Self, OpenError> {
        let failed = |error| OpenError::os(self.kind.address(), error);
        Self::adopt(self.kind, 0, self.handoff().map_err(failed)?)
    }

    pub(super) fn handoff(&self) -> io::Result<Handoff> {
        Ok(Handoff {
            address: self.kind.address(),
            end: End::Sender,
            fds: vec![self.segment.another(End::Sender)?],
        })
    }

    /// A word of a line.
    #[inline]
    pub(super) fn word(&self, line: usize, word: usize) -> Option<&AtomicU64> {
        let start = line.checked_mul(LINE)?;
        self.segment.trailer().get(start.checked_add(word)?)
    }
}
