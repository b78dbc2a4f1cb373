//! Rings: pure algorithms over memory that somebody else owns. They never block and know no system call.
//!
//! Invariants that the SAFETY comments cite:
//!
//! * R1. `Data` covers `capacity` bytes that stay mapped, readable and writable, as long as it lives; its
//!   start is 8-aligned, and `capacity` is a power of two, 8 at least.
//! * R2. An access is made only after its offset was masked to less than `capacity`, and its length compared with
//!   what is left behind the offset. Both are locals: what came from shared memory was read once.
//! * R3. Bytes between head and tail belong to consumers, the others to producers. A side moves its
//!   cursor only under its lock. Honest processes therefore never touch the same bytes at once; a dishonest
//!   one makes garbage of the contents and nothing else, since no reference to them is ever formed.
//! * R4. In the ring for one producer and one consumer, a reservation belongs to the only producer until
//!   its header is stored, and a published record to the only consumer until the head is moved. The borrow of the
//!   endpoint keeps it from doing either while a slice is lent.
//! * R5. In the broadcast ring all bytes are reached as atomic words, by its producer too: there any byte may be written while others read it.
//!
//! ```text
//!            head                         tail
//!   free      |  record  record  padding   |      free
//!             consumers move it            producers move it, after the bytes before it are written
//! ```

pub(crate) mod broadcast;
pub(crate) mod copy;
pub(crate) mod locked;
pub(crate) mod mpmc;
pub(crate) mod pace;
pub(crate) mod record;
pub(crate) mod spsc;
pub(crate) mod state;

use std::{marker::PhantomData, ptr::NonNull};

use crate::sync::{AtomicU64, Ordering};

/// The bytes of a ring. Offsets count from the ring's birth and are masked here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data<'a> {
    start: NonNull<u8>,
    /// The capacity less one.
    mask: usize,
    _memory: PhantomData<&'a ()>,
}

// SAFETY: by R3 and R4; it is an address, and what may be done with it does not depend on the thread.
unsafe impl Send for Data<'_> {}
// SAFETY: as above.
unsafe impl Sync for Data<'_> {}

/// Lets producers get ahead, before the consumer looks at what they are writing: to look at once would take from them the
/// line that they are at; a moment later there are several messages.
#[cold]
#[inline(never)]
pub(crate) fn hold_off() {
    // Measured: a quarter of it costs a third of the rate, four times of it gains nothing.
    for _ in 0..64 {
        std::hint::spin_loop();
    }
}

/// An access that would leave the ring, or cross its end: somebody wrote nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfBounds;

