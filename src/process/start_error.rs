//! Why a process was not started.

use std::{error::Error, fmt, io};

use crate::process::fork::{ForkError, Threads};

/// Why a process was not started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// This program has not called [`Entries::serve`](crate::process::Entries::serve), so run again it would not find the entry.
    NotServed,
    /// This program has no such entry.
    UnknownEntry {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The entry takes arguments of another type.
    Arguments {
        /// The entry.
        name: String,
        /// The type it takes.
        expected: &'static str,
        /// The type it was to get.
        found: &'static str,
    },
    /// A pool was to be made, and this program has no function of its types.
    NoFunction {
        /// The type that its functions would take.
        request: &'static str,
        /// The type that they would return.
        response: &'static str,
    },
    /// The arguments' own serialisation refused to make bytes of them.
    Unencodable,
    /// A closure was to be run by a fork, and other threads run.
    Threads {
        /// Their names, as the system keeps them.
        names: Vec<String>,
    },
    /// The system refused.
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotServed => {
                f.write_str("this program serves no entries; call Entries::serve first thing in main")
            }
            Self::UnknownEntry { name, known } => write!(
                f,
                "this program has no entry {name}; it has: {}",
                known.join(", ")
            ),
            Self::Arguments {
                name,
                expected,
                found,
            } => write!(
                f,
                "the entry {name} takes a {expected}, not a {found}; start it with one"
            ),
            Self::NoFunction { request, response } => write!(
                f,
                "this program has no function from {request} to {response}; add one by Entries::function"
            ),
            Self::Unencodable => f.write_str(
                "the arguments' own serialisation refused them; pass some that can be written as bytes",
            ),
            Self::Threads { names } => write!(f, "{}", Threads(names)),
            Self::Io(error) => write!(f, "the system refused to start a process: {error}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ForkError> for StartError {
    fn from(error: ForkError) -> Self {
        match error {
            ForkError::Threads { names } => Self::Threads { names },
            ForkError::Io(error) => Self::Io(error),
        }
    }
}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}
