//! Why nothing was listed, and why an object was not removed.

use std::{error::Error, fmt, io, path::PathBuf};

/// Why nothing was listed.
#[derive(Debug)]
pub struct SurveyError {
    /// What could not be read.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for SurveyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, source } = self;
        write!(
            f,
            "{} cannot be read ({source}); check the name, or run as its owner",
            path.display()
        )
    }
}

impl Error for SurveyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Why an object was not removed. It is as it was.
#[derive(Debug)]
pub struct RemoveError {
    /// Which object.
    pub path: PathBuf,
    /// Why.
    pub kind: RemoveErrorKind,
    /// What the system said, if it was asked.
    pub source: Option<io::Error>,
}

/// Why an object was not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoveErrorKind {
    /// A live process has it open.
    Live,
    /// It is not there any more.
    Gone,
    /// It is not laneway's, or another user's.
    Foreign(&'static str),
    /// It looks like laneway's, and is not sound.
    Corrupt(&'static str),
    /// Somebody has been opening or closing it for 10 seconds, stopped perhaps.
    Busy,
    /// The system refused.
    Os,
}

impl RemoveError {
    /// An error without a word of the system's.
    pub(super) fn new(path: PathBuf, kind: RemoveErrorKind) -> Self {
        let source = None;
        Self { path, kind, source }
    }

    /// An error of the system.
    pub(super) fn os(path: PathBuf, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::WouldBlock => RemoveErrorKind::Busy,
            io::ErrorKind::NotFound => RemoveErrorKind::Gone,
            io::ErrorKind::InvalidData => RemoveErrorKind::Corrupt("it has changed"),
            _ => RemoveErrorKind::Os,
        };
        let source = Some(error);
        Self { path, kind, source }
    }
}

impl fmt::Display for RemoveErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("a live process has it open; end that first"),
            Self::Gone => f.write_str("is not there any more; nothing needs to be done"),
            Self::Foreign(why) => write!(
                f,
                "{why}; it is not laneway's to remove: if it is yours and nobody needs it, remove the file yourself"
            ),
            Self::Corrupt(why) => write!(
                f,
                "{why}; if you know that nobody needs it, remove the file yourself"
            ),
            Self::Busy => f.write_str(
                "somebody has been opening or closing it for 10 s; try again, or look for a stopped process",
            ),
            Self::Os => f.write_str("the system refused"),
        }
    }
}

impl fmt::Display for RemoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.kind)?;
        match &self.source {
            Some(source) if self.kind == RemoveErrorKind::Os => write!(f, " ({source})"),
            _ => Ok(()),
        }
    }
}

impl Error for RemoveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
