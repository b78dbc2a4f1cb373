//! Starting and joining again and again costs nothing in the end.
//!
//! 1,000 times, or as often as LANEWAY_TEST_CYCLES says.

use std::{env, fs};

use laneway::{Channel, ReceiverExt, process::Process};
use libtest_mimic::Trial;
use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, waitid},
};

use crate::trial;

/// How much more memory is still nothing, in kilobytes: less than a hundred bytes a cycle.
const SLACK: u64 = 128;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("cycles/leave_nothing", leave_nothing)]
}

/// Descriptors and kilobytes that this process has.
fn has() -> (usize, u64) {
    let status = fs::read_to_string("/proc/self/status").expect("there");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    let descriptors = fs::read_dir("/proc/self/fd").expect("there").count();
    (descriptors, kilobytes.expect("a number"))
}

fn cycle(number: u32) {
    let (tx, mut rx) = laneway::channel("shm+mpmc:?capacity=4KiB")
        .expect("good")
        .pair()
        .expect("opens");
    let text = format!("{number}");
    let process = Process::new("length", &text)
        .give("length", &tx)
        .expect("gives");
    let child = process.start().expect("starts");
    drop(tx);
    assert_eq!(
        rx.loan().expect("comes").first(),
        u8::try_from(text.len()).ok().as_ref()
    );
    assert!(child.join().expect("ends").success());
}

fn leave_nothing() {
    let cycles = env::var("LANEWAY_TEST_CYCLES").ok();
    let cycles = cycles.map_or(1000, |text| text.parse().expect("a number"));
    // What is made once is made.
    (0..50).for_each(cycle);
    let before = has();
    (0..cycles).for_each(cycle);
    let after = has();
    assert_eq!(before.0, after.0, "descriptors");
    assert!(after.1 <= before.1 + SLACK, "{before:?} {after:?}");
    let any = waitid(
        Id::All,
        WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT,
    );
    assert_eq!(any, Err(Errno::ECHILD), "nobody is left to be reaped");
}
