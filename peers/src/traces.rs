//! Names of what a row leaves in the file system, so that what a dead row left is found and removed.

use std::{fs, io::ErrorKind};

const PREFIX: &str = "laneway-peers.";
const PLACES: [&str; 2] = ["/dev/shm", "/tmp"];

/// A name that this process's objects bear.
pub(crate) fn name(kind: &str) -> String {
    format!("{PREFIX}{}.{kind}", std::process::id())
}

/// Removes what rows left whose process is gone.
pub(crate) fn sweep() {
    for entry in PLACES.iter().flat_map(fs::read_dir).flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split_once('.'))
            .and_then(|(pid, _)| pid.parse::<u32>().ok());
        let Some(pid) = pid else { continue };
        // A dead one that nobody has reaped has no program any more.
        let program = fs::read_link(format!("/proc/{pid}/exe"));
        if !program.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            continue;
        }
        // Another run of this tool may sweep at the same time.
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
            _ => fs::remove_file(entry.path()),
        };
    }
}
