//! What a process runs.

use std::fs;

/// The name of what a process runs, as the kernel has it; empty if it has ended.
pub(crate) fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    // What a terminal would take for more than text is none.
    name.trim().chars().filter(|c| !c.is_control()).collect()
}

/// Processes with their names.
pub(crate) fn names(pids: &[u32]) -> String {
    let named = pids.iter().map(|pid| format!("{} {pid}", name(*pid)));
    named.collect::<Vec<_>>().join(", ")
}
