//! What a channel must be able to do.

use std::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Capabilities, Driver};

/// Something that a channel must be able to do, apart from carrying the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Need {
    /// Processes find it by name, because none is a child of another.
    Named,
    /// It can be waited for together with others, by `wait_any`.
    Select,
    /// Tasks of an async runtime can wait for it.
    Async,
    /// Messages do not lie in memory that several processes have mapped.
    NoShm,
    /// What a receiver that died had taken and not finished is given to another.
    SurviveCrash,
    /// Messages have types that a receiver can select by.
    Priority,
}

impl Need {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::Named,
        Self::Select,
        Self::Async,
        Self::NoShm,
        Self::SurviveCrash,
        Self::Priority,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Select => "select",
            Self::Async => "async",
            Self::NoShm => "no-shm",
            Self::SurviveCrash => "survive-crash",
            Self::Priority => "priority",
        }
    }

    /// Whether a channel of this transport that can do `can` has it.
    pub(super) fn is_met(self, driver: &Driver, can: &Capabilities) -> bool {
        match self {
            Self::Named => can.named,
            Self::Select | Self::Async => can.awaitable,
            Self::NoShm => can.kernel_buffered,
            Self::SurviveCrash => can.redelivers,
            Self::Priority => driver.keys().iter().any(|key| key.name == "mtype"),
        }
    }

    /// What a channel without it is like.
    pub(super) const fn lack(self) -> &'static str {
        match self {
            Self::Named => "has no name",
            Self::Select => "cannot be waited for together with others",
            Self::Async => "tells no async runtime when it is ready",
            Self::NoShm => "lies in shared memory",
            Self::SurviveCrash => "loses what a receiver that dies has in its hands",
            Self::Priority => "has no types to select by",
        }
    }

    /// What would help.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::Named => "hand its ends to children with process::give, or use a named transport",
            Self::Select | Self::Async => {
                "wait in a thread of its own, or use a pipe, a FIFO, or a ring"
            }
            Self::NoShm => "use a transport of the kernel",
            Self::SurviveCrash => "have each message answered, or use shm+spsc: or shm+mpmc:",
            Self::Priority => "open a channel for each priority, or use sysv:",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Why a text is not a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedError;

impl fmt::Display for NeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Need::ALL.map(Need::word).join(", ");
        write!(f, "write one of {words}")
    }
}

impl Error for NeedError {}

impl FromStr for Need {
    type Err = NeedError;

    fn from_str(text: &str) -> Result<Self, NeedError> {
        let mut all = Self::ALL.into_iter();
        all.find(|need| need.word() == text).ok_or(NeedError)
    }
}
