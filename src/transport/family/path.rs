//! Paths that addresses name.

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use crate::{Address, AddressError, AddressProblem};

/// Why no file can have this path.
pub(crate) fn check(path: &OsStr) -> Result<(), &'static str> {
    let bytes = path.as_bytes();
    if bytes.contains(&0) {
        return Err("the path holds a NUL byte");
    }
    let long = bytes.len() >= libc::PATH_MAX.unsigned_abs() as usize;
    if long || bytes.split(|&b| b == b'/').any(|part| part.len() > 255) {
        return Err("the path is too long; 4095 bytes, and 255 between slashes, are the most");
    }
    Ok(())
}

/// The same of an address's name.
pub(crate) fn check_address(address: &Address) -> Result<(), AddressError> {
    check(address.name()).map_err(|why| address.error_at_name(AddressProblem::BadName(why)))
}

/// Whether the path names what has this metadata. Unless that is open, its number may be another's by now.
pub(crate) fn is_at(path: &Path, meta: &Metadata) -> bool {
    let there = fs::symlink_metadata(path);
    there.is_ok_and(|there| (there.dev(), there.ino()) == (meta.dev(), meta.ino()))
}
