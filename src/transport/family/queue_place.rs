//! Where a System V queue is: its path, its segment, and what the segment's numbers mean.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{
    presence::Gate,
    shm::{layout::Shape, name},
    sys::msg::Queue,
    transport::family::path::is_at,
};

/// The mode of a path that we made: for its owner alone, and marked, since the mark means nothing else on a file.
pub(crate) const OURS: u32 = 0o1600;
/// In a segment's flags: another program made the queue, so it stays.
pub(crate) const FOREIGN: u32 = 1 << 30;
/// In a segment's flags: the queue has no path.
pub(crate) const ANONYMOUS: u32 = 1 << 29;
/// In a segment's flags: tells paths with the same key apart, and queues without a path.
pub(crate) const WHO: u32 = ANONYMOUS - 1;

/// The file name of a segment. Also a queue without a path has one, so that what a crash leaves can be found.
pub(crate) fn file_name(flags: u32, key: u32) -> String {
    let prefix = name::PREFIX;
    if flags & ANONYMOUS != 0 {
        return format!("{prefix}{ANONYMOUS_NAME}{key}.{}", flags & WHO);
    }
    format!("{prefix}sysv.{key:08x}")
}

/// What the names of segments of queues without a path start with.
pub(crate) const ANONYMOUS_NAME: &str = "sysv.anonymous.";

/// A segment's own number: the queue's identifier, and what its file name is made from.
pub(crate) fn pack(key: u32, queue: Queue) -> i64 {
    (u64::from(key) << 32 | u64::from(queue.id().cast_unsigned())).cast_signed()
}

/// The key in a segment, or the maker's process id.
pub(crate) fn key_of(shape: &Shape) -> u32 {
    u32::try_from(shape.extra.cast_unsigned() >> 32).unwrap_or_default()
}

/// What [`key`] made of the path of a segment's queue.
pub(crate) fn path_key(shape: &Shape) -> (u32, u32) {
    (key_of(shape), shape.flags & WHO)
}

/// The queue of a segment; a number that is none fails in use.
pub(crate) fn queue_of(shape: &Shape) -> Queue {
    let id = shape.extra.cast_unsigned() & u64::from(u32::MAX);
    Queue::from_id(u32::try_from(id).unwrap_or_default().cast_signed())
}

/// The key that ftok makes of a file and an id, and a number that tells files with the same key apart.
pub(crate) fn key(file: &Metadata, id: u8) -> (u32, u32) {
    let word = u64::from(id) << 24 | (file.dev() & 0xff) << 16 | file.ino() & 0xffff;
    let mut hasher = DefaultHasher::new();
    (file.dev(), file.ino(), id).hash(&mut hasher);
    let who = hasher.finish() & u64::from(WHO);
    let low = |word: u64| u32::try_from(word).unwrap_or_default();
    (low(word), low(who))
}

/// The key of a queue without a path, from its maker's process id and its number, which make the file name of its segment: so the
/// segment of that name has this queue, and no number that is written into another leads to it. Never 0, which is no key.
pub(crate) fn anonymous_key(pid: u32, flags: u32) -> u32 {
    pid.wrapping_mul(0x9e37_79b1) ^ (flags & WHO).wrapping_mul(0x85eb_ca77) | 1
}

/// The key that the queue of a segment has.
fn meant_key(shape: &Shape) -> u32 {
    match shape.flags & ANONYMOUS {
        0 => key_of(shape),
        _ => anonymous_key(key_of(shape), shape.flags),
    }
}

/// Whether the number in a segment is that of the queue with its key: anybody may have written it, and in another namespace it is
/// somebody else's.
pub(crate) fn has_its_queue(shape: &Shape) -> io::Result<bool> {
    Ok(queue_of(shape).key()?.cast_unsigned() == meant_key(shape))
}

/// What a segment that came from another process, and that is what its file name says, does not prove: which queue is its own, or
/// that this path is its path. `owner` is whose it is.
///
/// # Errors
/// The queue is gone, or may not be looked at.
pub(crate) fn unproven(
    shape: &Shape,
    owner: u32,
    path: &Path,
    id: u8,
) -> io::Result<Option<&'static str>> {
    if !has_its_queue(shape)? {
        return Ok(Some("names a queue that is another's"));
    }
    if shape.flags & FOREIGN == 0 && queue_of(shape).maker()? != owner {
        return Ok(Some("names a queue of another user"));
    }
    if path.as_os_str().is_empty() != (shape.flags & ANONYMOUS != 0) {
        return Ok(Some("is the queue of another address"));
    }
    // A path that is gone, or that we may not see, is not used.
    let is_other = fs::metadata(path).is_ok_and(|meta| key(&meta, id) != path_key(shape));
    Ok(is_other.then_some("is the queue of another path"))
}

