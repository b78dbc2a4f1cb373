//! A world of its own for what is killed: an empty `/dev/shm`, an empty temporary folder and System V queues of its own, where root
//! can have them. So whatever is there at the end was left behind.

use std::{env, fs, io, path::Path};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::Uid,
};

/// Leaves for it; `false` if this process may not.
pub(crate) fn enter() -> bool {
    if !Uid::effective().is_root() {
        return false;
    }
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC).is_ok() && mount_all().is_ok()
}

fn mount_all() -> nix::Result<()> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let tmpfs = Some("tmpfs");
    let data = Some("mode=1777");
    mount(tmpfs, "/dev/shm", tmpfs, MsFlags::empty(), data)?;
    mount(tmpfs, &env::temp_dir(), tmpfs, MsFlags::empty(), data)
}

/// What is left behind: objects, and descriptors of this process beyond `descriptors`.
pub(crate) fn leftovers(descriptors: usize) -> io::Result<Vec<String>> {
    let mut left = Vec::new();
    for folder in [Path::new("/dev/shm"), &env::temp_dir()] {
        for entry in fs::read_dir(folder)? {
            left.push(format!("{} is left", entry?.path().display()));
        }
    }
    let queues = fs::read_to_string("/proc/sysvipc/msg")?;
    // The first line names the columns.
    for queue in queues.lines().skip(1) {
        left.push(format!("a System V queue is left: {}", queue.trim()));
    }
    let open = self::descriptors()?;
    if open != descriptors {
        left.push(format!("{open} descriptors are open, not {descriptors}"));
    }
    match nix::sys::wait::waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG)) {
        Err(nix::errno::Errno::ECHILD) => {}
        other => left.push(format!("a child is left: {other:?}")),
    }
    Ok(left)
}

/// How many descriptors this process has open.
pub(crate) fn descriptors() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}
