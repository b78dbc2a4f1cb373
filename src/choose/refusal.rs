//! Why a transport is not among those that are measured, and what would let it in.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{SystemLimit, choose::need::Need};

/// Bytes that a channel may need besides one message.
pub(super) const HEADERS: u64 = 64;

/// A setting of the system that is in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name for `sysctl`.
    pub name: String,
    /// Its value.
    pub value: u64,
}

impl From<SystemLimit> for Setting {
    fn from(limit: SystemLimit) -> Self {
        Self {
            name: limit.name.to_owned(),
            value: limit.value,
        }
    }
}

/// A transport that cannot do what is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its address, of the variant that came closest.
    pub address: String,
    /// What is in the way.
    #[serde(flatten)]
    pub reason: Refusal,
}

/// What is in the way of a transport. `Display` says it; [`remedy`](Self::remedy) says what would help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// This machine cannot do it.
    Unsupported {
        /// What the transport says.
        why: String,
    },
    /// It cannot do what it must.
    Lacks {
        /// What that is.
        need: Need,
    },
    /// It may give messages up, or gives each to every receiver; the workload's are to come once each.
    Lossy,
    /// One handle sends, and the workload has more.
    OneSender {
        /// How many there are.
        wanted: u16,
    },
    /// One handle receives, and the workload has more.
    OneReceiver {
        /// How many there are.
        wanted: u16,
    },
    /// It does not open.
    Closed {
        /// What the transport says.
        why: String,
    },
    /// The messages are too long for it.
    TooLong {
        /// Bytes of a message.
        size: u64,
        /// The most that it carries.
        max: u64,
        /// The settings of the system that bound it.
        settings: Vec<Setting>,
    },
}

impl Refusal {
    /// How close the transport came: of two refusals the one that got further tells more.
    pub(super) const fn distance(&self) -> u8 {
        match self {
            Self::Unsupported { .. } => 0,
            Self::Lacks { .. } | Self::Lossy => 1,
            Self::OneSender { .. } | Self::OneReceiver { .. } => 2,
            Self::Closed { .. } => 3,
            Self::TooLong { .. } => 4,
        }
    }

    /// What would let it in.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Unsupported { .. } => "use another machine, or another transport".to_owned(),
            Self::Lacks { need } => need.remedy().to_owned(),
            Self::Lossy => "open it without being told to, where all are to see all".to_owned(),
            Self::OneSender { .. } => "open one for each sender".to_owned(),
            Self::OneReceiver { .. } => "open one for each receiver".to_owned(),
            Self::Closed { .. } => "remove what stands in the way".to_owned(),
            Self::TooLong { size, settings, .. } if !settings.is_empty() => {
                // With room for headers, which some settings count too.
                let wanted = size.saturating_add(HEADERS);
                let enough = wanted.checked_next_power_of_two().unwrap_or(wanted);
                let raise = |setting: &Setting| format!(" {}={enough}", setting.name);
                let all: String = settings.iter().map(raise).collect();
                format!("sysctl -w{all}")
            }
            Self::TooLong { .. } => "split the messages".to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { why } | Self::Closed { why } => f.write_str(why),
            Self::Lacks { need } => f.write_str(need.lack()),
            Self::Lossy => {
                f.write_str("gives each message to every receiver, and overtakes who is slow")
            }
            Self::OneSender { wanted } => write!(f, "takes 1 sender, not {wanted}"),
            Self::OneReceiver { wanted } => write!(f, "takes 1 receiver, not {wanted}"),
            Self::TooLong {
                size,
                max,
                settings,
            } => {
                write!(f, "message {size} B > ")?;
                match settings.as_slice() {
                    [] => write!(f, "its longest, {max}"),
                    [first, rest @ ..] => {
                        write!(f, "{} {}", first.name, first.value)?;
                        rest.iter()
                            .try_for_each(|more| write!(f, " and {} {}", more.name, more.value))
                    }
                }
            }
        }
    }
}
