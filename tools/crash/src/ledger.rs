//! What the killed have done, written down by themselves where no death can tear it: each member writes eight bytes at a time
//! into its own part of a file in memory, and the kernel does that wholly or not at all.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use nix::sys::memfd::{MFdFlags, memfd_create};

/// The bytes of a member's cell, and of what it says at its end.
const CELL: u64 = 1 << 10;
const TEXT: u64 = 512;
/// Where the logs of receivers start, and how far each may go. The file has holes where nothing was written.
const LOGS: u64 = 1 << 30;
const LOG: u64 = 1 << 27;
/// How many bits of an entry are the number of the message.
const NUMBER: u32 = 40;

/// How far a member has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It does not have its end yet.
    Opening,
    /// It sends or receives.
    Open,
    /// It has ended as it should.
    Done,
    /// It met what a stream that a death has cut may show.
    Torn,
    /// It met what may not be.
    Wrong,
}

/// What those who run shall do. Bits.
pub(crate) const DRAIN: u64 = 1;
/// Senders do nothing any more, and wait to be killed.
pub(crate) const HOLD_SENDERS: u64 = 4;
/// The same for receivers.
pub(crate) const HOLD_RECEIVERS: u64 = 8;
/// Senders end.
pub(crate) const STOP: u64 = 2;

/// Who has sent what, and who has received what.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<File>);

impl Ledger {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = memfd_create("laneway-crash", MFdFlags::MFD_CLOEXEC)?;
        Ok(Self(Arc::new(fd.into())))
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.0.set_len(0)
    }

    fn word(&self, at: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        // Behind the end of the file nothing was written yet.
        self.0.read_at(&mut bytes, at)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn set(&self, at: u64, word: u64) -> io::Result<()> {
        self.0.write_all_at(&word.to_le_bytes(), at)
    }

    /// What those who run shall do.
    pub(crate) fn orders(&self) -> io::Result<u64> {
        self.word(0)
    }

    pub(crate) fn order(&self, orders: u64) -> io::Result<()> {
        self.set(0, orders)
    }

    /// The part of the member with this id, 1 or more.
    pub(crate) fn page(&self, id: u32) -> Page {
        Page {
            ledger: self.clone(),
            id,
            logged: 0,
        }
    }
}

/// One member's part.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    ledger: Ledger,
    id: u32,
    /// How many messages it has logged.
    logged: u64,
}

impl Page {
    fn cell(&self, word: u64) -> u64 {
        u64::from(self.id) * CELL + word * 8
    }

    fn log(&self, entry: u64) -> u64 {
        LOGS + u64::from(self.id) * LOG + entry * 8
    }

    pub(crate) fn orders(&self) -> io::Result<u64> {
        self.ledger.orders()
    }

    pub(crate) fn set_stage(&self, stage: Stage) -> io::Result<()> {
        let word = match stage {
            Stage::Opening => 0,
            Stage::Open => 1,
            Stage::Done => 2,
            Stage::Torn => 3,
            Stage::Wrong => 4,
        };
        self.ledger.set(self.cell(0), word)
    }

    pub(crate) fn stage(&self) -> io::Result<Stage> {
        Ok(match self.ledger.word(self.cell(0))? {
            0 => Stage::Opening,
            1 => Stage::Open,
            2 => Stage::Done,
            3 => Stage::Torn,
            _ => Stage::Wrong,
        })
    }

    /// Says why it ends so.
    pub(crate) fn say(&self, stage: Stage, text: &str) -> io::Result<()> {
        let room = usize::try_from(CELL - TEXT - 1).unwrap_or(0);
        let text = text.as_bytes();
        let text = text.get(..room).unwrap_or(text);
        self.ledger.0.write_all_at(text, self.cell(0) + TEXT)?;
        self.set_stage(stage)
    }

    pub(crate) fn said(&self) -> io::Result<String> {
        let mut bytes = vec![0; usize::try_from(CELL - TEXT).unwrap_or(0)];
        let read = self.ledger.0.read_at(&mut bytes, self.cell(0) + TEXT)?;
        let text = bytes.get(..read).unwrap_or_default();
        Ok(String::from_utf8_lossy(text)
            .trim_end_matches('\0')
            .to_owned())
    }

    /// Has it die at this point, counted from one, when it ends.
    pub(crate) fn arm(&self, point: u64) -> io::Result<()> {
        self.ledger.set(self.cell(3), point)
    }

    pub(crate) fn armed(&self) -> io::Result<u64> {
        self.ledger.word(self.cell(3))
    }

    /// A sender is about to send the messages up to this one.
    pub(crate) fn begin(&self, number: u64) -> io::Result<()> {
        self.ledger.set(self.cell(1), number)
    }

    /// The sends of all messages up to this one have returned.
    pub(crate) fn returned(&self, number: u64) -> io::Result<()> {
        self.ledger.set(self.cell(2), number)
    }

    /// What may have been sent, and what has been, at least.
    pub(crate) fn sent(&self) -> io::Result<(u64, u64)> {
        let begun = self.ledger.word(self.cell(1))?;
        Ok((begun, self.ledger.word(self.cell(2))?))
    }

    /// A receiver has received a message.
    pub(crate) fn received(&mut self, sender: u32, number: u64) -> io::Result<()> {
        if (self.logged + 1) * 8 >= LOG {
            return Err(io::Error::other("the log of this receiver is full"));
        }
        let entry = u64::from(sender) << NUMBER | number & ((1 << NUMBER) - 1);
        self.ledger.set(self.log(self.logged), entry)?;
        self.logged += 1;
        Ok(())
    }

    /// Whether it has received more than `count` messages.
    pub(crate) fn has_more_than(&self, count: u64) -> io::Result<bool> {
        Ok(self.ledger.word(self.log(count))? != 0)
    }

    /// How many messages it has received.
    pub(crate) fn count(&self) -> io::Result<u64> {
        let (mut low, mut high) = (0, LOG / 8 - 1);
        while low < high {
            let middle = low.midpoint(high);
            if self.has_more_than(middle)? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// What it has received, in order: sender and number.
    pub(crate) fn all_received(&self) -> io::Result<Vec<(u32, u64)>> {
        let count = self.count()?;
        let mut bytes = vec![0; usize::try_from(count * 8).map_err(io::Error::other)?];
        self.ledger.0.read_exact_at(&mut bytes, self.log(0))?;
        let entries = bytes.chunks_exact(8).filter_map(|chunk| {
            let entry = u64::from_le_bytes(chunk.try_into().ok()?);
            let sender = u32::try_from(entry >> NUMBER).ok()?;
            Some((sender, entry & ((1 << NUMBER) - 1)))
        });
        Ok(entries.collect())
    }
}
