//! Words in memory that two processes share, without a name: for what is measured below any channel.

use std::{
    fs::File,
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use memmap2::MmapRaw;
use nix::{
    sys::memfd::{MFdFlags, memfd_create},
    unistd::ftruncate,
};

use crate::sync::{AtomicU32, AtomicU64};

/// How many there are.
const COUNT: usize = 4;
/// How far apart they lie: no two share a cache line, nor a pair of lines that are fetched together.
const STRIDE: usize = 256;

/// A few words, each in a cache line of its own, all zero at first.
#[derive(Debug)]
pub(crate) struct Words(MmapRaw);

impl Words {
    /// Memory for them.
    pub(crate) fn create() -> io::Result<OwnedFd> {
        let fd = memfd_create("laneway", MFdFlags::MFD_CLOEXEC)?;
        let len = COUNT * STRIDE;
        ftruncate(&fd, libc::off_t::try_from(len).map_err(io::Error::other)?)?;
        Ok(fd)
    }

    /// Maps memory that [`create`](Self::create) made.
    pub(crate) fn open(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let map = MmapRaw::map_raw(&File::from(fd.try_clone_to_owned()?))?;
        if map.len() < COUNT * STRIDE {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(map))
    }

    /// Where word `index` lies: within the mapping, whatever the index.
    fn place(&self, index: usize) -> *mut u8 {
        self.0.as_mut_ptr().wrapping_add(index % COUNT * STRIDE)
    }

    /// Word `index`.
    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: by S3 and S7; the place is aligned, and mapped as long as `self` lives.
        unsafe { AtomicU64::from_ptr(self.place(index).cast()) }
    }

    /// The first half of word `index`, to sleep on.
    pub(crate) fn half(&self, index: usize) -> &AtomicU32 {
        // SAFETY: by S3 and S7; the place is aligned, and mapped as long as `self` lives.
        unsafe { AtomicU32::from_ptr(self.place(index).cast()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sync::Ordering;

    #[test]
    fn two_mappings_are_the_same_memory() {
        let fd = Words::create().expect("memory");
        let (ours, theirs) = (Words::open(fd.as_fd()), Words::open(fd.as_fd()));
        let (ours, theirs) = (ours.expect("maps"), theirs.expect("maps"));
        for index in 0..COUNT {
            // ORDERING: Relaxed; one thread.
            ours.word(index).store(index as u64 + 1, Ordering::Relaxed);
        }
        for index in 0..COUNT {
            // ORDERING: Relaxed; one thread.
            let word = theirs.word(index).load(Ordering::Relaxed);
            assert_eq!(word, index as u64 + 1);
        }
        let empty = memfd_create("laneway", MFdFlags::MFD_CLOEXEC).expect("memory");
        assert!(Words::open(empty.as_fd()).is_err());
    }
}
