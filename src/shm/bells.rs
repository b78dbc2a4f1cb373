//! The bells of a segment: what its ends sleep for, and how everybody is told who came and went.

use std::sync::Arc;

use crate::{
    End,
    shm::{layout::Header, segment::Segment},
    sync::{Ordering, fence},
    sys::report::Object,
    wait::Bell,
};

impl Segment {
    /// What consumers sleep for.
    #[inline]
    pub(crate) fn items(&self) -> Bell<'_> {
        let header = self.header();
        Bell {
            event: &header.producer.moved,
            fences: &header.identity.fences,
            object: self.object(),
        }
    }

    /// What producers sleep for.
    #[inline]
    pub(crate) fn room(&self) -> Bell<'_> {
        let header = self.header();
        Bell {
            event: &header.consumer.moved,
            fences: &header.identity.fences,
            object: self.object(),
        }
    }

    /// What changes when the bell of such an end is rung, also after this end is gone.
    pub(crate) fn rung(&self, end: End) -> impl Fn() -> u32 + Send + 'static {
        let mapping = Arc::clone(self.mapped());
        move || {
            let header = mapping.header();
            match end {
                End::Sender => header.consumer.moved.word(),
                End::Receiver => header.producer.moved.word(),
            }
        }
    }

    /// Counts a change and rings both bells, also after this end is gone: for those who have somebody die.
    pub(crate) fn alarm(&self) -> impl Fn() + Send + 'static {
        let mapping = Arc::clone(self.mapped());
        let object = self.object().clone();
        move || announce(mapping.header(), &object)
    }

    /// Counts an opening or closing, and wakes everybody to look who is there.
    pub(crate) fn announce(&self) {
        announce(self.header(), self.object());
    }
}

/// Counts a change, and wakes everybody.
fn announce(header: &Header, object: &Object) {
    // ORDERING: Release; pairs with the Acquire in `changes`.
    header.identity.changes.fetch_add(1, Ordering::Release);
    // ORDERING: SeqCst; pairs with the fence in `settle`: who is not seen to await this sees the change.
    fence(Ordering::SeqCst);
    header.producer.moved.wake(object);
    header.consumer.moved.wake(object);
}
