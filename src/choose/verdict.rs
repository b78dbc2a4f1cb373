//! How a choice came out.

use serde::{Deserialize, Serialize};

/// How a choice came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// One is ahead of all others.
    Answer,
    /// Too close to call, so the simplest of those that lead is taken.
    Tie,
    /// There is none to take.
    Nothing,
}

impl Verdict {
    /// The code that a command ends with: 0 for an answer, 3 for a tie, 4 for nothing.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Answer => 0,
            Self::Tie => 3,
            Self::Nothing => 4,
        }
    }
}
