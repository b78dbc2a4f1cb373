//! A process of its own for each case.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process,
};

use laneway::Channel;
use nix::unistd::alarm;

use crate::{
    attempt,
    private::{self, Place, snapshot::Snapshot},
};

/// Tells a child what to do.
pub(crate) const VARIABLE: &str = "LANEWAY_BAD_INPUT";
/// A child that lives longer than this hangs.
const WATCHDOG: u32 = 20;
/// Somebody without any right.
pub(crate) const NOBODY: u32 = 65534;

/// One case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it can run.
    pub(crate) place: Place,
    /// Panics if the library does wrong.
    pub(crate) run: fn(),
}

impl Case {
    /// One that can run anywhere.
    pub(crate) const fn anywhere(name: &'static str, run: fn()) -> Self {
        Self {
            name,
            place: Place::Anywhere,
            run,
        }
    }

    /// One that needs namespaces of its own.
    pub(crate) const fn private(name: &'static str, run: fn()) -> Self {
        Self {
            place: Place::Private,
            ..Self::anywhere(name, run)
        }
    }
}

/// Runs a case and ends the process, if this process is a child.
pub(crate) fn serve(cases: &[Case]) {
    let Ok(text) = env::var(VARIABLE) else {
        return;
    };
    alarm::set(WATCHDOG);
    match text.split_once(' ') {
        None => private::enter(),
        Some(("case", name)) => {
            private::enter();
            let case = cases.iter().find(|case| case.name == name);
            let before = Snapshot::take();
            (case.expect("a case").run)();
            before.assert_same("at the end of the case");
        }
        Some(("attempt", address)) => attempt::tell(address),
        Some(("open", address)) => drop(attempt::channel(address).pair().expect(address)),
        Some(_) => process::exit(2),
    }
    process::exit(0);
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
    let mut command = private::again(VARIABLE, task);
    command.uid(NOBODY).gid(NOBODY);
    let output = command.output().expect("starts itself");
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
