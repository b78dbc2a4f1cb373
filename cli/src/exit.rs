//! How the command ends: why it failed, in words and as an exit code.

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use laneway::{
    Address, AddressError, OpenError, OpenErrorKind, RecvError, SendError,
    inventory::{RemoveError, RemoveErrorKind, State, SurveyError},
    measure::SCHEMA,
};

use crate::recording::RecordingError;

/// The end of every `--help`.
pub(crate) const CODES: &str = "\
Exit codes:
  0  done
  1  a message or the input or output failed
  2  wrong usage, or an address that cannot be
  3  the channel did not open
  4  every receiver went before all was sent
  5  the time was up
  6  received from shm+broadcast, but too slowly, so that messages were missed
  128+N as shells count it, ended by signal N, with nothing left behind";

/// Why the command did not do all that it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The text is not an address.
    Address(AddressError),
    /// Nobody else can open a channel without a name. These have one.
    Nameless {
        address: Address,
        examples: Vec<Address>,
        /// It could be our standard input or output, and is not.
        is_pipe: bool,
    },
    /// Blocks larger than the channel's messages were asked for.
    Block {
        address: Address,
        size: usize,
        max: usize,
    },
    /// The channel did not open.
    Open(OpenError),
    /// The channel did not open in time.
    Unopened { address: Address, waited: Duration },
    /// Nobody came.
    NoReceiver { address: Address, waited: Duration },
    /// Nothing came.
    Silence { address: Address, waited: Duration },
    /// The sender was faster. All else was received, unless it is of no use with a hole.
    Missed {
        address: Address,
        missed: u64,
        /// Messages that are bytes of one whole.
        is_whole: bool,
    },
    /// A line, or something of a known length, is longer than the channel's messages.
    TooLong {
        address: Address,
        number: u64,
        len: Option<u32>,
        max: usize,
        remedy: Box<str>,
    },
    /// The input ends within a message.
    Torn {
        number: u64,
        found: usize,
        needed: usize,
    },
    /// A message was not sent, after so many that were.
    Send {
        address: Address,
        sent: u64,
        error: SendError,
    },
    /// No message was received.
    Recv { address: Address, error: RecvError },
    /// The channel's state could not be asked for.
    Channel { address: Address, error: io::Error },
    /// A file of recorded messages is not one.
    Recording {
        path: PathBuf,
        error: RecordingError,
    },
    /// Cores that this process may not use, or that there are not.
    Cores(io::Error),
    /// Several sizes were given where one is measured.
    Sizes,
    /// A list is to be saved, and no file was named.
    NoFile,
    /// A file could not be read or written, or is no saved result.
    File { path: PathBuf, error: io::Error },
    /// A file has figures, and no choice.
    NoChoice(PathBuf),
    /// A saved result has another form.
    Schema { path: PathBuf, schema: u32 },
    /// Standard input.
    Input(io::Error),
    /// Standard output.
    Output(io::Error),
    /// The file that is sent.
    Source { path: PathBuf, error: io::Error },
    /// The file that what is received goes to.
    Sink { path: PathBuf, error: io::Error },
    /// The objects of the machine could not be listed.
    Survey(SurveyError),
    /// Nothing has this address.
    Nothing(Address),
    /// No object of ours has this path.
    NoObject(PathBuf),
    /// What has the address cannot be opened.
    Unsound { path: PathBuf, state: State },
    /// Objects that were to be removed are still there.
    Left(Vec<RemoveError>),
    /// Signals could not be caught.
    Signals(io::Error),
    /// A signal asked us to end.
    Stopped(i32),
}

impl Failure {
    /// Its number, as [`CODES`] tells.
    fn code(&self) -> u8 {
        match self {
            Self::Address(_)
            | Self::Nameless { .. }
            | Self::Block { .. }
            | Self::Recording { .. }
            | Self::Cores(_)
            | Self::Sizes
            | Self::NoFile
            | Self::NoChoice(_)
            | Self::Schema { .. } => 2,
            Self::File { error, .. } if is_malformed(error) => 2,
            Self::Open(OpenError {
                kind: OpenErrorKind::NotReady,
                ..
            })
            | Self::Unopened { .. }
            | Self::NoReceiver { .. }
            | Self::Silence { .. } => 5,
            Self::Missed { .. } => 6,
            Self::Left(left) if left.iter().any(|error| !refuses(error)) => 1,
            Self::Open(_)
            | Self::Nothing(_)
            | Self::NoObject(_)
            | Self::Unsound { .. }
            | Self::Left(_) => 3,
            Self::Send {
                error: SendError::Disconnected,
                ..
            } => 4,
            _ => 1,
        }
    }

    /// Tells people, and ends as the caller of the command should see it. Everything that must be dropped has been.
    pub(crate) fn report(self) -> ExitCode {
        if let Self::Stopped(signal) = self {
            // Ends the process, so that a shell sees which signal it was.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        } else {
            let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(anstream::stderr(), "{red}laneway:{red:#} {self}");
        }
        ExitCode::from(self.code())
    }

