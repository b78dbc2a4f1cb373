//! Which items came, byte by byte in files that survive whoever writes them.

use std::{env, fs, fs::File, os::unix::fs::FileExt, path::PathBuf, process, thread};

/// A folder for the marks of one trial, removed with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        // One trial a thread has one at a time.
        let own = (process::id(), thread::current().id());
        let name = format!("laneway-queue.{}.{:?}", own.0, own.1);
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).expect("is new");
        Self(folder)
    }

    /// Where a consumer keeps its marks.
    pub(crate) fn path(&self, consumer: usize) -> String {
        let path = self.0.join(consumer.to_string());
        path.to_str().expect("plain").to_owned()
    }

    /// How often each of so many items came, over all consumers.
    pub(crate) fn counts(&self, items: u64) -> Vec<u32> {
        let mut counts = vec![0; usize::try_from(items).expect("small")];
        for entry in fs::read_dir(&self.0).expect("is there") {
            let marks = fs::read(entry.expect("an entry").path()).expect("reads");
            assert!(marks.len() <= counts.len(), "no item was made up");
            for (count, mark) in counts.iter_mut().zip(marks) {
                *count += u32::from(mark);
            }
        }
        counts
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing can be done about what fails here.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The marks of one consumer.
pub(crate) struct Marks {
    file: File,
    /// What is not in the file yet.
    marks: Vec<u8>,
}

impl Marks {
    pub(crate) fn open(path: &str) -> Self {
        Self {
            file: File::create(path).expect("opens"),
            marks: Vec::new(),
        }
    }

    /// Marks an item at once, so that a death after this does not unmark it.
    pub(crate) fn mark_now(&self, item: u64) {
        self.file.write_all_at(&[1], item).expect("writes");
    }

    /// Marks an item, for [`keep`](Self::keep).
    pub(crate) fn mark(&mut self, item: u64) {
        let at = usize::try_from(item).expect("small");
        if self.marks.len() <= at {
            self.marks.resize(at + 1, 0);
        }
        self.marks[at] += 1;
    }

    /// Writes what was marked.
    pub(crate) fn keep(self) {
        self.file.write_all_at(&self.marks, 0).expect("writes");
    }
}
