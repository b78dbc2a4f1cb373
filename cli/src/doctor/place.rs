//! What stands between this process and others: containers and their limits.

use std::{fs, path::Path};

use super::{check::Check, machine::read};

/// The number of the IPC namespace that the system starts with: `PROC_IPC_INIT_INO` of the kernel.
const FIRST_IPC: &str = "ipc:[4026531839]";

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    let mut all = vec![container(), ipc()];
    all.extend(quota());
    all
}

fn container() -> Check {
    let marks = [
        ("/.dockerenv", "docker"),
        ("/run/.containerenv", "podman"),
        ("/run/systemd/container", "systemd"),
    ];
    let found = marks.iter().find(|(path, _)| Path::new(path).exists());
    let from_init = read("/proc/1/cgroup").and_then(|groups| {
        let kinds = ["kubepods", "docker", "lxc", "libpod"];
        kinds.into_iter().find(|kind| groups.contains(kind))
    });
    let meaning = "a container has a /dev/shm and System V queues of its own: processes in another one see neither, unless both are shared; a fifo: works over a shared volume";
    match found.map(|(_, kind)| *kind).or(from_init) {
        Some(kind) => Check::new("container", kind, meaning)
            .mend("docker run --ipc=container:NAME   # or --ipc=host: shares /dev/shm and queues"),
        None => Check::new("container", "none seen", meaning),
    }
}

fn ipc() -> Check {
    let meaning =
        "System V queues are seen within one IPC namespace; peers must show the same number";
    let Ok(link) = fs::read_link("/proc/self/ns/ipc") else {
        return Check::new("IPC namespace", "not told", meaning);
    };
    let link = link.to_string_lossy().into_owned();
    let value = if link == FIRST_IPC {
        format!("{link}, the machine's own")
    } else {
        format!("{link}, not the machine's own")
    };
    Check::new("IPC namespace", value, meaning)
        .mend("readlink /proc/PID/ns/ipc   # of the peer; nsenter -i -t PID joins it")
}

/// The part of the processors that the control group gives: of both versions of groups.
fn quota() -> Option<Check> {
    let groups = read("/proc/self/cgroup")?;
    let ours = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let ours = ours.trim_end_matches('/');
    let new = read(&format!("/sys/fs/cgroup{ours}/cpu.max")).and_then(|text| {
        let (quota, period) = text.split_once(' ')?;
        cores(quota, period)
    });
    let old = || {
        let of = |name: &str| read(&format!("/sys/fs/cgroup/cpu/{name}"));
        cores(&of("cpu.cfs_quota_us")?, &of("cpu.cfs_period_us")?)
    };
    let meaning = "a group that has used up its part stands still until the next period: that is a tail of up to 100 ms, and spinning uses it up";
    let check = Check::new("processor quota", "none", meaning);
    let Some(quota) = new.or_else(old) else {
        return Some(check);
    };
    let check = Check::new("processor quota", format!("{quota:.2} cores"), meaning);
    Some(
        check
            .wrong_if(quota < 2.0)
            .mend("docker update --cpus 2 NAME   # or pin instead: --cpuset-cpus"),
    )
}

/// A quota as cores; `None` if there is no bound.
fn cores(quota: &str, period: &str) -> Option<f64> {
    let quota: f64 = quota.parse().ok().filter(|quota| *quota > 0.0)?;
    let period: f64 = period.parse().ok().filter(|period| *period > 0.0)?;
    Some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_told_in_cores() {
        assert_eq!(cores("150000", "100000"), Some(1.5));
        assert_eq!(cores("max", "100000"), None);
        assert_eq!(cores("-1", "100000"), None);
    }
}
