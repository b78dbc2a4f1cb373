//! What the system and this process allow.

use std::fs;

use laneway::SystemLimit;
use nix::{
    sys::{
        resource::{Resource, getrlimit, rlim_t},
        statvfs::statvfs,
    },
    unistd::Uid,
};

use super::check::Check;
use crate::units;

/// Free bytes of shared memory below which a few rings do not fit.
const SHM: u64 = 64 << 20;
/// Where segments lie.
const SHM_FOLDER: &str = "/dev/shm";

/// A setting for `sysctl`.
#[derive(Debug)]
struct Setting {
    name: &'static str,
    /// Below it something is worth mending. 0 stands for no limit, and is not below.
    enough: u64,
    /// What to set it to.
    better: u64,
    meaning: &'static str,
}

const SETTINGS: [Setting; 6] = [
    Setting {
        name: "kernel.msgmax",
        enough: 8192,
        better: 65536,
        meaning: "the longest message of sysv:, in bytes; longer ones are refused, never cut",
    },
    Setting {
        name: "kernel.msgmnb",
        enough: 16384,
        better: 1_048_576,
        meaning: "what a sysv: queue holds by default and at most, in bytes; a full one blocks its senders",
    },
    Setting {
        name: "kernel.msgmni",
        enough: 64,
        better: 32000,
        meaning: "how many System V queues there can be in this IPC namespace",
    },
    Setting {
        name: "fs.pipe-max-size",
        enough: 1 << 20,
        better: 1 << 20,
        meaning: "the largest capacity= of pipe: and fifo: without privilege; a message longer than the capacity crosses in pieces",
    },
    Setting {
        name: "fs.pipe-user-pages-soft",
        enough: 16384,
        better: 16384,
        meaning: "pages of all pipes of a user without privilege; beyond it new pipes hold one or two pages, and throughput falls",
    },
    Setting {
        name: "fs.inotify.max_user_instances",
        enough: 128,
        better: 1024,
        meaning: "one is used by each process that sleeps on shared memory, to learn of deaths at once; without one it asks every 20 ms",
    },
];

impl Setting {
    fn check(&self) -> Check {
        let Some(limit) = SystemLimit::read(self.name) else {
            return Check::new(self.name, "not told", self.meaning);
        };
        let low = limit.value != 0 && limit.value < self.enough;
        let check = Check::new(self.name, limit.value.to_string(), self.meaning).wrong_if(low);
        if limit.value != 0 && limit.value < self.better {
            return check.mend(format!("sysctl -w {}={}", self.name, self.better));
        }
        check
    }
}

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    let mut all: Vec<Check> = shm().into_iter().collect();
    all.extend(SETTINGS.iter().map(Setting::check));
    all.extend(queues());
    all.extend([descriptors(), memlock()].into_iter().flatten());
    all
}

/// Room for segments.
fn shm() -> Option<Check> {
    let name = SHM_FOLDER;
    let Ok(stat) = statvfs(name) else {
        let missing = Check::new(name, "not there", "shm+ transports cannot open")
            .wrong_if(true)
            .mend("mkdir -p /dev/shm && mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
        return Some(missing);
    };
    let block = stat.fragment_size();
    let (size, free) = (stat.blocks() * block, stat.blocks_available() * block);
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let check = Check::new(
        name,
        format!("{}, {} free", mib(size), mib(free)),
        "where the segments of shm+ transports lie; one that does not fit is refused when it is opened",
    );
    let low = free < SHM;
    Some(if low {
        check
            .wrong_if(true)
            .mend("mount -o remount,size=1G /dev/shm   # in a container: docker run --shm-size=1g")
    } else {
        check
    })
}

/// System V queues that there are: those that nobody removed count too.
fn queues() -> Option<Check> {
    let most = SystemLimit::read("kernel.msgmni")?.value;
    let table = fs::read_to_string("/proc/sysvipc/msg").ok()?;
    let count = table.lines().skip(1).count() as u64;
    let check = Check::new(
        "System V queues",
        format!("{count} of {most}"),
        "those that a program left behind count too; laneway removes its own when the last end closes, or when next opened",
    );
    Some(
        check
            .wrong_if(count * 10 >= most * 9)
            .mend("ipcs -q   # then: ipcrm -q ID"),
    )
}

/// A limit of this process in words.
fn told(limit: rlim_t) -> String {
    match limit {
        rlim_t::MAX => "unlimited".to_owned(),
        limit => limit.to_string(),
    }
}

/// Open files.
fn descriptors() -> Option<Check> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let check = Check::new(
        "descriptors",
        format!("{} (at most {})", told(soft), told(hard)),
        "an end of a channel takes 1 to 3 of them",
    );
    Some(if soft < 1024 {
        check
            .wrong_if(true)
            .mend(format!("ulimit -n {}", hard.min(4096)))
    } else {
        check
    })
}

/// Memory that may be locked.
fn memlock() -> Option<Check> {
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK).ok()?;
    let size = match usize::try_from(soft) {
        Ok(bytes) if soft != rlim_t::MAX => units::show(bytes),
        _ => told(soft),
    };
    let mut meaning =
        "laneway locks no memory: what you lock yourself against swapping has to fit".to_owned();
    if Uid::effective().is_root() {
        meaning += "; root is not bound by it";
    }
    Some(
        Check::new("locked memory", size, meaning)
            .mend("ulimit -l unlimited   # as root, or in /etc/security/limits.conf"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_system() {
        for setting in &SETTINGS {
            let path = format!("/proc/sys/{}", setting.name.replace('.', "/"));
            let value: u64 = fs::read_to_string(path)
                .expect("reads")
                .trim()
                .parse()
                .expect("a number");
            let check = setting.check();
            assert_eq!(check.value, value.to_string());
            assert!(setting.better >= setting.enough, "mending it helps");
            let low = value != 0 && value < setting.better;
            let wanted = low.then(|| format!("sysctl -w {}={}", setting.name, setting.better));
            assert_eq!(check.mend, wanted);
        }
    }
}
