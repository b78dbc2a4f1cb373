//! The ends of channels that a forked child has of its parent, though they were not given to it.
//!
//! As long as it held them, no peer would see its parent go: the trap of pipes that are inherited.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
};

use crate::{Handoff, presence, sys::inherit};

/// A device and an inode.
type Object = (u64, u64);

fn object(fd: RawFd) -> io::Result<Object> {
    use std::os::unix::fs::MetadataExt;

    let meta = fs::metadata(format!("/proc/self/fd/{fd}"))?;
    Ok((meta.dev(), meta.ino()))
}

/// Lets go of every end of a channel but those in `given`. Their numbers stay open, on nothing, for their owners to close.
pub(super) fn let_go(given: &[(String, Handoff)]) -> io::Result<()> {
    let given: BTreeSet<RawFd> = given
        .iter()
        .flat_map(|(_, handoff)| handoff.fds.iter().map(AsRawFd::as_raw_fd))
        .collect();
    let mut open = Vec::new();
    let mut channels = BTreeSet::new();
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(fd) = name.to_str().and_then(|name| name.parse::<RawFd>().ok()) else {
            continue;
        };
        // That of the folder itself is gone, or going.
        let (Ok(info), Ok(object)) = (fs::read_to_string(entry.path()), object(fd)) else {
            continue;
        };
        if presence::is_end(&info) || inherit::at(fd, presence::is_marked) {
            channels.insert(object);
        }
        open.push((fd, object));
    }
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    for (fd, object) in open {
        // An end may have further descriptors of the same object.
        if channels.contains(&object) && !given.contains(&fd) {
            inherit::replace(fd, nothing.as_fd())?;
        }
    }
    Ok(())
}
