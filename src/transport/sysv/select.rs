//! Which messages a receiver of a System V queue takes.

/// Which message to receive, in the words of msgrcv.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Select {
    /// The oldest.
    #[default]
    Any,
    /// The oldest of this type.
    Type(i64),
    /// The oldest of the lowest type up to this one.
    LowestUpTo(i64),
}

impl Select {
    /// From msgrcv's number: 0, a type, or a negated bound.
    pub(super) const fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Any,
            1.. => Self::Type(number),
            _ => Self::LowestUpTo(number.saturating_neg()),
        }
    }

    /// The same as msgrcv's number.
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Any => 0,
            Self::Type(mtype) => mtype,
            Self::LowestUpTo(most) => most.saturating_neg(),
        }
    }
}
