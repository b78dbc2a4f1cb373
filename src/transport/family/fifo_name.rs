//! The path of an open FIFO, and who removes it.

use std::{
    fs::{Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{fcntl::OFlag, sys::stat::Mode, unistd::Uid};

use crate::presence::{self, Gate};

/// Marks the FIFOs that we made, and so may remove; it means nothing else on a FIFO.
pub(crate) const OURS: Mode = Mode::S_ISVTX;

/// The path of a FIFO that is open, and which object it was. Dropped after the end has closed, it
/// removes what we made if nobody is left.
#[derive(Debug)]
pub(crate) struct FifoName {
    path: PathBuf,
    identity: (u64, u64),
    ours: bool,
}

impl FifoName {
    /// The name of the FIFO that has this metadata.
    pub(crate) fn new(path: &Path, meta: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            identity: (meta.dev(), meta.ino()),
            ours: meta.mode() & OURS.bits() != 0 && meta.uid() == Uid::effective().as_raw(),
        }
    }

    /// Whether the path still names that FIFO.
    pub(crate) fn is_there(&self) -> bool {
        let there = std::fs::symlink_metadata(&self.path);
        there.is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity)
    }

    fn leave(&self) -> io::Result<()> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
            .open(&self.path)?;
        let gate = Gate::enter(file)?;
        if self.is_there() && !presence::has_any(gate.object())? {
            std::fs::remove_file(&self.path)?;
        }
        Ok(())
    }
}

impl Drop for FifoName {
    fn drop(&mut self) {
        if self.ours && self.is_there() {
            // Nothing can be done about an error here, and the next to open uses what is left.
            let _ = self.leave();
        }
    }
}
