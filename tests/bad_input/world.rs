//! A process of its own for each case, in namespaces of its own if there can be some.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{self, Command, Output, Stdio},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{Uid, alarm},
};

use laneway::Channel;

use crate::{attempt, snapshot::Snapshot};

/// Tells a child what to do.
const VARIABLE: &str = "LANEWAY_BAD_INPUT";
/// Tells whether it is in namespaces of its own.
const PRIVATE: &str = "LANEWAY_BAD_INPUT_PRIVATE";
/// A child that lives longer than this hangs.
const WATCHDOG: u32 = 20;
/// The bytes that `/dev/shm` holds in a private world.
pub(crate) const SHM: u64 = 4 << 20;
/// Somebody without any right.
pub(crate) const NOBODY: u32 = 65534;

/// Where a case can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anywhere.
    Anywhere,
    /// Only in namespaces of its own, as root.
    Private,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it can run.
    pub(crate) place: Place,
    /// Panics if the library does wrong.
    pub(crate) run: fn(),
    /// Why it is known to fail.
    pub(crate) bug: Option<&'static str>,
}

impl Case {
    /// One that can run anywhere.
    pub(crate) const fn anywhere(name: &'static str, run: fn()) -> Self {
        Self {
            name,
            place: Place::Anywhere,
            run,
            bug: None,
        }
    }

    /// One that needs namespaces of its own.
    pub(crate) const fn private(name: &'static str, run: fn()) -> Self {
        Self {
            place: Place::Private,
            ..Self::anywhere(name, run)
        }
    }

    /// One that shows a bug: run with `--ignored` until it is mended.
    pub(crate) const fn bug(mut self, why: &'static str) -> Self {
        self.bug = Some(why);
        self
    }
}

/// Whether this process is in namespaces of its own.
pub(crate) fn is_private() -> bool {
    env::var_os(PRIVATE).is_some()
}

/// Why there are no private worlds here, if there are none.
pub(crate) fn lacking() -> Option<String> {
    if !Uid::effective().is_root() {
        return Some("needs root".to_owned());
    }
    let made = run(Place::Private, "nothing");
    made.err().map(|_| "needs namespaces".to_owned())
}

/// Runs a case in a new process; tells what it said if it failed.
pub(crate) fn run(place: Place, name: &str) -> Result<(), String> {
    let folder = env::temp_dir().join(format!("laneway-bad.{}.{name}", process::id()));
    let wrong = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir(&folder).map_err(wrong)?;
    let mut command = Command::new("/proc/self/exe");
    command.env(VARIABLE, format!("case {name}"));
    command.env("TMPDIR", &folder);
    if place == Place::Private {
        command.env(PRIVATE, "1");
    }
    let output = output(command);
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

fn output(mut command: Command) -> std::io::Result<Output> {
    command.stdin(Stdio::null());
    command.output()
}

/// Runs a case and ends the process, if this process is a child.
pub(crate) fn serve(cases: &[Case]) {
    let Ok(text) = env::var(VARIABLE) else {
        return;
    };
    alarm::set(WATCHDOG);
    match text.split_once(' ') {
        Some(("case", name)) => {
            if is_private() {
                enter();
            }
            if let Some(case) = cases.iter().find(|case| case.name == name) {
                let before = Snapshot::take();
                (case.run)();
                before.assert_same("at the end of the case");
            }
        }
        Some(("attempt", address)) => attempt::tell(address),
        Some(("open", address)) => drop(attempt::channel(address).pair().expect(address)),
        _ => process::exit(2),
    }
    process::exit(0);
}

/// Leaves for new namespaces, with an empty `/dev/shm` and an empty temporary folder.
fn enter() {
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

/// What somebody without any right is told who opens `address`: kind and message, once for each way of opening.
pub(crate) fn as_nobody(address: &str) -> Vec<(String, String)> {
    let text = nobody(&format!("attempt {address}"));
    let told = text.lines().map(|line| {
        let (kind, message) = line.split_once('\t').expect("two columns");
        (kind.to_owned(), message.to_owned())
    });
    told.collect()
}

/// Panics unless somebody without any right can open `address`.
pub(crate) fn nobody_opens(address: &str) {
    nobody(&format!("open {address}"));
}

/// What a child without any right says.
fn nobody(task: &str) -> String {
    let mut command = Command::new("/proc/self/exe");
    command.env(VARIABLE, task);
    command.uid(NOBODY).gid(NOBODY);
    let output = output(command).expect("starts itself");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}{told}", output.status);
    text
}

/// A path in the temporary folder.
pub(crate) fn path(name: &str) -> PathBuf {
    env::temp_dir().join(name)
}

/// A name for a segment that nobody else has, and the path of its file.
pub(crate) fn segment(word: &str) -> (String, PathBuf) {
    let name = format!("laneway-bad.{}.{word}", process::id());
    let path = PathBuf::from(format!("/dev/shm/laneway.{name}"));
    (name, path)
}

/// Sets who may do what with a file.
pub(crate) fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("is ours");
}
