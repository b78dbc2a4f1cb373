//! Why a job was not submitted, and why it has no result.

use std::{error::Error, fmt, process::ExitStatus};

/// Why a job was not submitted. It will not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError {
    /// As many jobs as the pool's bound are still in flight at the deadline.
    Full {
        /// The bound.
        in_flight: usize,
    },
    /// The pool was closed or terminated.
    Closed,
    /// The pool gave up: its workers died again and again as they started, or a channel was damaged.
    Broken,
    /// The pool has no such function.
    UnknownFunction {
        /// The name that was asked for.
        name: String,
        /// Those that there are for the pool's types.
        known: Vec<String>,
    },
    /// The request is longer than the pool carries.
    TooLarge {
        /// The longest request, in bytes.
        max: usize,
    },
    /// The request's own serialisation refused to make bytes of it.
    Unencodable,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { in_flight } => write!(
                f,
                "{in_flight} jobs are in flight, as many as the pool takes; wait longer, or build it with more by in_flight"
            ),
            Self::Closed => f.write_str("the pool was closed; make a new one"),
            Self::Broken => f.write_str(
                "the pool gave up, for its workers could not be kept alive; see what they say on standard error, then make a new one",
            ),
            Self::UnknownFunction { name, known } => write!(
                f,
                "the pool has no function {name}; for its types there are: {}",
                known.join(", ")
            ),
            Self::TooLarge { max } => write!(
                f,
                "the request is longer than the {max} bytes that the pool carries; build it with a larger capacity"
            ),
            Self::Unencodable => f.write_str(
                "the request's own serialisation refused it; pass one that can be written as bytes",
            ),
        }
    }
}

impl Error for SubmitError {}

/// Why a job has no result, or none yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// It was not submitted.
    NotSubmitted(SubmitError),
    /// It has not ended at the deadline; ask again.
    Pending,
    /// Its result was taken before.
    Taken,
    /// The function panicked. Its worker goes on.
    Panicked {
        /// The number of the job.
        job: u64,
        /// The process id of the worker.
        worker: u32,
        /// What the panic said.
        message: String,
    },
    /// The worker ended with the job in its hands: killed, aborted or exited. It may have been done, and is not tried again.
    Died {
        /// The number of the job.
        job: u64,
        /// The process id that the worker had.
        worker: u32,
        /// How it ended; `None` if somebody else reaped it.
        status: Option<ExitStatus>,
    },
    /// The result is longer than the pool carries.
    TooLarge {
        /// The number of the job.
        job: u64,
        /// The length of the result, in bytes.
        len: u64,
        /// The longest, in bytes.
        max: usize,
    },
    /// The result's own serialisation refused to make bytes of it.
    Unencodable {
        /// The number of the job.
        job: u64,
    },
    /// The request or the result could not be read back from its bytes.
    Unreadable {
        /// The number of the job.
        job: u64,
    },
    /// The pool was terminated, or dropped, before the job was done.
    Terminated {
        /// The number of the job.
        job: u64,
    },
    /// The pool gave up before the job was done: see [`SubmitError::Broken`].
    Broken {
        /// The number of the job.
        job: u64,
    },
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSubmitted(error) => write!(f, "{error}"),
            Self::Pending => f.write_str("the job has not ended; wait longer"),
            Self::Taken => f.write_str("the result was taken before; keep it"),
            Self::Panicked {
                job,
                worker,
                message,
            } => write!(f, "job {job} panicked in worker {worker}: {message}"),
            Self::Died {
                job,
                worker,
                status,
            } => {
                write!(f, "worker {worker} ended with job {job} in its hands")?;
                if let Some(status) = status {
                    write!(f, " ({status})")?;
                }
                f.write_str("; submit it again if it may be done twice")
            }
            Self::TooLarge { job, len, max } => write!(
                f,
                "the result of job {job} has {len} bytes, and the pool carries {max}; build it with a larger capacity"
            ),
            Self::Unencodable { job } => write!(
                f,
                "the result of job {job} was refused by its own serialisation; return what can be written as bytes"
            ),
            Self::Unreadable { job } => write!(
                f,
                "the request or the result of job {job} cannot be read back; its type must read what it writes"
            ),
            Self::Terminated { job } => write!(
                f,
                "the pool was terminated before job {job} was done; close and join it to have all done"
            ),
            Self::Broken { job } => write!(
                f,
                "the pool gave up before job {job} was done; see what its workers say on standard error"
            ),
        }
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotSubmitted(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SubmitError> for JobError {
    fn from(error: SubmitError) -> Self {
        Self::NotSubmitted(error)
    }
}
