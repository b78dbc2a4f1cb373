//! Stands for src/tally.rs: counters that no model depends on.

use std::{marker::PhantomData, time::Duration};

/// As in the library, and counts nothing.
#[derive(Debug, Default)]
pub(crate) struct Tally;

/// For whoever needs one.
pub(crate) static TALLY: Tally = Tally;

/// Bytes that are not counted yet.
#[derive(Debug, Default)]
pub(crate) struct Uncounted(());

#[expect(clippy::unused_self, reason = "as the library's have it")]
impl Uncounted {
    pub(crate) fn add(&mut self, _: usize) {}
}

/// The same of waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits<'a>(PhantomData<&'a Tally>);

#[expect(clippy::unused_self, reason = "as the library's have it")]
impl Tally {
    pub(crate) fn add_messages(&self, _: usize) {}

    pub(crate) fn add_batch(&self, _: usize, _: &mut Uncounted) {}

    pub(crate) fn saw(&self, _: u64) {}
}

#[expect(clippy::unused_self, reason = "as the library's have it")]
impl Waits<'_> {
    pub(crate) fn begin(self) {}

    pub(crate) fn took(self, _: Duration) {}

    pub(crate) fn lasts(self, _: u64) {}

    pub(crate) fn is_over(self, _: u64, _: u64) {}

    pub(crate) fn woke(self) {}
}
