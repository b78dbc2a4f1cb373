//! Looking around.

use std::path::PathBuf;

use crate::{
    inventory::{
        Observer, SurveyError,
        census::Census,
        folder::{self, Entry},
        object::Object,
        segment,
    },
    shm::name,
};

/// Where to look: `/dev/shm`, where all segments are, and the folders that may hold FIFOs and the paths of System V queues.
///
/// What it cannot see is what has no name: an anonymous segment, pipe or shared value goes with the last process that has it, so none is
/// ever left. A System V queue is found by the segment beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    folders: Vec<PathBuf>,
}

impl Inventory {
    /// Looks in the temporary folder, besides `/dev/shm`.
    #[must_use]
    pub fn new() -> Self {
        Self::in_folders([std::env::temp_dir()])
    }

    /// Looks in these folders, and not in those below them, besides `/dev/shm`.
    #[must_use]
    pub fn in_folders(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let folders = folders.into_iter().collect();
        Self { folders }
    }

    /// Looks at the same places for what goes through the channels there.
    #[must_use]
    pub fn observer(self) -> Observer {
        Observer::new(self.folders)
    }

    /// All objects, by path. Changes nothing; takes no lock; does not wait.
    ///
    /// What comes or goes meanwhile may be seen or not. A FIFO is opened for a moment only if the kernel lists nobody who has it open.
    ///
    /// # Errors
    /// A folder, or the kernel's list of locks, cannot be read.
    pub fn survey(&self) -> Result<Vec<Object>, SurveyError> {
        let failed = |path: &str| {
            let path = PathBuf::from(path);
            move |source| SurveyError { path, source }
        };
        let census = Census::take().map_err(failed("/proc/locks"))?;
        let mut entries = Vec::new();
        for path in &self.folders {
            let found = Entry::all(path).map_err(|source| SurveyError {
                path: path.clone(),
                source,
            })?;
            entries.extend(found);
        }
        let names = name::all(name::PREFIX).map_err(failed(name::DIRECTORY))?;
        let segments = names
            .iter()
            .filter_map(|name| segment::object(name, &census, &entries));
        let mut objects: Vec<Object> = segments.collect();
        let others = entries
            .iter()
            .filter_map(|entry| folder::object(entry, &census, &names));
        objects.extend(others);
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        // A folder may have been named twice.
        objects.dedup_by(|a, b| a.path == b.path);
        Ok(objects)
    }
}

impl Default for Inventory {
    fn default() -> Self {
        Self::new()
    }
}
