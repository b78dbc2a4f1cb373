//! Watching what goes through the channels of this machine.

use std::{
    collections::HashMap,
    fmt,
    fs::{File, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use crate::{
    Address, Counters, Depth,
    inventory::{
        SurveyError,
        descriptors::{Descriptors, Openers, Place, What},
        folder::Entry,
        segment, slots,
    },
    shm::{layout::Shape, name},
};

/// The same channel, or the same end, at another look. Nothing else has it as long as either is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId {
    pub(super) object: Place,
    /// Of a slot, which it is and how many had it before.
    pub(super) slot: Option<(usize, u64)>,
}

impl fmt::Display for WatchId {
    /// Device and inode; of an end also which slot of its process it counts in, and how many had that before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, inode) = self.object;
        write!(f, "{device:x}-{inode}")?;
        match self.slot {
            Some((index, turn)) => write!(f, "-{index}-{turn}"),
            None => Ok(()),
        }
    }
}

/// A channel, or an end of one that the kernel carries, as it was at a look.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Watched {
    /// Tells it from others at all looks.
    pub id: WatchId,
    /// The channel's address: without a name, if it has none; `None` if it cannot be told: of a queue whose path is not in the folders
    /// that are looked at, or one longer than 3,968 bytes.
    pub address: Option<Address>,
    /// What has gone through. [`Counters::scope`] tells whether it is the whole channel's or one end's.
    pub counters: Counters,
    /// The processes of this user that have the channel open, of an end those that may be using it; in order. Empty if nobody has, or only others.
    pub processes: Vec<u32>,
    /// Those of them that are known to have a sending end open; none of an end that counts for itself.
    pub senders: Vec<u32>,
    /// The same of receiving ends.
    pub receivers: Vec<u32>,
    /// What is waiting in the channel; nothing is told of a pipe or FIFO.
    pub depth: Depth,
    /// How many bytes the channel holds, its own headers included.
    pub capacity: Option<u64>,
}

/// Looks at counters, again and again: of all rings and queues with a name, and of those without one and of the ends of pipes and FIFOs
/// that processes of this user have open.
///
/// It keeps what it has seen open, so that looking again wakes nobody. Other users' objects are not looked at.
///
/// ```
/// use laneway::{Channel, Sender, inventory::Inventory};
///
/// let (mut tx, rx) = laneway::channel(&format!("shm+spsc:laneway-observed.{}", std::process::id()))?.pair()?;
/// tx.send(b"hello")?;
/// let mut observer = Inventory::new().observer();
/// let all = observer.look()?;
/// let name = format!("laneway-observed.{}", std::process::id());
/// let ours = all.iter().find(|watched| watched.address.as_ref().is_some_and(|address| address.name() == name.as_str()));
/// let ours = ours.ok_or("it is open")?;
/// assert_eq!(ours.counters.sent.messages, 1);
/// assert_eq!(ours.processes, [std::process::id()]);
/// # drop(rx);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Observer {
    folders: Vec<PathBuf>,
    kept: HashMap<Place, Kept>,
}

/// An object that is kept open.
#[derive(Debug)]
enum Kept {
    Segment {
        file: File,
        shape: Shape,
        address: Option<Address>,
    },
    Board(File),
    /// Not ours, or no channel.
    Other,
}

impl Observer {
    pub(super) fn new(folders: Vec<PathBuf>) -> Self {
        Self {
            folders,
            kept: HashMap::new(),
        }
    }

    /// Looks once: at what there is now. In no order; changes nothing, waits for nobody.
    ///
    /// # Errors
    /// A folder or `/proc` cannot be read. What comes or goes meanwhile, or is not sound, is left out.
    pub fn look(&mut self) -> Result<Vec<Watched>, SurveyError> {
        let failed = |path: &str| {
            let path = PathBuf::from(path);
            move |source| SurveyError { path, source }
        };
        let mut open = Descriptors::take().map_err(failed("/proc"))?;
        let mut seen: HashMap<Place, (PathBuf, What, Openers)> = HashMap::new();
        for name in name::all(name::PREFIX).map_err(failed(name::DIRECTORY))? {
            let path = name::path(&name);
            if let Ok(meta) = std::fs::symlink_metadata(&path) {
                let place = (meta.dev(), meta.ino());
                let users = open.objects.remove(&place).map(|open| open.users);
                seen.insert(place, (path, What::Segment, users.unwrap_or_default()));
            }
        }
        let others = open.objects.drain();
        seen.extend(others.map(|(place, open)| (place, (open.path, open.what, open.users))));
        self.kept.retain(|place, _| seen.contains_key(place));
        let mut entries = None;
        let mut all = Vec::new();
        for (place, (path, what, users)) in seen {
            let kept = match self.kept.entry(place) {
                std::collections::hash_map::Entry::Occupied(kept) => kept.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => {
                    let entries = entries.get_or_insert_with(|| all_entries(&self.folders));
                    // What has gone meanwhile is not kept, and what may be half made is looked at again.
                    match keep(&path, what, place, entries) {
                        Some(kept) => new.insert(kept),
                        None => continue,
                    }
                }
            };
            match kept {
                Kept::Other => {}
                Kept::Board(file) => {
                    all.extend(slots::read(file, place, &users.processes, &open.holders))
                }
                Kept::Segment {
                    file,
                    shape,
                    address,
                } => {
                    let id = WatchId {
                        object: place,
                        slot: None,
                    };
                    let watched = segment::watched(file, shape);
                    all.extend(watched.map(|(counters, depth, capacity)| Watched {
                        id,
                        address: address.clone(),
                        counters,
                        processes: users.processes.into_iter().collect(),
                        senders: users.senders.into_iter().collect(),
                        receivers: users.receivers.into_iter().collect(),
                        depth,
                        capacity: Some(capacity),
                    }));
                }
            }
        }
        Ok(all)
    }
}

fn all_entries(folders: &[PathBuf]) -> Vec<Entry> {
    let entries = folders.iter().filter_map(|folder| Entry::all(folder).ok());
    entries.flatten().collect()
}

/// Opens what is there for good, if it is what it was taken for.
fn keep(path: &Path, what: What, place: Place, entries: &[Entry]) -> Option<Kept> {
    // Of another, a FIFO for instance, nothing is to be waited for.
    let link = path.starts_with("/proc");
    let flags = OFlag::O_NONBLOCK
        | if link {
            OFlag::empty()
        } else {
            OFlag::O_NOFOLLOW
        };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
        .ok()?;
    let meta = file.metadata().ok()?;
    if (meta.dev(), meta.ino()) != place {
        return None;
    }
    if name::not_ours(&meta).is_some() && !(link && meta.is_file()) {
        return Some(Kept::Other);
    }
    if what == What::Board {
        return Some(Kept::Board(file));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let found = match name.filter(|_| !link) {
        Some(name) => segment::sound(name, &file, meta.len(), entries),
        None => segment::sound_without_name(&file, meta.len()),
    };
    Some(match found {
        Some((shape, address)) => Kept::Segment {
            file,
            shape,
            address,
        },
        None => Kept::Other,
    })
}
