//! Stands for src/ring/mod.rs: memory that tells when two touch it at once.

#![allow(unsafe_code, reason = "lends bytes as the library's does")]

use std::{cell::UnsafeCell, fmt, ptr::NonNull};

use crate::sync::{AtomicU64, Ordering};

library!(copy, "ring_copy.rs");
library!(locked, "ring_locked.rs");
library!(mpmc, "ring_mpmc.rs");
library!(pace, "ring_pace.rs");
library!(record, "ring_record.rs");
library!(spsc, "ring_spsc.rs");
library!(state, "ring_state.rs");

/// The bytes of a ring. loom runs one thread at a time, so they are plain; that nobody touches what another writes is
/// checked word by word.
pub(crate) struct Memory {
    bytes: UnsafeCell<Vec<u64>>,
    /// The same words where they are read and stored as atomics: headers.
    words: Vec<AtomicU64>,
    /// Tells a race.
    cells: Vec<loom::cell::UnsafeCell<()>>,
    /// Whether any are headers.
    has_headers: bool,
}

// SAFETY: loom runs one thread at a time, and its cells panic where threads would meet.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn new(capacity: usize, has_headers: bool) -> Self {
        let count = capacity / 8;
        Self {
            bytes: UnsafeCell::new(vec![0; count]),
            words: if has_headers {
                (0..count).map(|_| AtomicU64::new(0)).collect()
            } else {
                Vec::new()
            },
            cells: (0..count)
                .map(|_| loom::cell::UnsafeCell::new(()))
                .collect(),
            has_headers,
        }
    }

    pub(crate) fn data(&self) -> Data<'_> {
        Data { memory: self }
    }
}

/// The library's, over such memory.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a> {
    memory: &'a Memory,
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Data")
    }
}

/// As in the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfBounds;

/// Passes time.
pub(crate) const fn hold_off() {}

impl<'a> Data<'a> {
    pub(crate) fn capacity(&self) -> usize {
        self.memory.cells.len() * 8
    }

    pub(crate) fn place(&self, offset: u64) -> (usize, usize) {
        let at = offset as usize & (self.capacity() - 1);
        (at, self.capacity() - at)
    }

    fn start(&self) -> NonNull<u8> {
        // SAFETY: nobody changes how many there are.
        let bytes = unsafe { &mut *self.memory.bytes.get() };
        NonNull::from(bytes.as_mut_slice()).cast()
    }

    /// Where `len` bytes from `offset` are, and the words they are in.
    fn find(
        &self,
        offset: u64,
        len: usize,
    ) -> Result<(usize, std::ops::Range<usize>), OutOfBounds> {
        let (at, left) = self.place(offset);
        if len > left {
            return Err(OutOfBounds);
        }
        Ok((at, at / 8..(at + len).div_ceil(8)))
    }

    pub(crate) fn write_short(&self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        self.write(offset, bytes)
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let (at, words) = self.find(offset, bytes.len())?;
        for word in words.clone() {
            self.memory.cells[word].with_mut(|_| ());
        }
        // SAFETY: within the memory.
        let to = unsafe { self.start().add(at) };
        // SAFETY: as many bytes, and nobody else is there: the cells would have told.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        if self.memory.has_headers {
            for word in words {
                // What an old text looks like to whoever takes it for a header.
                self.memory.words[word].store(u64::MAX, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    pub(crate) fn read_short(&self, offset: u64, buf: &mut [u8]) -> Result<(), OutOfBounds> {
        self.read(offset, buf)
    }

    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), OutOfBounds> {
        let len = buf.len();
        let from = self.range(offset, len)?;
        // SAFETY: within the memory, and nobody writes there: the cells would have told.
        unsafe { from.copy_to_nonoverlapping(NonNull::from(buf).cast(), len) };
        Ok(())
    }

    pub(crate) fn word(&self, offset: u64) -> &'a AtomicU64 {
        let (at, _) = self.place(offset & !7);
        // Headers may meet headers, but no text.
        self.memory.cells[at / 8].with(|_| ());
        &self.memory.words[at / 8]
    }

    pub(crate) fn range(&self, offset: u64, len: usize) -> Result<NonNull<u8>, OutOfBounds> {
        let (at, words) = self.find(offset, len)?;
        for word in words {
            self.memory.cells[word].with(|_| ());
        }
        // SAFETY: within the memory.
        Ok(unsafe { self.start().add(at) })
    }
}

/// Leaves at the first place what a sender leaves that dies between its claim and the tail.
pub(crate) fn die_claiming(ring: mpmc::Ring<'_>, owner: u16, len: usize) {
    use state::{Phase, State};

    let claim = State::new(0, Phase::CLAIMED, owner, len);
    assert_eq!(ring.change(0, State(0), claim), Ok(true));
}
