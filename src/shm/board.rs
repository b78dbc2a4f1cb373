//! Where the ends of kernel channels count: a board of slots in memory that other processes can find and read.
//!
//! A process has one board, an unnamed memfd, from its first such end to its last. Others find it in `/proc/PID/fd`, so it goes with its
//! process and there is nothing to clean up, ever. Where none can be made, an end counts for itself alone, and nothing fails.
//!
//! A forked child shares the slots of the ends that it has from its parent. For those that it opens it makes a board of its own.

use std::{
    fs::File,
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    process,
    ptr::NonNull,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak},
};

use memmap2::{MmapOptions, MmapRaw};
use nix::sys::{
    memfd::{MFdFlags, memfd_create},
    resource::{Resource, getrlimit},
    stat::fstat,
};

use crate::{
    Address, End, presence,
    shm::{layout::LAYOUT, meter::Meter},
    sync::{AtomicU32, Ordering},
    tally::Tally,
};

/// The name of the memfd.
pub(crate) const NAME: &str = "laneway-counters";
/// What a slot starts with.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"LANEWAY\x1b");
/// Bytes of a slot.
pub(crate) const SLOT: usize = 4096;
/// How many are mapped together.
const BLOCK: usize = 64;
/// How many there may be.
pub(crate) const MOST: usize = 1 << 16;

/// The words of a slot, before the text of its address.
pub(crate) const WORDS: usize = 16;
/// [`MAGIC`].
pub(crate) const IS_SLOT: usize = 0;
/// The layout of what is counted.
pub(crate) const VERSION: usize = 1;
/// 0 free, 1 a sender's, 2 a receiver's. Written last.
pub(crate) const END: usize = 2;
/// How many ends have had the slot before.
pub(crate) const TURN: usize = 3;
/// The device of the channel's object.
pub(crate) const DEV: usize = 4;
/// Its inode.
pub(crate) const INO: usize = 5;
/// Bytes that the channel holds.
pub(crate) const CAPACITY: usize = 6;
/// How long the text of the address is. One that does not fit is not there.
pub(crate) const LENGTH: usize = 7;
/// The counters.
pub(crate) const TALLY: usize = 8;
/// The longest address that a slot holds.
pub(crate) const TEXT: usize = SLOT - WORDS * 8;

const _: () = assert!(TALLY * 8 + size_of::<Tally>() == WORDS * 8);

/// The process that has the board in `BOARD`, 0 if none does.
static HOME: AtomicU32 = AtomicU32::new(0);
static BOARD: Mutex<Weak<Board>> = Mutex::new(Weak::new());

/// The board of a process.
struct Board {
    home: u32,
    file: File,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    blocks: Vec<Arc<MmapRaw>>,
    /// Those that are free, and how many ends have had each.
    free: Vec<(usize, u64)>,
}

/// A slot, while an end has it.
struct Slot {
    board: Arc<Board>,
    /// Keeps the counters mapped.
    _block: Arc<MmapRaw>,
    index: usize,
    turn: u64,
}

/// An end of a kernel channel, as others are to see it.
#[derive(Debug)]
pub(crate) struct Described<'a> {
    pub(crate) address: &'a Address,
    pub(crate) end: End,
    /// Device and inode of the channel's object.
    pub(crate) object: (u64, u64),
    pub(crate) capacity: usize,
}

/// Where a new end counts: on the board, or if there is none, in memory that nobody else sees.
pub(crate) fn meter(described: &Described<'_>) -> Meter {
    post(described).unwrap_or_else(|_| Meter::private())
}

fn post(described: &Described<'_>) -> io::Result<Meter> {
    let board = board()?;
    let mut slots = lock(&board.slots);
    if slots.free.is_empty() {
        board.grow(&mut slots)?;
    }
    let (index, turn) = slots.free.pop().ok_or(io::ErrorKind::QuotaExceeded)?;
    let block = slots.blocks.get(index / BLOCK).map(Arc::clone);
    drop(slots);
    let block = block.ok_or(io::ErrorKind::NotFound)?;
    let start = NonNull::new(block.as_mut_ptr()).ok_or(io::ErrorKind::NotFound)?;
    let slot = Slot {
        board,
        _block: block,
        index,
        turn,
    };
    slot.write(described)?;
    let at = index % BLOCK * SLOT + TALLY * 8;
    // SAFETY: by M5; a block has `BLOCK` slots, and each of them its counters there.
    let tally = unsafe { start.add(at) };
    // SAFETY: by M5; the slot keeps its block mapped, and counters lie at a multiple of eight.
    Ok(unsafe { Meter::new(tally.cast(), Arc::new(slot)) })
}