impl Data<'_> {
    /// The bytes from `start`.
    ///
    /// # Safety
    /// R1 must hold for `'a`.
    pub(crate) const unsafe fn new(start: NonNull<u8>, capacity: usize) -> Self {
        Self {
            start,
            mask: capacity - 1,
            _memory: PhantomData,
        }
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// Where `offset` falls, and how many bytes there are from it to the end.
    #[inline]
    pub(crate) fn place(&self, offset: u64) -> (usize, usize) {
        // The mask keeps what fits a usize, since the capacity does.
        let at = usize::try_from(offset & self.mask as u64).unwrap_or(0);
        (at, self.mask + 1 - at)
    }

    /// Copies `bytes` to `offset`.
    #[inline]
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        match bytes.len() > copy::PIECE {
            true => self.write_long(offset, bytes),
            false => self.write_short(offset, bytes),
        }
    }

    /// The same of a few bytes, [`copy::PIECE`] at most, where instructions count.
    #[inline(always)]
    pub(crate) fn write_short(&self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let to = self.range(offset, bytes.len())?;
        // SAFETY: by R1, R2 and R3.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        Ok(())
    }

    /// Copies bytes from `offset` until `buf` is full.
    #[inline]
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), OutOfBounds> {
        match buf.len() > copy::PIECE {
            true => self.read_long(offset, buf),
            false => self.read_short(offset, buf),
        }
    }

    /// The same of a few bytes, [`copy::PIECE`] at most.
    #[inline(always)]
    pub(crate) fn read_short(&self, offset: u64, buf: &mut [u8]) -> Result<(), OutOfBounds> {
        let len = buf.len();
        let from = self.range(offset, len)?;
        // SAFETY: by R1, R2 and R3.
        unsafe { from.copy_to_nonoverlapping(NonNull::from(buf).cast(), len) };
        Ok(())
    }

    /// The same of many bytes; by value, so that the caller need not have it in memory.
    #[cold]
    #[inline(never)]
    fn write_long(self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let all = self.range(offset, bytes.len())?;
        let size = copy::piece(all.as_ptr(), bytes.as_ptr(), bytes.len());
        let mut at = offset;
        for piece in bytes.chunks(size) {
            let to = self.range(at, piece.len())?;
            // SAFETY: by R1, R2 and R3.
            unsafe { to.copy_from_nonoverlapping(NonNull::from(piece).cast(), piece.len()) };
            at = at.wrapping_add(piece.len() as u64);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn read_long(self, offset: u64, buf: &mut [u8]) -> Result<(), OutOfBounds> {
        let all = self.range(offset, buf.len())?;
        let size = copy::piece(buf.as_ptr(), all.as_ptr(), buf.len());
        let mut at = offset;
        for piece in buf.chunks_mut(size) {
            let len = piece.len();
            let from = self.range(at, len)?;
            // SAFETY: by R1, R2 and R3.
            unsafe { from.copy_to_nonoverlapping(NonNull::from(piece).cast(), len) };
            at = at.wrapping_add(len as u64);
        }
        Ok(())
    }

    /// The word at `offset`, which is taken down to a multiple of eight.
    #[inline]
    pub(crate) fn word(&self, offset: u64) -> &AtomicU64 {
        let (at, _) = self.place(offset & !7);
        // SAFETY: by R1 and R2; from a multiple of eight there are eight bytes, since the capacity is one too.
        let place = unsafe { self.start.add(at) };
        // SAFETY: by R1 and R2; headers are only ever reached as atomics.
        unsafe { place.cast().as_ref() }
    }

    /// Copies `bytes` to `offset`, a multiple of eight, round the end if need be, and fills up the last word: for readers that may look meanwhile.
    #[inline]
    pub(crate) fn store(&self, offset: u64, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        let mut at = offset;
        for word in words {
            // ORDERING: Relaxed; readers find out afterwards whether it was what they wanted.
            self.word(at)
                .store(u64::from_ne_bytes(*word), Ordering::Relaxed);
            at = at.wrapping_add(8);
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            // ORDERING: Relaxed; as above.
            self.word(at)
                .store(u64::from_ne_bytes(last), Ordering::Relaxed);
        }
    }

    /// Copies from `offset`, a multiple of eight, round the end if need be, until `buf` is full. Whether anybody wrote there meanwhile is for
    /// the caller to find out.
    #[inline]
    pub(crate) fn load(&self, offset: u64, buf: &mut [u8]) {
        let (words, rest) = buf.as_chunks_mut();
        let mut at = offset;
        for word in words {
            // ORDERING: Relaxed; the caller fences, and looks whether it still is what it wanted.
            *word = self.word(at).load(Ordering::Relaxed).to_ne_bytes();
            at = at.wrapping_add(8);
        }
        if !rest.is_empty() {
            // ORDERING: Relaxed; as above.
            let last = self.word(at).load(Ordering::Relaxed).to_ne_bytes();
            for (to, from) in rest.iter_mut().zip(last) {
                *to = from;
            }
        }
    }

    /// Where `len` bytes from `offset` start.
    #[inline]
    fn range(&self, offset: u64, len: usize) -> Result<NonNull<u8>, OutOfBounds> {
        let (at, left) = self.place(offset);
        if len > left {
            return Err(OutOfBounds);
        }
        // SAFETY: by R1 and R2.
        Ok(unsafe { self.start.add(at) })
    }
}
