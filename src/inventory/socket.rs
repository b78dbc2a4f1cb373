//! Sockets that are listened at, and the locks beside them.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use crate::{
    Address,
    inventory::{
        Users,
        census::{self, Census},
        object::{Kind, Object, State},
    },
    transport::family::socket::name::{self, OURS},
};

/// The socket at `path`, if laneway made it.
pub(super) fn object(path: &Path, meta: &Metadata, census: &Census) -> Option<Object> {
    if meta.mode() & OURS == 0 {
        return None;
    }
    let lock = name::lock_path(path);
    let Ok(lock_meta) = fs::symlink_metadata(&lock) else {
        // Of the two it goes last, so that it is missing means something only if the socket is still there.
        let there = fs::symlink_metadata(path).ok()?;
        if there.ino() != meta.ino() || fs::symlink_metadata(&lock).is_ok() {
            return None;
        }
        let mut object = Object::found(path.to_owned(), Kind::Socket, meta, Users::default());
        object.state = State::Corrupt("the lock beside it is missing");
        return Some(object);
    };
    // What the socket's own times are says something else.
    let users = users(path, &lock_meta, census)?;
    let mut object = Object::found(path.to_owned(), Kind::Socket, &lock_meta, users);
    object.owner = meta.uid();
    object.address = name::scheme_of(&lock).map(|scheme| Address::of(scheme, path.as_os_str()));
    Some(object)
}

/// Who has it open. `None` if it has gone.
fn users(path: &Path, lock: &Metadata, census: &Census) -> Option<Users> {
    let mut users = census.of(lock);
    // The list may have missed the receiver. That nobody is there is asked of the lock itself.
    if users.is_nobody() {
        match name::is_used(path) {
            Ok(false) => return Some(users),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            // Whoever may not ask takes it for used.
            Ok(true) | Err(_) => users.receivers = 1,
        }
    }
    users.senders = census::connections(path);
    Some(users)
}

/// Whether this is the lock of a socket, there or not.
pub(super) fn is_lock(path: &Path, meta: &Metadata) -> bool {
    let named = name::socket_path(path).is_some();
    named && meta.is_file() && meta.mode() & OURS != 0 && name::scheme_of(path).is_some()
}

/// A lock whose socket was not made, or is gone.
pub(super) fn of_lock(lock: &Path, meta: &Metadata, census: &Census) -> Option<Object> {
    let path = name::socket_path(lock)?;
    if fs::symlink_metadata(&path).is_ok() {
        return None;
    }
    let users = users(&path, meta, census)?;
    let mut object = Object::found(lock.to_owned(), Kind::Socket, meta, users);
    object.address = name::scheme_of(lock).map(|scheme| Address::of(scheme, path.as_os_str()));
    if users.is_nobody() {
        object.state = State::HalfMade;
    }
    Some(object)
}

/// Removes a socket and its lock, of which `path` is one, if nobody listens; whether it did.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match name::socket_path(path).filter(|_| name::scheme_of(path).is_some()) {
        Some(socket) => name::remove_stale(&socket),
        None => name::remove_stale(path),
    }
}
