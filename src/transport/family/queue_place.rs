//! Where a System V queue is: its path, its segment, and what the segment's numbers mean.

use std::{
    fs::{self, Metadata},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::Path,
};

use crate::{
    shm::{layout::Shape, name},
    sys::msg::Queue,
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

/// Removes a path that we made, that still is as we made it, and that is the one meant.
pub(crate) fn remove_if_ours(path: &Path, is_meant: impl FnOnce(&Metadata) -> bool) {
    let ours = |file: &Metadata| file.is_file() && file.len() == 0 && file.mode() & 0o7777 == OURS;
    let found = fs::symlink_metadata(path);
    if found.is_ok_and(|file| ours(&file) && is_meant(&file)) {
        // Nothing can be done about an error here.
        let _ = fs::remove_file(path);
    }
}
