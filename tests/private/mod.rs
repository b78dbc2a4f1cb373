//! A process with an empty `/dev/shm`, an empty temporary folder and System V queues of its own, where root can have them.

pub(crate) mod snapshot;

use std::{env, fs, io, path::PathBuf, process, process::Command};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::Uid,
};

/// Tells a child that it shall have namespaces of its own.
const VARIABLE: &str = "LANEWAY_TEST_PRIVATE";
/// The bytes that `/dev/shm` holds there.
pub(crate) const SHM: u64 = 4 << 20;

/// Where something can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anywhere.
    Anywhere,
    /// Only in namespaces of its own, as root.
    Private,
}

/// Whether this process is, or shall be, in namespaces of its own.
pub(crate) fn is_private() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// Leaves for new namespaces, if the parent wants it.
pub(crate) fn enter() {
    if !is_private() {
        return;
    }
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC).expect("new namespaces");
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private");
    let size = format!("size={SHM},mode=1777");
    let tmpfs = Some("tmpfs");
    for (place, data) in [
        (PathBuf::from("/dev/shm"), size.as_str()),
        (env::temp_dir(), "mode=1777"),
    ] {
        mount(tmpfs, &place, tmpfs, MsFlags::empty(), Some(data)).expect("mounts");
    }
}

/// Why there are no private places here, if there are none; `variable` as for [`run`], and its child does nothing.
pub(crate) fn lacking(variable: &str) -> Option<String> {
    if !Uid::effective().is_root() {
        return Some("needs root".to_owned());
    }
    let made = run(Place::Private, variable, "nothing");
    made.err().map(|_| "needs namespaces".to_owned())
}

/// Runs this program again with `task` in `variable`, in a temporary folder of its own; tells what it said if it failed.
pub(crate) fn run(place: Place, variable: &str, task: &str) -> Result<(), String> {
    let word: String = task
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect();
    let folder = env::temp_dir().join(format!("laneway-test.{}.{word}", process::id()));
    let wrong = |e: io::Error| format!("{}: {e}", folder.display());
    fs::create_dir(&folder).map_err(wrong)?;
    let mut command = again(variable, task);
    command.env("TMPDIR", &folder);
    if place == Place::Private {
        command.env(VARIABLE, "1");
    }
    let output = command.output();
    let left = fs::remove_dir(&folder);
    if left.is_err() {
        fs::remove_dir_all(&folder).map_err(wrong)?;
    }
    let output = output.map_err(wrong)?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}\n{told}", output.status));
    }
    left.map_err(wrong)
}

/// This program again, with a task. Found by its inode, so that whoever may not walk to it can run it too.
pub(crate) fn again(variable: &str, task: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.env(variable, task).stdin(process::Stdio::null());
    command
}
