//! Removing what nobody uses, by the code by which opening heals.

use std::{
    cell::Cell,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::fcntl::OFlag;

use crate::{
    inventory::{
        RemoveError, RemoveErrorKind, folder,
        object::{Kind, Object, State},
        segment, socket,
    },
    presence::Gate,
    shm::{layout::LAYOUT, name},
    transport::family::{
        fifo_name,
        queue_place::{self, remove_orphan},
    },
};

impl Object {
    /// What [`remove`](Self::remove) would say if the object is as it was when it was looked at. Touches nothing.
    ///
    /// # Errors
    /// As for [`remove`](Self::remove).
    pub fn check(&self) -> Result<(), RemoveError> {
        let kind = match self.state {
            State::Live => RemoveErrorKind::Live,
            State::Foreign(why) => RemoveErrorKind::Foreign(why),
            State::Corrupt(why) => RemoveErrorKind::Corrupt(why),
            State::Stale | State::HalfMade => return Ok(()),
        };
        Err(RemoveError::new(self.path.clone(), kind))
    }

    /// Removes it if nobody has it open now, however it stood when it was looked at. Of a queue, the queue in the kernel and the path
    /// that was made for it go too.
    ///
    /// Takes the lock that whoever opens or closes it takes, and waits for that up to 10 seconds. Whoever opens it at the same time either makes it
    /// live, and it stays, or makes it anew. Killed in the middle, it leaves less than there was, and can be repeated.
    ///
    /// # Errors
    /// [`RemoveErrorKind`] says what stands in the way. Nothing that was in use, foreign or corrupt was changed.
    pub fn remove(&self) -> Result<(), RemoveError> {
        let refused = |kind| Err(RemoveError::new(self.path.clone(), kind));
        let removed = match self.state {
            State::Foreign(_) | State::Corrupt(_) => return self.check(),
            _ if self.kind == Kind::Fifo => remove_fifo(&self.path),
            _ if self.kind == Kind::Socket => socket::remove(&self.path),
            State::HalfMade => remove_path(&self.path),
            _ => self.remove_segment(),
        };
        match removed {
            Ok(true) => Ok(()),
            Ok(false) if fs::symlink_metadata(&self.path).is_err() => {
                refused(RemoveErrorKind::Gone)
            }
            Ok(false) => refused(RemoveErrorKind::Live),
            Err(error) => Err(RemoveError::os(self.path.clone(), error)),
        }
    }

    fn remove_segment(&self) -> io::Result<bool> {
        let file = self.path.file_name().and_then(|name| name.to_str());
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        let doubt = Cell::new(false);
        let removed = name::sweep_one(file, |file, shape| {
            let sound = shape.layout == LAYOUT && segment::is_named_so(file, shape);
            doubt.set(!sound);
            if sound {
                segment::discard(shape);
            }
            sound
        })?;
        if doubt.get() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let address = self.address.as_ref().filter(|_| self.kind == Kind::Queue);
        if let Some(address) = address.filter(|address| removed && !address.is_anonymous()) {
            // Somebody may have made a queue there again. What is left is half-made, and goes the next time.
            let _ = remove_path(Path::new(address.name()));
        }
        Ok(removed)
    }
}

fn remove_fifo(path: &Path) -> io::Result<bool> {
    let meta = fs::symlink_metadata(path)?;
    if !fifo_name::is_ours(&meta) {
        return Ok(false);
    }
    fifo_name::remove_unused(path, (meta.dev(), meta.ino()))
}

/// Removes the path of a queue that was never made, and the queue if that was all that was made.
fn remove_path(path: &Path) -> io::Result<bool> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    // Whoever makes a queue holds this from before the queue is made until its segment has its name.
    let gate = Gate::enter(file)?;
    let meta = gate.object().metadata()?;
    let names = name::all(name::PREFIX)?;
    let there = fs::symlink_metadata(path)?;
    let same = (there.dev(), there.ino()) == (meta.dev(), meta.ino());
    if !same || !queue_place::is_ours(&meta) || folder::has_segment(&meta, &names) {
        return Ok(false);
    }
    for id in 1..=u8::MAX {
        remove_orphan(path, queue_place::key(&meta, id).0.cast_signed());
    }
    fs::remove_file(path)?;
    Ok(true)
}
