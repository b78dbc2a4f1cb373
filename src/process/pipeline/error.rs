//! Why a pipeline did not start, or has failed.

use std::{error::Error, fmt, io, process::ExitStatus};

use crate::{
    AddressError, OpenError, RecvError, SendError,
    process::{StartError, pipeline::counters::Fault},
};

/// Why a pipeline did not start, or why it ended before its items did.
#[derive(Debug)]
#[non_exhaustive]
pub enum PipelineError {
    /// There is nothing between the source and the sink.
    NoStages,
    /// A stage has no workers.
    NoWorkers {
        /// The stage.
        stage: String,
    },
    /// The entry cannot stand there: it is no stage, or no source, or no sink.
    Misplaced {
        /// The entry.
        name: String,
        /// What was asked of it: `stage`, `source` or `sink`.
        wanted: &'static str,
    },
    /// The items that go from one to the other are not of one type.
    Types {
        /// Who sends.
        from: String,
        /// Who receives.
        to: String,
        /// The type that is sent.
        sent: &'static str,
        /// The type that is received.
        received: &'static str,
    },
    /// This end of the pipeline is a process, or was taken before.
    Taken {
        /// `source` or `sink`.
        end: &'static str,
    },
    /// The address of a link is wrong.
    Address(AddressError),
    /// A channel did not open.
    Link {
        /// Who sends.
        from: String,
        /// Who receives.
        to: String,
        /// Why.
        error: Box<OpenError>,
    },
    /// A process did not start. None of the others runs.
    Start {
        /// The stage, source or sink.
        stage: String,
        /// Why.
        error: StartError,
    },
    /// A process ended before its items did. All the others have been ended.
    Failed(Failure),
    /// An item was not sent.
    Send(SendError),
    /// No item was received.
    Recv(RecvError),
    /// The system refused.
    Io(io::Error),
}

/// The process that failed first, and how.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Its stage, source or sink.
    pub stage: String,
    /// Its index among the workers of the stage.
    pub worker: usize,
    /// How it ended; `None` if somebody else has reaped it.
    pub status: Option<ExitStatus>,
    /// What it could not do, if it lived to tell; else it panicked, was killed, or ended by itself.
    pub cause: Option<Cause>,
}

/// What a process could not do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// Send an item.
    Send(SendError),
    /// Receive an item.
    Recv(RecvError),
}

impl From<Fault> for Cause {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Send(error) => Self::Send(error),
            Fault::Recv(error) => Self::Recv(error),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(error) => error.fmt(f),
            Self::Recv(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, worker, .. } = self;
        write!(f, "worker {worker} of {stage} ended before its items did")?;
        match &self.status {
            Some(status) => write!(f, ", with {status}")?,
            None => f.write_str(", and somebody else has reaped it")?,
        }
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => f.write_str("; what it had in its hands is lost, so run the pipeline again"),
        }
    }
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStages => f.write_str("the pipeline has no stage; add one"),
            Self::NoWorkers { stage } => {
                write!(f, "the stage {stage} has no workers; give it one at least")
            }
            Self::Misplaced { name, wanted } => write!(
                f,
                "the entry {name} is no {wanted}; register it by Entries::{wanted}"
            ),
            Self::Types {
                from,
                to,
                sent,
                received,
            } => write!(
                f,
                "{from} sends items of {sent}, and {to} receives {received}; make them the same"
            ),
            Self::Taken { end } => write!(
                f,
                "the {end} is a process, or was taken before; use that one"
            ),
            Self::Address(error) => error.fmt(f),
            Self::Link { from, to, error } => write!(f, "from {from} to {to}: {error}"),
            Self::Start { stage, error } => write!(f, "{stage}: {error}"),
            Self::Failed(failure) => failure.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Recv(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the system refused: {error}"),
        }
    }
}

impl Error for PipelineError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Address(error) => Some(error),
            Self::Link { error, .. } => Some(&**error),
            Self::Start { error, .. } => Some(error),
            Self::Failed(failure) => match &failure.cause {
                Some(Cause::Send(error)) => Some(error),
                Some(Cause::Recv(error)) => Some(error),
                None => None,
            },
            Self::Send(error) => Some(error),
            Self::Recv(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<AddressError> for PipelineError {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl From<io::Error> for PipelineError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
