//! What the same program can be run again for.

use std::{
    any::{TypeId, type_name},
    env,
    fs::File,
    io::{Read, Seek, Write},
    process::{self, Command, ExitCode, Termination},
    sync::OnceLock,
};

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::{
    process::pool::{self, Function},
    sys::{
        inherit::{self, Object},
        process as sys,
    },
    typed::Value,
};

/// Tells a process which entry it shall run, and where the arguments are.
const VARIABLE: &str = "LANEWAY_PROCESS";
/// The code of a process that could not read its arguments.
const UNREADABLE: i32 = 125;

/// What a worker of a pool is started for, in place of an entry.
pub(super) const WORKER: &str = "laneway/pool";

/// The entries that this program has, once [`Entries::serve`] was called.
static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
/// The functions that its pools can run, likewise.
static FUNCTIONS: OnceLock<Vec<Signature>> = OnceLock::new();

/// An entry, as one that starts it sees it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) arguments: Type,
    /// What it does in a pipeline, if it can stand in one.
    pub(super) part: Option<Part>,
}

/// What an entry does in a pipeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The items that come; `None` of a source.
    pub(super) input: Option<Type>,
    /// The items that go; `None` of a sink.
    pub(super) output: Option<Type>,
    /// Whether one that comes may become any number.
    pub(super) flat: bool,
    /// What a source or a sink takes besides its place.
    pub(super) arguments: Option<Type>,
}

/// A function for pools, as a pool sees it.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    pub(super) name: String,
    pub(super) request: Type,
    pub(super) response: Type,
}

/// A type, to be compared and to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    id: TypeId,
    pub(super) name: &'static str,
}

impl Type {
    pub(super) fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }
}

/// All entries, if `serve` was called.
pub(super) fn known() -> Option<&'static [Known]> {
    KNOWN.get().map(Vec::as_slice)
}

/// All functions for pools, if `serve` was called.
pub(super) fn functions() -> Option<&'static [Signature]> {
    FUNCTIONS.get().map(Vec::as_slice)
}

/// What runs an entry; `None` if the bytes are no arguments of it.
type Run = Box<dyn Fn(&[u8]) -> Option<ExitCode>>;

/// The functions of this program that a [`Process`](crate::process::Process) or a [`Pool`](crate::process::Pool) can run, by name.
///
/// A started process is this same program run again, so it begins in `main`, and [`serve`](Self::serve) must be the first thing there.
/// That is why it may be started beside threads, and why its arguments are values that can be written as bytes.
///
/// ```standalone_crate
/// use laneway::{process::{Entries, Process}, typed::Plain};
///
/// fn add(Plain([a, b]): Plain<[u8; 2]>) -> std::process::ExitCode {
///     (a + b).into()
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     Entries::new().entry("add", add).serve();
///     // Only the first process gets here.
///     let child = Process::new("add", &Plain([2_u8, 3])).start()?;
///     assert_eq!(child.join()?.code(), Some(5));
///     Ok(())
/// }
/// ```
#[derive(Default)]
pub struct Entries {
    known: Vec<Known>,
    run: Vec<Run>,
    signatures: Vec<Signature>,
    functions: Vec<Function>,
}

impl Entries {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more. What it returns ends the process as it would if `main` returned it, so an error is told on standard error, and the code is 1.
    ///
    /// Of several with one name the first is run.
    #[must_use]
    pub fn entry<A: Value, R: Termination>(
        mut self,
        name: &str,
        run: impl Fn(A) -> R + 'static,
    ) -> Self {
        self.known.push(Known {
            name: name.to_owned(),
            arguments: Type::of::<A>(),
            part: None,
        });
        self.run.push(Box::new(move |bytes| {
            let arguments = A::read(bytes)?;
            Some(run(arguments).report())
        }));
        self
    }

    /// A function that the workers of a [`Pool`](crate::process::Pool) can run. It is called again and again in one process, so
    /// what it keeps in statics stays from job to job.
    ///
    /// Of several with one name the first is run.
    #[must_use]
    pub fn function<Req: Value, Resp: Value>(
        mut self,
        name: &str,
        run: impl Fn(Req) -> Resp + 'static,
    ) -> Self {
        self.signatures.push(Signature {
            name: name.to_owned(),
            request: Type::of::<Req>(),
            response: Type::of::<Resp>(),
        });
        self.functions.push(Function::new(name, run));
        self
    }

    /// Says what the last one does in a pipeline.
    pub(super) fn passing(mut self, part: Part) -> Self {
        if let Some(last) = self.known.last_mut() {
            last.part = Some(part);
        }
        self
    }

    /// Runs the entry that this process was started for, and ends the process; returns if it was started for none.
    pub fn serve(self) {
        let started = started_for();
        let Self {
            known,
            run,
            signatures,
            functions,
        } = self;
        let found = started.map(|(name, bytes)| {
            let at = known.iter().position(|known| known.name == name);
            (at, name, bytes)
        });
        // A second table adds nothing: the first is the one that a started process sees.
        let _ = KNOWN.set(known);
        let _ = FUNCTIONS.set(signatures);
        let Some((at, name, bytes)) = found else {
            return;
        };
        if name == WORKER {
            sys::set_name("pool-worker");
            process::exit(number(pool::work(&functions, &bytes)));
        }
        sys::set_name(&name);
        let code = at.and_then(|at| run.get(at)).and_then(|run| run(&bytes));
        process::exit(code.map_or(UNREADABLE, number));
    }
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries")
            .field("entries", &self.known)
            .field("functions", &self.signatures)
            .finish()
    }
}

/// The number of a code, which std keeps to itself.
pub(super) fn number(code: ExitCode) -> i32 {
    let found = (0..=u8::MAX).find(|&number| ExitCode::from(number) == code);
    found.map_or(1, i32::from)
}

/// The command that runs this program again for an entry.
pub(super) fn command(name: &str, arguments: &[u8]) -> std::io::Result<Command> {
    let fd = memfd_create("laneway-arguments", MFdFlags::MFD_CLOEXEC)?;
    let mut file = File::from(fd);
    file.write_all(arguments)?;
    file.rewind()?;
    let fd = file.into();
    // Also a program whose file was replaced meanwhile runs itself.
    let mut command = Command::new("/proc/self/exe");
    command.env(
        VARIABLE,
        format!("{} {name}", Object::of(std::os::fd::AsFd::as_fd(&fd))?),
    );
    inherit::keep_open(&mut command, vec![fd]);
    Ok(command)
}

/// The entry that this process was started for, and its arguments. Whoever inherits the variable only was not.
fn started_for() -> Option<(String, Vec<u8>)> {
    let text = env::var(VARIABLE).ok()?;
    let (object, name) = text.split_once(' ')?;
    let mut file = File::from(inherit::take(object.parse().ok()?).ok()?);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some((name.to_owned(), bytes))
}
