//! A live ring's memory, as another process sees it.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use memmap2::MmapRaw;

/// All words of a segment.
#[derive(Debug)]
pub(crate) struct Words(MmapRaw);

impl Words {
    /// Maps what a descriptor names.
    pub(crate) fn map(fd: BorrowedFd<'_>) -> Self {
        let file = File::from(fd.as_fd().try_clone_to_owned().expect("a descriptor"));
        Self(MmapRaw::map_raw(&file).expect("a segment maps"))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len() / 8
    }

    #[expect(unsafe_code, reason = "no crate lends shared memory as atomics")]
    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.count());
        let place = self.0.as_mut_ptr().wrapping_add(index * 8).cast();
        // SAFETY: within the mapping by the assertion above, which starts at a page; as an atomic only, for as long as `self` lives.
        unsafe { AtomicU64::from_ptr(place) }
    }

    pub(crate) fn get(&self, index: usize) -> u64 {
        self.word(index).load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, index: usize, value: u64) {
        self.word(index).store(value, Ordering::Relaxed);
    }
}
