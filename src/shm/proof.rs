//! What proves that a descriptor from another process is the segment that it is said to be.

use std::{fs::File, io, os::unix::fs::MetadataExt};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::statfs::{TMPFS_MAGIC, fstatfs},
    unistd::Uid,
};

use crate::{
    OpenError, OpenErrorKind,
    shm::{layout::Shape, name, object::total, plan::Plan},
};

/// Refuses what the descriptor does not prove. A segment without a name must have the seal that keeps it from being made shorter;
/// one with a name must be what has this name, if anything has. In memory of another user, but root, nothing
/// is taken on trust, so only an end that trusts nobody opens it.
pub(crate) fn check(
    file: &File,
    shape: &Shape,
    name: Option<&str>,
    plan: &Plan<'_>,
) -> Result<(), OpenError> {
    let refused = |what| Err(plan.error(OpenErrorKind::Unproven(what)));
    let meta = file.metadata().map_err(|e| plan.os(e))?;
    if !meta.is_file() {
        return refused("is no segment");
    }
    match name {
        None if !is_sealed(file) => {
            return refused("has no name and is not sealed, so it could be made shorter");
        }
        // It may have been made shorter before it was sealed.
        None if meta.len() != total(shape) => return refused("has changed its length"),
        None => {}
        Some(name) => match std::fs::symlink_metadata(name::path(name)) {
            Ok(there) if (there.dev(), there.ino()) != (meta.dev(), meta.ino()) => {
                return refused("is not the segment that has this name");
            }
            Ok(_) => {}
            // Its name was removed, or is one of another mount namespace: then nobody finds it, and nobody needs to.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(plan.os(error)),
        },
    }
    if plan.guarded {
        return Ok(());
    }
    let uid = meta.uid();
    if uid != Uid::effective().as_raw() && uid != ROOT {
        return Err(plan.error(OpenErrorKind::Foreign { uid }));
    }
    // What has no name others cannot open, whatever its mode.
    if name.is_some() && meta.mode() & 0o022 != 0 {
        return refused("is a file that other users may write");
    }
    Ok(())
}

/// Who can do as much to this process in any other way.
const ROOT: u32 = 0;

/// Whether it has the seals that keep its length, and lies where no page of it can go: huge pages are sealed as well, and may run out.
fn is_sealed(file: &File) -> bool {
    let seals = fcntl(file, FcntlArg::F_GET_SEALS).unwrap_or(0);
    let is_tmpfs = fstatfs(file).is_ok_and(|stat| stat.filesystem_type() == TMPFS_MAGIC);
    SealFlag::from_bits_retain(seals).contains(SealFlag::F_SEAL_SHRINK) && is_tmpfs
}
