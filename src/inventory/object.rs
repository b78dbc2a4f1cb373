//! One object of the machine that laneway made, or that stands where laneway's would.

use std::{
    fmt,
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{Address, inventory::Users, shm::name};

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A ring in shared memory, of `shm+lock:`, `shm+spsc:`, `shm+mpmc:` or `shm+broadcast:`.
    Ring,
    /// A System V message queue, with the segment beside it and the path that it has its key from.
    Queue,
    /// A FIFO.
    Fifo,
    /// A Unix socket, with the lock beside it.
    Socket,
    /// The ledger of a [`process::Queue`](crate::process::Queue), which lies beside the queue's channel.
    Ledger,
    /// Something else in the place of one of these.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ring => "ring",
            Self::Queue => "queue",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Ledger => "ledger",
            Self::Other => "other",
        })
    }
}

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Somebody has it open.
    Live,
    /// Nobody has it open: whoever had it was killed. The next to open it makes it anew.
    Stale,
    /// Whoever was making it was killed, or is making it now.
    HalfMade,
    /// It looks like laneway's, and is not sound. Opening it is refused.
    Corrupt(&'static str),
    /// It is not laneway's, or not this user's. Opening it is refused.
    Foreign(&'static str),
}

impl State {
    /// One word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::HalfMade => "half-made",
            Self::Corrupt(_) => "corrupt",
            Self::Foreign(_) => "foreign",
        }
    }

    /// Why it is corrupt or foreign.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Corrupt(why) | Self::Foreign(why) => Some(why),
            _ => None,
        }
    }

    /// Whether [`Object::remove`] would remove it, if it is as it was seen.
    #[must_use]
    pub const fn is_removable(self) -> bool {
        matches!(self, Self::Stale | Self::HalfMade)
    }
}

/// One object, as it was when it was looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Object {
    /// The channel that it belongs to, as far as it can be told: a queue's path is known only if it is in one of the folders
    /// that were looked at.
    pub address: Option<Address>,
    /// What it is.
    pub kind: Kind,
    /// The file that stands for it.
    pub path: PathBuf,
    /// The user whose it is.
    pub owner: u32,
    /// Who has it open.
    pub users: Users,
    /// How long it has been there, by the wall clock; nothing if that was set back.
    pub age: Duration,
    /// How many bytes of memory it takes: a segment's length, and the messages in a queue. `None` if that is not known without
    /// touching it.
    pub size: Option<u64>,
    /// How it stands.
    pub state: State,
}

impl Object {
    /// What is at `path`, before anything is known of it.
    pub(super) fn found(path: PathBuf, kind: Kind, meta: &Metadata, users: Users) -> Self {
        let since = meta.created().ok();
        let since = since.filter(|since| *since != SystemTime::UNIX_EPOCH);
        let since = since.or_else(|| meta.modified().ok());
        let age = since.and_then(|since| SystemTime::now().duration_since(since).ok());
        let state = if users.is_nobody() {
            State::Stale
        } else {
            State::Live
        };
        Self {
            address: None,
            kind,
            path,
            owner: meta.uid(),
            users,
            age: age.unwrap_or_default(),
            size: None,
            state,
        }
    }

    /// Whether it belongs to the channel at this address, whatever else that says. What is corrupt or foreign belongs to the channel in whose place it is.
    #[must_use]
    pub fn belongs_to(&self, address: &Address) -> bool {
        let id = |address: &Address| address.value("id").unwrap_or("1").to_owned();
        let alike = |ours: &Address| {
            let same = ours.scheme() == address.scheme() && id(ours) == id(address);
            same && plain(ours.name().as_ref()) == plain(address.name().as_ref())
        };
        match &self.address {
            Some(ours) => alike(ours),
            None if address.is_anonymous() => false,
            None if address.scheme().starts_with("shm") => {
                let file = name::file_name("", address.name());
                file.is_ok_and(|file| self.path == name::path(&file))
            }
            None => plain(&self.path) == plain(address.name().as_ref()),
        }
    }
}

/// A path without the dot that it may start with.
fn plain(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}
