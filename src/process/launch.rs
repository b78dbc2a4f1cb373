//! A process that has been described and not started.

use std::{
    fmt,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    process::Termination,
};

use nix::unistd::{Pid, getpid};

use crate::{
    Handoff,
    process::{
        child::Child,
        entry::{self, Type},
        fork,
        give::{self, Give},
        start_error::StartError,
        stray,
    },
    sys::process as sys,
    typed::{Unencodable, Value},
};

/// The code of a forked child that panicked, as of a program that did.
const PANICKED: u8 = 101;
/// The code of a forked child that could not be set up.
const UNPREPARED: u8 = 125;

/// What a process shall do.
enum Task {
    /// Run an entry of this program with arguments in bytes.
    Entry {
        entry: String,
        arguments: Result<Vec<u8>, Unencodable>,
        of: Type,
    },
    /// Be a worker of a pool, with these orders.
    Worker(Vec<u8>),
    /// Run a closure, and end with this code.
    Closure(Box<dyn FnOnce() -> u8>),
}

/// A process that has been described but not started: what it runs, and what it is given.
///
/// [`start`](Self::start) makes it a [`Child`].
///
/// ```standalone_crate
/// use laneway::{Channel, Receiver, ReceiverExt, Sender, process::{Process, inherited_sender}};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (tx, mut rx) = laneway::channel("pipe:")?.pair()?;
///     let child = Process::fork(|| {
///         let mut tx = inherited_sender("greetings").expect("given");
///         tx.send(b"hello").expect("the parent receives");
///     })
///     .give("greetings", &tx)?
///     .start()?;
///     drop(tx);
///     assert_eq!(&*rx.loan()?, b"hello");
///     assert!(child.join()?.success());
///     Ok(())
/// }
/// ```
#[must_use = "it does nothing until it is started"]
pub struct Process {
    name: String,
    task: Task,
    given: Vec<(String, Handoff)>,
    tied: bool,
}

impl Process {
    /// This program again, running the entry with this name: see [`Entries`](crate::process::Entries). It may be started
    /// beside threads. The type of the arguments must be the one that the entry takes.
    ///
    /// It has this program's environment and standard streams, and no other descriptor than those it is given.
    pub fn new<A: Value>(entry: &str, arguments: &A) -> Self {
        let mut bytes = Vec::new();
        let written = arguments.write(&mut bytes);
        Self::of(
            entry.to_owned(),
            Task::Entry {
                entry: entry.to_owned(),
                arguments: written.map(|()| bytes),
                of: Type::of::<A>(),
            },
        )
    }

    /// The same, where the arguments are bytes already, of a value of this type.
    pub(super) fn encoded(entry: &str, arguments: Vec<u8>, of: Type) -> Self {
        Self::of(
            entry.to_owned(),
            Task::Entry {
                entry: entry.to_owned(),
                arguments: Ok(arguments),
                of,
            },
        )
    }

    /// A copy of this process that runs a closure and ends with what it returns, as if `main` returned it. It is not started beside
    /// threads, since the copy would not have them, and may wait for one for ever.
    ///
    /// The child has what the closure holds, but no end of a channel that this process has open: those that it shall have are
    /// [given](Self::give), and taken by their key. An end that the closure holds is closed by the start. Standard output is flushed, in both
    /// processes; nothing else that the parent had registered for its end is run in the child. A panic ends it with code 101.
    pub fn fork<F, R>(run: F) -> Self
    where
        F: FnOnce() -> R + 'static,
        R: Termination,
    {
        let run = move || u8::try_from(entry::number(run().report())).unwrap_or(1);
        Self::of("fork".to_owned(), Task::Closure(Box::new(run)))
    }

    /// A worker of a pool.
    pub(super) fn worker(orders: Vec<u8>) -> Self {
        Self::of("pool-worker".to_owned(), Task::Worker(orders))
    }

    fn of(name: String, task: Task) -> Self {
        Self {
            name,
            task,
            given: Vec::new(),
            tied: false,
        }
    }

