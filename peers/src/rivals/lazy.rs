//! What one side makes for itself after the fork.

/// Empty when its closure crosses to the other side, filled and emptied there.
pub(super) struct Lazy<T>(Option<T>);

// SAFETY: empty until `get`, and from then on used by one side alone, which is a process here.
unsafe impl<T> Send for Lazy<T> {}

impl<T> Lazy<T> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self(None)
    }

    /// What is there, made at the first call.
    #[inline]
    pub(super) fn get(&mut self, make: impl FnOnce() -> T) -> &mut T {
        self.0.get_or_insert_with(make)
    }

    /// Drops what is there.
    #[cfg(feature = "rivals")]
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}
