//! Names of segments, and what they name.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
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
        plan::{Discard, Plan},
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

/// Reads the constants of the segment with this name, if there is one of ours.
pub(crate) fn shape_of(name: &str) -> io::Result<Shape> {
    let file = File::open(path(name))?;
    let shape = raw_shape(&file)?;
    if shape.magic != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(shape)
}

/// Removes the segments whose file names start with `prefix` and that nobody has open.
pub(crate) fn sweep(prefix: &str, discard: &Discard) -> io::Result<()> {
    for entry in std::fs::read_dir(DIRECTORY)? {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        if !name.starts_with(prefix) {
            continue;
        }
        // What cannot be opened is somebody else's, or gone.
        let Ok(file) = OpenOptions::new().read(true).write(true).open(path(&name)) else {
            continue;
        };
        let _gate = Gate::enter(&file)?;
        if is_at(&file, &name) && !presence::has_any(&file)? {
            if let Ok(shape) = raw_shape(&file)
                && shape.magic == MAGIC
            {
                discard(&shape);
            }
            remove(&name)?;
        }
    }
    Ok(())
}

/// Opens what has this name, if that is an object of ours by type, owner and mode.
pub(crate) fn find(name: &str, plan: &Plan<'_>) -> Result<Option<File>, OpenError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path(name));
    let refused = |why| plan.error(OpenErrorKind::Refused(why));
    let file = match opened {
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
    let meta = file.metadata().map_err(|e| plan.os(e))?;
    if !meta.is_file() {
        return Err(refused("the name is not a segment"));
    }
    if meta.uid() != Uid::effective().as_raw() {
        return Err(refused("the name belongs to another user"));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(refused("other users may write the object"));
    }
    Ok(Some(file))
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
