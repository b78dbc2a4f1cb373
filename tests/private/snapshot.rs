//! All that a transport may leave somewhere.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
};

use crate::private;

/// Objects in `/dev/shm` and in the temporary folder with their contents, System V queues, and our descriptors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot(BTreeSet<String>);

/// How much of a file is looked at.
const MOST: usize = 64 << 10;

impl Snapshot {
    /// Looks around.
    pub(crate) fn take() -> Self {
        let mut found = BTreeSet::new();
        look(Path::new("/dev/shm"), &mut found);
        look(&env::temp_dir(), &mut found);
        if private::is_private() {
            // Without our own namespace others make and remove queues meanwhile.
            let queues = fs::read_to_string("/proc/sysvipc/msg").unwrap_or_default();
            for line in queues.lines().skip(1) {
                let words: Vec<&str> = line.split_whitespace().take(5).collect();
                found.insert(format!("System V {}", words.join(" ")));
            }
        }
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        found.insert(format!("{descriptors} descriptors"));
        Self(found)
    }

    /// Panics if anything came, went or changed.
    pub(crate) fn assert_same(&self, when: &str) {
        let now = Self::take();
        let came: Vec<_> = now.0.difference(&self.0).collect();
        let went: Vec<_> = self.0.difference(&now.0).collect();
        assert!(
            came.is_empty() && went.is_empty(),
            "{when}: came {came:#?}, went {went:#?}"
        );
    }
}

fn look(folder: &Path, found: &mut BTreeSet<String>) {
    let own = process::id().to_string();
    let alone = private::is_private() || folder.starts_with(env::temp_dir());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        if !alone && !entry.file_name().to_string_lossy().contains(&own) {
            continue;
        }
        if let Some(text) = describe(&path) {
            found.insert(text);
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            look(&path, found);
        }
    }
}

fn describe(path: &PathBuf) -> Option<String> {
    let meta = fs::symlink_metadata(path).ok()?;
    let mut contents = None;
    if meta.is_file() {
        contents = fs::read(path).ok().map(|mut bytes| {
            bytes.truncate(MOST);
            bytes.iter().fold(0_u64, |sum, &byte| {
                sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte)
            })
        });
    }
    Some(format!(
        "{} {} mode {:o} uid {} size {} contents {contents:x?}",
        path.display(),
        meta.ino(),
        meta.mode(),
        meta.uid(),
        // That of a folder is the system's affair.
        if meta.is_dir() { 0 } else { meta.size() },
    ))
}
