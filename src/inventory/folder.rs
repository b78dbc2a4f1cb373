//! FIFOs, sockets, and the paths of System V queues.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use crate::{
    Address,
    inventory::{
        Users,
        census::Census,
        object::{Kind, Object, State},
        socket,
    },
    transport::family::{
        fifo_name,
        queue_place::{self, file_name},
    },
};

/// Something in a folder.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) meta: Metadata,
}

impl Entry {
    /// All that is in a folder.
    pub(super) fn all(folder: &Path) -> io::Result<Vec<Self>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            // What has gone meanwhile is not there.
            if let Ok(meta) = fs::symlink_metadata(&path) {
                entries.push(Self { path, meta });
            }
        }
        Ok(entries)
    }
}

/// The object that an entry is by itself, if it is one. `names` are the segments that there are.
pub(super) fn object(entry: &Entry, census: &Census, names: &[String]) -> Option<Object> {
    let Entry { path, meta } = entry;
    let users = census.of(meta);
    let mut object = if meta.file_type().is_fifo() {
        fifo(path, meta, users)?
    } else if meta.file_type().is_socket() {
        socket::object(path, meta, census)?
    } else if socket::is_lock(path, meta) {
        socket::of_lock(path, meta, census)?
    } else if queue_place::is_ours(meta) && !has_segment(meta, names) {
        let mut object = Object::found(path.clone(), Kind::Queue, meta, Users::default());
        object.address = Some(Address::of("sysv", path.as_os_str()));
        object.state = State::HalfMade;
        object
    } else {
        return None;
    };
    if meta.uid() != Uid::effective().as_raw() {
        object.state = State::Foreign("the path belongs to another user");
    }
    Some(object)
}

/// A FIFO that we made, or that somebody uses as a channel.
fn fifo(path: &Path, meta: &Metadata, mut users: Users) -> Option<Object> {
    let marked = meta.mode() & fifo_name::OURS.bits() != 0;
    if !marked && users.is_nobody() {
        return None;
    }
    // The list may have missed somebody. That nobody is there is asked of the FIFO itself.
    if fifo_name::is_ours(meta) && users.is_nobody() {
        match fifo_name::is_used(path) {
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            // Somebody, of whatever kind.
            Ok(true) | Err(_) => users.senders = 1,
        }
    }
    let mut object = Object::found(path.to_owned(), Kind::Fifo, meta, users);
    object.address = Some(Address::of("fifo", path.as_os_str()));
    Some(object)
}

/// Whether there is a queue of this path, with whatever id.
pub(super) fn has_segment(meta: &Metadata, names: &[String]) -> bool {
    (1..=u8::MAX).any(|id| {
        let name = file_name(0, queue_place::key(meta, id).0);
        names.contains(&name)
    })
}