/// The board of this process.
fn board() -> io::Result<Arc<Board>> {
    let home = process::id();
    // ORDERING: Relaxed; what it guards is under the mutex.
    let known = HOME.load(Ordering::Relaxed);
    let mut board = match known == 0 || known == home {
        true => lock(&BOARD),
        // A forked child may find the mutex held by a thread that it does not have.
        false => match BOARD.try_lock() {
            Ok(board) => board,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        },
    };
    if let Some(found) = board.upgrade().filter(|board| board.home == home) {
        return Ok(found);
    }
    let fd = memfd_create(NAME, MFdFlags::MFD_CLOEXEC)?;
    // Out of the way of the program's own.
    let fd = presence::aside(&fd).unwrap_or(fd);
    let made = Arc::new(Board {
        home,
        file: fd.into(),
        slots: Mutex::default(),
    });
    *board = Arc::downgrade(&made);
    // ORDERING: Relaxed; as above.
    HOME.store(home, Ordering::Relaxed);
    Ok(made)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in there is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// Maps some more slots.
    fn grow(&self, slots: &mut Slots) -> io::Result<()> {
        let first = slots.blocks.len() * BLOCK;
        if first + BLOCK > MOST {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let len = ((first + BLOCK) * SLOT) as u64;
        // The kernel ends a process that asks for a longer file than it may have.
        let (longest, _) = getrlimit(Resource::RLIMIT_FSIZE)?;
        if len > longest {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.set_len(len)?;
        let block = MmapOptions::new()
            .offset((first * SLOT) as u64)
            .len(BLOCK * SLOT)
            .map_raw(&self.file)?;
        slots.blocks.push(Arc::new(block));
        slots
            .free
            .extend((first..first + BLOCK).rev().map(|index| (index, 0)));
        Ok(())
    }
}

impl Slot {
    /// Where a word is in the file.
    fn at(&self, word: usize) -> u64 {
        (self.index * SLOT + word * 8) as u64
    }

    /// Writes what the slot says, and who has it last. By the file, since others only read that.
    fn write(&self, described: &Described<'_>) -> io::Result<()> {
        let text = described.address.to_string();
        let (dev, ino) = described.object;
        let mut words = [0; WORDS];
        let told = [
            (IS_SLOT, MAGIC),
            (VERSION, LAYOUT.into()),
            (TURN, self.turn),
            (DEV, dev),
            (INO, ino),
            (CAPACITY, described.capacity as u64),
            (LENGTH, text.len() as u64),
        ];
        for (word, number) in told {
            if let Some(word) = words.get_mut(word) {
                *word = number;
            }
        }
        let file = &self.board.file;
        file.write_all_at(bytemuck::cast_slice(&words), self.at(0))?;
        if text.len() <= TEXT {
            file.write_all_at(text.as_bytes(), self.at(WORDS))?;
        }
        self.set_end(match described.end {
            End::Sender => 1,
            End::Receiver => 2,
        })
    }

    fn set_end(&self, end: u64) -> io::Result<()> {
        self.board
            .file
            .write_all_at(&end.to_ne_bytes(), self.at(END))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // In a forked child it is still its parent's.
        if self.board.home == process::id() && self.set_end(0).is_ok() {
            let back = (self.index, self.turn.wrapping_add(1));
            lock(&self.board.slots).free.push(back);
        }
    }
}

/// Device and inode of what a descriptor names.
pub(crate) fn object(fd: impl AsFd) -> (u64, u64) {
    fstat(fd).map_or((0, 0), |stat| (stat.st_dev, stat.st_ino))
}
