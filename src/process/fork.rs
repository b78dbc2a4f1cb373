//! Forking as it is: two processes go on from one point.
//!
//! Invariants that the SAFETY comments cite:
//!
//! * P1. The caller vouches for what its own contract asks of it, and that is all that the callee asks for.
//! * P2. Laneway's watcher holds no lock that a forked child takes: `watch` looks first whose child it is in, and glibc sees
//!   to those of the memory allocator.

use std::{error::Error, fmt, fs, io};

use nix::unistd::gettid;

use crate::{process::child::Child, sys::process as sys, watch};

/// In which of the two processes [`fork`] has returned.
#[derive(Debug)]
#[must_use = "both processes are here"]
pub enum Fork {
    /// In the one that called.
    Parent {
        /// The other one.
        child: Child,
    },
    /// In the new one.
    Child,
}

/// Why this process was not forked.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForkError {
    /// Other threads run, and the child would not have them.
    Threads {
        /// Their names, as the system keeps them.
        names: Vec<String>,
    },
    /// The system refused.
    Io(io::Error),
}

impl fmt::Display for ForkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads { names } => write!(f, "{}", Threads(names)),
            Self::Io(error) => write!(f, "the system refused to fork: {error}"),
        }
    }
}

/// What to tell about other threads.
pub(super) struct Threads<'a>(pub(super) &'a [String]);

impl fmt::Display for Threads<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(names) = self;
        write!(
            f,
            "other threads run ({}); fork before they start, or use Process::new, which starts beside threads",
            names.join(", ")
        )
    }
}

impl Error for ForkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Threads { .. } => None,
        }
    }
}

impl From<io::Error> for ForkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ForkError> for io::Error {
    fn from(error: ForkError) -> Self {
        match error {
            ForkError::Io(error) => error,
            threads @ ForkError::Threads { .. } => Self::new(io::ErrorKind::InvalidInput, threads),
        }
    }
}

/// The threads of this process besides the caller and the one of laneway's own, which shares no lock that a child needs.
fn other_threads() -> io::Result<Vec<String>> {
    let own = gettid().to_string();
    let mut names = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        if task.file_name() == own.as_str() {
            continue;
        }
        // One that ended meanwhile is no hindrance.
        if let Ok(name) = fs::read_to_string(task.path().join("comm")) {
            let name = name.trim_end();
            if name != watch::THREAD {
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

/// Refuses if other threads run.
fn refuse_threads() -> Result<(), ForkError> {
    match other_threads()? {
        names if names.is_empty() => Ok(()),
        names => Err(ForkError::Threads { names }),
    }
}

/// Forks for a child that never returns from here: it owns all that it reaches, or lets go of it. `None` in the child.
pub(super) fn fork_for(name: &str) -> Result<Option<Child>, ForkError> {
    refuse_threads()?;
    // SAFETY: by P2; no other thread runs but the watcher.
    match unsafe { sys::fork() }? {
        None => Ok(None),
        Some(pid) => Ok(Some(Child::adopt(pid, name.to_owned())?)),
    }
}

/// Makes a copy of this process, which goes on from here as well, unless other threads run.
///
/// The child has a copy of the memory and of every descriptor, and the calling thread only. [`Process::fork`] runs a closure
/// in such a child and is safe; a [`Process`] that runs an entry is neither in need of a fork nor hindered by threads.
///
/// # Errors
/// [`Threads`](ForkError::Threads) with their names, laneway's own watcher apart; [`Io`](ForkError::Io) for what the system says.
///
/// # Safety
/// What is borrowed for writing is so in both processes from here on, and where it is shared memory both write the same: no [`Slot`](crate::Slot), no
/// [`Loan`](crate::Loan), and no reservation or peeked message may be outstanding. An endpoint that was open before is one
/// place in the channel, which both hold: use it in one of the two processes only, and know that closing it in either closes it in both,
/// and that a peer is not told of a death as long as the other lives. For an end of its own, let the child
/// [adopt](crate::Channel::adopt_receiver) a [`Handoff`](crate::Handoff) that was made before the fork. Leave the child
/// by [`std::process::exit`] or by returning from `main`; that runs what the parent had registered for its own end.
///
/// [`Process`]: crate::process::Process
/// [`Process::fork`]: crate::process::Process::fork
///
/// ```standalone_crate
/// # #![allow(unsafe_code)]
/// use laneway::process::{Fork, fork};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // SAFETY: no endpoint is open.
///     match unsafe { fork() }? {
///         Fork::Parent { child } => {
///             println!("{} is the parent of {}", std::process::id(), child.pid());
///             assert_eq!(child.join()?.code(), Some(7));
///             Ok(())
///         }
///         Fork::Child => std::process::exit(7),
///     }
/// }
/// ```
pub unsafe fn fork() -> Result<Fork, ForkError> {
    refuse_threads()?;
    // SAFETY: by P1 and P2; no other thread runs but the watcher.
    unsafe { fork_anyway() }
}

/// The same, whatever other threads run.
///
/// # Errors
/// [`Io`](ForkError::Io) for what the system says.
///
/// # Safety
/// As for [`fork`]. And: as any other thread may have been anywhere, the child may call only what is safe in a handler of a signal, until it runs another
/// program: no lock, no thread, nothing of std that has one inside. It may allocate memory, with the allocator of glibc.
pub unsafe fn fork_anyway() -> Result<Fork, ForkError> {
    // SAFETY: by P1.
    match unsafe { sys::fork() }? {
        None => Ok(Fork::Child),
        Some(pid) => Ok(Fork::Parent {
            child: Child::adopt(pid, format!("child-{pid}"))?,
        }),
    }
}