    /// Whether all that happened is that nobody reads our output any more.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) | Self::Sink { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => write!(f, "{error}"),
            Self::Nameless {
                address,
                examples,
                is_pipe,
            } => {
                let examples: Vec<_> = examples.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "{address} has no name by which another process could find it; use {}",
                    examples.join(" or ")
                )?;
                match is_pipe {
                    true => write!(
                        f,
                        ", or let a shell join the two: laneway send '{address}' | laneway recv '{address}'"
                    ),
                    false => Ok(()),
                }
            }
            Self::Block { address, size, max } => write!(
                f,
                "--size {size} is more than the {max} bytes a message on {address} may have; say --size {max} or less"
            ),
            Self::Open(error) => write!(f, "{error}"),
            Self::Unopened { address, waited } => write!(
                f,
                "{address}: it did not open within {waited:?}; a process that opens or closes it may be stopped: continue or end that, or wait longer"
            ),
            Self::NoReceiver { address, waited } => write!(
                f,
                "{address}: no receiver came within {waited:?}; start laneway recv '{address}', or wait longer"
            ),
            Self::Silence { address, waited } => write!(
                f,
                "{address}: nothing came within {waited:?}; send to it, or wait longer"
            ),
            Self::Missed {
                address,
                missed,
                is_whole,
            } => {
                let what = messages(*missed);
                match is_whole {
                    true => write!(
                        f,
                        "{address}: the sender was faster, and {what} went by: what was written ends before the hole"
                    ),
                    false => write!(
                        f,
                        "{address}: the sender was faster, and {what} went by; all others were written"
                    ),
                }?;
                f.write_str("; give both sides a larger capacity=SIZE, or use a transport whose senders wait")
            }
            Self::TooLong {
                address,
                number,
                len: None,
                max,
                remedy,
            } => write!(
                f,
                "line {number} is longer than the {max} bytes a message on {address} may have; cut the input with --raw{remedy}"
            ),
            Self::TooLong {
                address,
                number,
                len: Some(len),
                max,
                remedy,
            } => write!(
                f,
                "message {number} has {len} bytes, more than the {max} a message on {address} may have; make it shorter{remedy}"
            ),
            Self::Torn {
                number,
                found,
                needed,
            } => write!(
                f,
                "the input ends within message {number}, after {found} of its {needed} bytes; with --framing len each has its length in front, 4 bytes, the lowest first; those before it were sent"
            ),
            Self::Send {
                address,
                sent,
                error: SendError::Disconnected,
            } => write!(
                f,
                "{address}: every receiver is gone, after {}; start laneway recv '{address}' and send again",
                messages(*sent)
            ),
            Self::Send {
                address,
                sent,
                error,
            } => write!(f, "{address}, after {}: {error}", messages(*sent)),
            Self::Recv { address, error } => write!(f, "{address}: {error}"),
            Self::Channel { address, error } => write!(f, "{address}: {error}"),
            Self::Recording { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Cores(error) => write!(
                f,
                "cannot measure on these cores: {error}; laneway doctor says which there are"
            ),
            Self::Sizes => {
                f.write_str("several sizes go with choose --markdown only; ask for one at a time")
            }
            Self::NoFile => {
                f.write_str("--markdown takes the screen; name a file, as in --json all.json")
            }
            Self::NoChoice(path) => write!(
                f,
                "{}: measure wrote it, so it says nothing of what was needed; take a file of choose --json, or --compare it",
                path.display()
            ),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Schema { path, schema } => write!(
                f,
                "{}: its schema is {schema}, this laneway reads {SCHEMA}; measure again, or read it with the laneway that wrote it",
                path.display()
            ),
            Self::Input(error) => write!(f, "standard input: {error}"),
            Self::Output(error) => write!(f, "standard output: {error}"),
            Self::Source { path, error } | Self::Sink { path, error } => {
                write!(f, "{}: {error}", path.display())
            }
            Self::Survey(error) => write!(f, "{error}"),
            Self::NoObject(path) => write!(
                f,
                "nothing of laneway's is at {}; laneway ls --all shows what there is",
                path.display()
            ),
            Self::Nothing(address) => write!(
                f,
                "nothing has the address {address}; laneway ls shows what there is, with --in DIR what is in other folders"
            ),
            Self::Unsound { path, state } => write!(
                f,
                "{} is {}: {}",
                path.display(),
                state.word(),
                state.reason().unwrap_or_default()
            ),
            Self::Left(left) => {
                let told: Vec<_> = left.iter().map(ToString::to_string).collect();
                write!(f, "left {}", told.join("\nlaneway: left "))
            }
            Self::Signals(error) => write!(f, "signals cannot be caught: {error}"),
            Self::Stopped(signal) => write!(f, "ended by signal {signal}"),
        }
    }
}

/// Whether an object was left because it must be, and not because the system would not have it removed.
fn refuses(error: &RemoveError) -> bool {
    matches!(
        error.kind,
        RemoveErrorKind::Live | RemoveErrorKind::Foreign(_) | RemoveErrorKind::Corrupt(_)
    )
}

/// Whether a file was read, and is not what it should be.
fn is_malformed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_owned(),
        _ => format!("{count} messages"),
    }
}
