//! What the processes of this user have open, by `/proc`.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use crate::{
    End, presence,
    shm::{board, name},
};

/// Device and inode.
pub(super) type Place = (u64, u64);

/// An object that some process has open.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// Where it can be opened again.
    pub(super) path: PathBuf,
    pub(super) what: What,
    pub(super) users: Openers,
}

/// Who has an object open.
#[derive(Clone, Debug, Default)]
pub(super) struct Openers {
    /// As whatever.
    pub(super) processes: BTreeSet<u32>,
    pub(super) senders: BTreeSet<u32>,
    pub(super) receivers: BTreeSet<u32>,
}

impl Openers {
    /// Counts a process, whose descriptor the kernel tells this of.
    fn add(&mut self, pid: u32, info: &str) {
        self.processes.insert(pid);
        let sides = [
            (End::Sender, &mut self.senders),
            (End::Receiver, &mut self.receivers),
        ];
        for (end, side) in sides {
            if presence::is_this_end(info, end) {
                side.insert(pid);
            }
        }
    }
}

/// What an object is, by what the kernel calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A segment, with or without a name.
    Segment,
    /// The board of a process.
    Board,
}

/// How the link of a file starts that was made without a name, also when it has one by now.
const UNNAMED: &[u8] = b"/dev/shm/#";

/// All that interests us.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    pub(super) objects: HashMap<Place, Open>,
    /// What the processes with a board have open: the channels that its slots tell of are among these.
    pub(super) holders: HashMap<Place, BTreeSet<u32>>,
}

impl Descriptors {
    /// Looks at every process of this user. One that ends meanwhile, or that the kernel does not let us look at, is not there.
    pub(super) fn take() -> io::Result<Self> {
        let mut found = Self::default();
        for entry in fs::read_dir("/proc")? {
            let Ok(entry) = entry else { continue };
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let ours = entry
                .metadata()
                .is_ok_and(|meta| meta.uid() == Uid::effective().as_raw());
            if let Some(pid) = pid.filter(|_| ours) {
                found.process(pid, &entry.path());
            }
        }
        Ok(found)
    }

    fn process(&mut self, pid: u32, folder: &Path) {
        let all: Vec<PathBuf> = match fs::read_dir(folder.join("fd")) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => return,
        };
        let mut others = Vec::new();
        let mut unnamed = Vec::new();
        let mut has_board = false;
        for path in all {
            let Ok(link) = fs::read_link(&path) else {
                continue;
            };
            let link = link.as_os_str().as_bytes();
            let Some(what) = what(link) else {
                match link.starts_with(UNNAMED) {
                    true => unnamed.push(path),
                    false => others.push(path),
                }
                continue;
            };
            // Ends may write; who only may read watches, as we do.
            if !may_write(&path) {
                continue;
            }
            has_board |= what == What::Board;
            if let Some(place) = place(&path) {
                let info = info(folder, &path);
                let open = self.objects.entry(place).or_insert_with(|| Open {
                    path,
                    what,
                    users: Openers::default(),
                });
                open.users.add(pid, &info);
            }
        }
        // Whoever made a segment has it open by no name; the same end has it open by its name too.
        for path in unnamed {
            if let Some(open) = place(&path).and_then(|place| self.objects.get_mut(&place)) {
                open.users.add(pid, &info(folder, &path));
            }
        }
        if has_board {
            for place in others.iter().filter_map(place) {
                self.holders.entry(place).or_default().insert(pid);
            }
        }
    }
}

/// What the kernel tells of a descriptor.
fn info(process: &Path, descriptor: &Path) -> String {
    let number = descriptor.file_name().unwrap_or_default();
    fs::read_to_string(process.join("fdinfo").join(number)).unwrap_or_default()
}

/// Whether a descriptor is open for writing, by how `/proc` shows its link.
fn may_write(link: &Path) -> bool {
    fs::symlink_metadata(link).is_ok_and(|meta| meta.mode() & 0o200 != 0)
}

fn place(path: &PathBuf) -> Option<Place> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}

/// What a descriptor's link says it is.
fn what(link: &[u8]) -> Option<What> {
    let link = link.strip_suffix(b" (deleted)").unwrap_or(link);
    if let Some(memory) = link.strip_prefix(b"/memfd:") {
        return match memory {
            b"laneway" => Some(What::Segment),
            name if name == board::NAME.as_bytes() => Some(What::Board),
            _ => None,
        };
    }
    let file = link
        .strip_prefix(name::DIRECTORY.as_bytes())?
        .strip_prefix(b"/")?;
    file.starts_with(name::PREFIX.as_bytes())
        .then_some(What::Segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_tell_what_is_ours() {
        assert_eq!(what(b"/memfd:laneway (deleted)"), Some(What::Segment));
        assert_eq!(
            what(b"/memfd:laneway-counters (deleted)"),
            Some(What::Board)
        );
        assert_eq!(what(b"/memfd:laneway-other (deleted)"), None);
        assert_eq!(what(b"/dev/shm/laneway.x"), Some(What::Segment));
        assert_eq!(what(b"/dev/shm/laneway.x (deleted)"), Some(What::Segment));
        assert_eq!(what(b"/dev/shm/lanewayx"), None);
        assert_eq!(what(b"/tmp/laneway.x"), None);
        assert_eq!(what(b"pipe:[1]"), None);
    }
}
