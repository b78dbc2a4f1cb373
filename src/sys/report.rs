//! Telling whoever watches an object, in whatever process, that there is news of it.

use std::{io, os::fd::OwnedFd, sync::Arc};

use nix::sys::uio::pread;

/// The object of a segment, as long as this end has it open.
pub(crate) type Object = Option<Arc<OwnedFd>>;

/// Has inotify report an access to the object.
///
/// A read of one byte does that for every user, whatever the name has become, and neither takes a lock nor changes anything. A descriptor
/// that `memfd_create` gave is not reported on: it has to be one that was opened.
///
/// # Errors
/// The object is not open, or empty, or what the system says.
pub(crate) fn report(object: &Object) -> io::Result<()> {
    let fd = object.as_ref().ok_or(io::ErrorKind::NotConnected)?;
    match pread(fd, &mut [0], 0)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
