//! The path of an open FIFO, and who removes it.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::OFlag,
    sys::stat::{Mode, fstat},
    unistd::Uid,
};

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
            ours: is_ours(meta),
        }
    }

    /// Whether the path still names that FIFO.
    pub(crate) fn is_there(&self) -> bool {
        is_at(&self.path, self.identity)
    }

    /// Whether the path names something else. If it names nothing, it is no matter.
    pub(crate) fn is_another(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok() && !self.is_there()
    }

    /// Whether a descriptor is of the same FIFO.
    pub(crate) fn is(&self, fd: &OwnedFd) -> io::Result<bool> {
        let stat = fstat(fd)?;
        Ok((stat.st_dev, stat.st_ino) == self.identity)
    }

    fn leave(&self) -> io::Result<bool> {
        remove_unused(&self.path, self.identity)
    }
}

/// Whether we made the FIFO that has this metadata, and so may remove it.
pub(crate) fn is_ours(meta: &Metadata) -> bool {
    meta.mode() & OURS.bits() != 0 && meta.uid() == Uid::effective().as_raw()
}

/// Whether anybody has the FIFO at `path` open as an end. Opens it for a moment, which only a sender that looks just then can notice.
pub(crate) fn is_used(path: &Path) -> io::Result<bool> {
    presence::has_any(&look(path)?)
}

/// Removes a FIFO of ours, if it is still that one and nobody has it open; whether it did.
pub(crate) fn remove_unused(path: &Path, identity: (u64, u64)) -> io::Result<bool> {
    remove_this(look(path)?, path, identity)
}

/// The same by a descriptor of what was at the path.
fn remove_this(fifo: File, path: &Path, identity: (u64, u64)) -> io::Result<bool> {
    let gate = Gate::enter(fifo)?;
    let meta = gate.object().metadata()?;
    // A number is given again as soon as its file is gone, so the object whose gate is ours must have it: while that is open, the
    // number is nobody else's.
    let is_it = is_ours(&meta) && (meta.dev(), meta.ino()) == identity;
    let removes = is_it && is_at(path, identity) && !presence::has_any(gate.object())?;
    if removes {
        std::fs::remove_file(path)?;
    }
    Ok(removes)
}

fn look(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
        .open(path)
}

fn is_at(path: &Path, identity: (u64, u64)) -> bool {
    let there = std::fs::symlink_metadata(path);
    there.is_ok_and(|meta| (meta.dev(), meta.ino()) == identity)
}

impl Drop for FifoName {
    fn drop(&mut self) {
        if self.ours && self.is_there() {
            // Nothing can be done about an error here, and the next to open uses what is left.
            let _ = self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::mkfifo;

    use super::*;

    /// A FIFO that goes with its name.
    fn made(word: &str) -> FifoName {
        let name = format!("laneway-fifo-name.{}.{word}", std::process::id());
        let path = std::env::temp_dir().join(name);
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR | OURS).expect("makes");
        FifoName::new(&path, &std::fs::symlink_metadata(&path).expect("is there"))
    }

    #[test]
    fn a_fifo_that_got_the_number_of_another_stays() {
        let (first, second) = (made("first"), made("second"));
        // Whoever looked found the first, and by the time it has the gate the second is at the path.
        let late = look(&first.path).expect("opens");
        assert!(!remove_this(late, &second.path, second.identity).expect("asks"));
        assert!(second.is_there());
        assert!(remove_unused(&second.path, second.identity).expect("asks"));
        assert!(!second.is_there());
    }
}
