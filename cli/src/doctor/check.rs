//! One thing that was looked at.

use serde::Serialize;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    /// What it is; of settings the name that `sysctl` has for them.
    pub(super) name: String,
    /// What was found.
    pub(super) value: String,
    /// What that means for laneway.
    pub(super) meaning: String,
    /// Whether it is worth mending.
    pub(super) state: State,
    /// The command that changes it, if one does.
    pub(super) mend: Option<String>,
}

/// Whether something is worth mending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It is as it should be, or cannot be changed.
    Ok,
    /// It is worth mending.
    Warn,
}

impl State {
    /// [`Warn`](Self::Warn) if something is wrong.
    pub(super) const fn warn_if(wrong: bool) -> Self {
        if wrong { Self::Warn } else { Self::Ok }
    }

    /// Its word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
        }
    }
}

impl Check {
    /// Something that is as it should be.
    pub(super) fn new(
        name: impl Into<String>,
        value: impl Into<String>,
        meaning: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            meaning: meaning.into(),
            state: State::Ok,
            mend: None,
        }
    }

    /// The same, worth mending if `wrong`.
    pub(super) fn wrong_if(mut self, wrong: bool) -> Self {
        self.state = State::warn_if(wrong);
        self
    }

    /// The same with the command that changes it.
    pub(super) fn mend(mut self, command: impl Into<String>) -> Self {
        self.mend = Some(command.into());
        self
    }
}
