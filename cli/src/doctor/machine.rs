//! The processor and the kernel.

use std::fs;

use laneway::{Registry, measure::Machine};
use nix::unistd::{SysconfVar, sysconf};

use super::check::Check;

/// The oldest kernel that laneway is said to run on.
const KERNEL: (u32, u32) = (6, 4);

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    let machine = Machine::this();
    let mut all = vec![kernel(&machine.kernel), cores(&machine)];
    all.push(governor(machine.governor.as_deref()));
    all.extend(mitigations());
    all.push(virtual_machine(&machine));
    all.push(transports());
    all
}

/// A file of the system, without its newline.
pub(super) fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

/// The numbers at the start of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

fn kernel(name: &str) -> Check {
    let release = name.split(' ').nth(1).and_then(version);
    let (major, minor) = KERNEL;
    let check = Check::new(
        "kernel",
        name,
        format!("laneway is for Linux {major}.{minor} or later"),
    );
    check.wrong_if(release.is_some_and(|release| release < KERNEL))
}

fn cores(machine: &Machine) -> Check {
    let online = sysconf(SysconfVar::_NPROCESSORS_ONLN).ok().flatten();
    let online = online.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let cores = machine.cores;
    let isolated = read("/sys/devices/system/cpu/isolated").filter(|list| !list.is_empty());
    let isolated = isolated.map_or_else(
        || ", none isolated".to_owned(),
        |list| format!(", {list} isolated"),
    );
    let meaning = match cores {
        1 => {
            "processes take turns: waiting in a spin only keeps the other from answering; use wait=park"
        }
        _ => {
            "two processes that talk have a core each; more processes than cores take turns, and wait=spin is for those that have one"
        }
    };
    let check = Check::new(
        "cores",
        format!("{cores} of {online} may be used{isolated}"),
        meaning,
    );
    match cores {
        1 => check
            .wrong_if(online != "1")
            .mend("taskset -cp 0-N PID   # or give the container more cores: docker run --cpuset-cpus"),
        _ => check.mend("isolcpus=2,3 on the kernel's command line, if one pair of processes must not be disturbed"),
    }
}

fn governor(governor: Option<&str>) -> Check {
    let meaning =
        "a clock that changes makes the first messages after a pause slow, and figures unsteady";
    match governor {
        None => Check::new("governor", "not told", meaning),
        Some("performance") => Check::new("governor", "performance", meaning),
        Some(other) => Check::new("governor", other, meaning)
            .wrong_if(true)
            .mend("cpupower frequency-set -g performance"),
    }
}

/// What the kernel does against flaws of the processor: each makes system calls and context switches dearer.
fn mitigations() -> Option<Check> {
    let folder = fs::read_dir("/sys/devices/system/cpu/vulnerabilities").ok()?;
    let mut active = Vec::new();
    for entry in folder.flatten() {
        let state = fs::read_to_string(entry.path()).unwrap_or_default();
        if state.starts_with("Mitigation") {
            active.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    active.sort();
    let value = match active.as_slice() {
        [] => "none at work".to_owned(),
        some => format!("{} at work: {}", some.len(), some.join(", ")),
    };
    let meaning = "each makes system calls and context switches dearer: pipe:, fifo: and sysv: pay at every message, rings only to sleep and wake";
    Some(
        Check::new("mitigations", value, meaning)
            .mend("mitigations=off on the kernel's command line, only where all code is trusted"),
    )
}

fn virtual_machine(machine: &Machine) -> Check {
    let name = [
        "/sys/class/dmi/id/sys_vendor",
        "/sys/class/dmi/id/product_name",
    ];
    let name: Vec<String> = name.into_iter().filter_map(read).collect();
    let (value, meaning) = match machine.is_virtual {
        Some(true) => (
            "yes",
            "the hypervisor moves the cores: figures change between minutes, so compare those of one run, and prefer ratios",
        ),
        Some(false) => ("no", "cores stay where they are"),
        None => ("not told", "if it is one, compare only figures of one run"),
    };
    let value = match name.as_slice() {
        [] => value.to_owned(),
        some => format!("{value} ({})", some.join(" ")),
    };
    Check::new("virtual machine", value, meaning)
}

/// Whether each transport can be had at all.
fn transports() -> Check {
    let drivers = Registry::BUILTIN.drivers();
    let obstacles: Vec<String> = drivers
        .iter()
        .filter_map(|driver| Some(format!("{}: {}", driver.scheme(), driver.probe().err()?)))
        .collect();
    let value = match obstacles.as_slice() {
        [] => format!("all {}", drivers.len()),
        some => some.join("; "),
    };
    Check::new(
        "transports",
        value,
        "those that this machine can do; laneway list has their limits",
    )
    .wrong_if(!obstacles.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::State;

    #[test]
    fn an_old_kernel_is_told() {
        for (release, state) in [
            ("6.3.9-x", State::Warn),
            ("5.15.0", State::Warn),
            ("6.4.0", State::Ok),
            ("6.18.44-fc", State::Ok),
            ("7.0", State::Ok),
        ] {
            let check = kernel(&format!("Linux {release} x86_64"));
            assert_eq!(check.state, state, "{release}");
        }
    }

    #[test]
    fn only_one_governor_is_steady() {
        assert_eq!(governor(Some("performance")).state, State::Ok);
        assert_eq!(governor(None).state, State::Ok);
        let saving = governor(Some("powersave"));
        assert_eq!(saving.state, State::Warn);
        assert!(saving.mend.is_some());
    }
}
