//! Names of segments, and what they name.

use std::{
    ffi::OsStr,
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::PathBuf,
};

use nix::{errno::Errno, fcntl::OFlag, unistd::Uid};

use crate::{
    OpenError, OpenErrorKind,
    presence::{self, Gate},
    shm::{
        layout::{MAGIC, Shape},
        object::raw_shape,
        plan::Plan,
    },
};

/// Where the system keeps named segments.
pub(crate) const DIRECTORY: &str = "/dev/shm";
/// What their file names start with.
pub(crate) const PREFIX: &str = "laneway.";

/// The file name of a segment.
pub(crate) fn file_name(kind: &str, name: &OsStr) -> Result<String, &'static str> {
    let name = name.to_str().ok_or("the name must be UTF-8")?;
    if name.contains(['/', '\0']) {
        return Err("the name must not hold a slash or a NUL byte");
    }
    let file = format!("{PREFIX}{kind}{name}");
    if file.len() > 255 {
        return Err("the name is too long; 240 bytes are the most");
    }
    Ok(file)
}

/// Where a segment of this name is.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(DIRECTORY).join(name)
}

/// Whether there is an object with this name.
pub(crate) fn exists(name: &str) -> bool {
    std::fs::symlink_metadata(path(name)).is_ok()
}

/// Removes a name, whoever uses it.
pub(crate) fn remove(name: &str) -> io::Result<()> {
    std::fs::remove_file(path(name))
}

/// Opens what has this name for reading, whatever it has become: a FIFO or a link of somebody else's must not keep us.
pub(crate) fn open(name: &str) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path(name))
}

/// The same for writing too.
pub(crate) fn open_to_write(name: &str) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path(name))
}

/// Reads the constants of the segment with this name, if there is one of ours.
pub(crate) fn shape_of(name: &str) -> io::Result<Shape> {
    let file = open(name)?;
    if not_ours(&file.metadata()?).is_some() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let shape = raw_shape(&file)?;
    if shape.magic != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(shape)
}

/// The file names of what is there that start with `prefix`.
pub(crate) fn all(prefix: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(DIRECTORY)? {
        let name = entry?.file_name().into_string();
        names.extend(name.ok().filter(|name| name.starts_with(prefix)));
    }
    Ok(names)
}

/// Removes the segments whose file names start with `prefix`, that are ours and that nobody has open. `discard` tells
/// whether a segment of this name and shape is what its name says, and undoes what was made outside of it.
pub(crate) fn sweep(prefix: &str, discard: impl Fn(&str, &Shape) -> bool) -> io::Result<()> {
    for name in all(prefix)? {
        // What cannot be swept is somebody else's, or gone: nothing that we need.
        let _ = sweep_one(&name, &discard);
    }
    Ok(())
}

/// The same with one segment. Whether it was removed.
pub(crate) fn sweep_one(name: &str, discard: impl Fn(&str, &Shape) -> bool) -> io::Result<bool> {
    let file = open_to_write(name)?;
    if not_ours(&file.metadata()?).is_some() {
        return Ok(false);
    }
    let gate = Gate::enter(file)?;
    let file = gate.object();
    let shape = raw_shape(file)?;
    let stale = is_at(file, name) && !presence::has_any(file)?;
    let removes = stale && shape.magic == MAGIC && discard(name, &shape);
    if removes {
        remove(name)?;
    }
    Ok(removes)
}

/// Why an object cannot be one of ours, by its type, owner and mode.
pub(crate) fn not_ours(meta: &Metadata) -> Option<&'static str> {
    if !meta.is_file() {
        Some("the name is not a segment")
    } else if meta.uid() != Uid::effective().as_raw() {
        Some("the name belongs to another user")
    } else if meta.mode() & 0o022 != 0 {
        Some("other users may write the object")
    } else {
        None
    }
}

/// Opens what has this name, if that is an object of ours by type, owner and mode.
pub(crate) fn find(name: &str, plan: &Plan<'_>) -> Result<Option<File>, OpenError> {
    let refused = |why| plan.error(OpenErrorKind::Refused(why));
    let file = match open_to_write(name) {
        Ok(file) => file,
        Err(error) => {
            return match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT) => Ok(None),
                Some(Errno::ELOOP) => Err(refused("the name is a symbolic link")),
                Some(Errno::EISDIR) => Err(refused("the name is a directory")),
                Some(Errno::ENXIO) => Err(refused("the name is not a segment")),
                _ => Err(plan.os(error)),
            };
        }
    };
    match not_ours(&file.metadata().map_err(|e| plan.os(e))?) {
        Some(why) => Err(refused(why)),
        None => Ok(Some(file)),
    }
}

/// Whether `name` still names `file`.
pub(crate) fn is_at(file: &File, name: &str) -> bool {
    let same = |file: &File| {
        let there = std::fs::symlink_metadata(path(name)).ok()?;
        let here = file.metadata().ok()?;
        Some((there.dev(), there.ino()) == (here.dev(), here.ino()))
    };
    same(file).unwrap_or(false)
}