/// Removes the queue of a segment, if we made it.
pub(crate) fn remove_queue(shape: &Shape) {
    let queue = queue_of(shape);
    if shape.flags & FOREIGN == 0 && has_its_queue(shape).unwrap_or(false) {
        // What is gone already needs no removing.
        let _ = queue.remove();
    }
}

/// Removes the queue of a key if its maker died before it had made the segment: nobody has ever used it, and the path is one that we
/// made for it. Whoever calls this holds the gate of the path. Whether it did.
pub(crate) fn remove_orphan(path: &Path, key: libc::key_t) -> bool {
    let remove = || {
        let queue = Queue::find(key)?;
        let removes = queue.is_ours_and_new()?;
        if removes {
            queue.remove()?;
        }
        Ok::<_, io::Error>(removes)
    };
    // What cannot be asked about is not ours.
    fs::symlink_metadata(path).is_ok_and(|file| is_ours(&file)) && remove().unwrap_or(false)
}

/// Whether a file is a path that we made, and still as we made it.
pub(crate) fn is_ours(file: &Metadata) -> bool {
    file.is_file() && file.len() == 0 && file.mode() & 0o7777 == OURS
}

/// Opens what is at the path of a queue, so that its number is nobody else's meanwhile. What is no file is left alone: to open it may wake others.
pub(crate) fn look(path: &Path) -> io::Result<File> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)
}

/// The same, if that is the path of this queue.
pub(crate) fn look_for(path: &Path, id: u8, shape: &Shape) -> Option<File> {
    let file = look(path).ok()?;
    let meta = file.metadata().ok()?;
    (key(&meta, id) == path_key(shape)).then_some(file)
}

/// Removes a path if no queue has come of it. Whoever has the gate at this moment sees to that too.
pub(crate) fn remove_unused(path: &Path) -> io::Result<()> {
    let gate = Gate::try_enter(look(path)?)?;
    remove_this(&gate, path, |_| true)
}

/// Removes the path whose gate is held, if it is still there, we made it, it is the one meant, and no id has a queue there.
pub(crate) fn remove_this(
    gate: &Gate<File>,
    path: &Path,
    is_meant: impl FnOnce(&Metadata) -> bool,
) -> io::Result<()> {
    let meta = gate.object().metadata()?;
    let has_queue = |id| name::exists(&file_name(0, key(&meta, id).0));
    if is_at(path, &meta) && is_ours(&meta) && is_meant(&meta) && !(1..=u8::MAX).any(has_queue) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// One end's hold on the path of a queue. Dropped after the end's segment; if that was the last one, the path goes, if we made it.
#[derive(Debug)]
pub(crate) struct QueuePath {
    /// Empty if there is none.
    path: PathBuf,
    id: u8,
    /// What tells it from another file that has come to be there.
    key: (u32, u32),
    /// Open, so that no other file gets its number, and so its key. `None` if there is no path, or none that an end which was handed over
    /// could open.
    file: Option<File>,
}

impl QueuePath {
    /// The hold of an end of the queue with this key.
    pub(crate) fn new(path: PathBuf, id: u8, key: (u32, u32), file: Option<File>) -> Self {
        Self {
            path,
            id,
            key,
            file,
        }
    }

    fn is_unused(&self) -> bool {
        let (key, _) = self.key;
        !self.path.as_os_str().is_empty() && !name::exists(&file_name(0, key))
    }

    fn remove(&self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file.try_clone()?,
            None => look(&self.path)?,
        };
        // Whoever opens holds it until there is a segment.
        let gate = Gate::enter(file)?;
        remove_this(&gate, &self.path, |meta| key(meta, self.id) == self.key)
    }
}

impl Drop for QueuePath {
    fn drop(&mut self) {
        if self.is_unused() {
            // Nothing can be done about an error here, and the next to open uses the path as it is.
            let _ = self.remove();
        }
    }
}