    /// Calls it so, here and where processes are listed.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Gives it an end of a channel, a [`Queue`](crate::process::Queue) or one side of it, which it takes by the same key.
    ///
    /// Until it is started, the end counts as open here too.
    ///
    /// # Errors
    /// As for [`give`](crate::process::give()).
    pub fn give(mut self, key: &str, what: &(impl Give + ?Sized)) -> io::Result<Self> {
        self.given.extend(give::keyed(key, what)?);
        Ok(self)
    }

    /// Has the kernel kill it when the thread that starts it ends, by whatever cause: start it from one that lives as long as this process
    /// shall have it.
    ///
    /// It is killed by SIGKILL, so it cannot tidy up; what it had open is closed, and what it had in its hands is as
    /// after any death.
    #[doc(alias = "daemon")]
    #[doc(alias = "PR_SET_PDEATHSIG")]
    pub fn end_with_parent(mut self) -> Self {
        self.tied = true;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`StartError`] says what stands in the way. Nothing was started.
    pub fn start(self) -> Result<Child, StartError> {
        let Self {
            name,
            task,
            given,
            tied,
        } = self;
        match task {
            Task::Entry {
                entry,
                arguments,
                of,
            } => {
                check(&entry, of)?;
                let arguments = arguments.map_err(|Unencodable| StartError::Unencodable)?;
                run(&entry, &arguments, given, tied, name)
            }
            Task::Worker(orders) => run(entry::WORKER, &orders, given, tied, name),
            Task::Closure(task) => fork_and_run(task, given, tied, name),
        }
    }
}

/// Whether this program has the entry, and whether it takes these arguments.
fn check(name: &str, found: Type) -> Result<(), StartError> {
    let known = entry::known().ok_or(StartError::NotServed)?;
    match known.iter().find(|known| known.name == name) {
        None => Err(StartError::UnknownEntry {
            name: name.to_owned(),
            known: known.iter().map(|known| known.name.clone()).collect(),
        }),
        Some(known) if known.arguments != found => Err(StartError::Arguments {
            name: name.to_owned(),
            expected: known.arguments.name,
            found: found.name,
        }),
        Some(_) => Ok(()),
    }
}

/// Runs this program again.
fn run(
    entry: &str,
    arguments: &[u8],
    given: Vec<(String, Handoff)>,
    tied: bool,
    name: String,
) -> Result<Child, StartError> {
    let mut command = entry::command(entry, arguments)?;
    give::withhold(&mut command);
    for (key, handoff) in given {
        give::pass(&mut command, &key, handoff)?;
    }
    if tied {
        sys::tie(&mut command);
    }
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok(Child::adopt(Pid::from_raw(pid), name)?)
}

/// Forks, and runs the closure in the child.
fn fork_and_run(
    task: Box<dyn FnOnce() -> u8>,
    given: Vec<(String, Handoff)>,
    tied: bool,
    name: String,
) -> Result<Child, StartError> {
    // Else what is in its buffer would be written twice.
    io::stdout().flush()?;
    let parent = getpid();
    match fork::fork_for(&name)? {
        Some(child) => Ok(child),
        None => {
            // Nothing of the parent's is to run here, whatever happens.
            let code = catch_unwind(AssertUnwindSafe(|| {
                sys::set_name(&name);
                let ready = prepare(given, tied.then_some(parent));
                ready.map_or(UNPREPARED, |()| task())
            }));
            let code = code.unwrap_or(PANICKED);
            let _ = io::stdout().flush();
            sys::end(code)
        }
    }
}

/// Makes a forked child what its description says.
fn prepare(given: Vec<(String, Handoff)>, parent: Option<Pid>) -> io::Result<()> {
    if let Some(parent) = parent {
        sys::end_with(parent)?;
    }
    stray::let_go(&given)?;
    give::receive(given);
    Ok(())
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.given.iter().map(|(key, _)| key).collect();
        f.debug_struct("Process")
            .field("name", &self.name)
            .field("given", &keys)
            .finish_non_exhaustive()
    }
}
