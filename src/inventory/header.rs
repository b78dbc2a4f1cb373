//! What the header of a segment says, field by field.

use std::{
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
};

use crate::{
    inventory::Object,
    shm::{
        layout::{DATA, FIELDS, LAYOUT, MAGIC},
        name,
    },
};

/// How many fields come first and are the same in every layout: they tell what the others are.
const SURE: usize = 3;

/// A field of a segment's header, as docs/layout.md names them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Its name. Those of the parts of an event have one more word: `producer.moved.word`, `flag` and `rung`.
    pub name: String,
    /// Where it is, in bytes from the start.
    pub at: usize,
    /// What it holds: one number, or of a mutex five.
    pub words: Vec<u64>,
}

impl Object {
    /// Every field of a segment's header, read from the object and not from a mapping. Of a segment of another layout only those that
    /// all layouts have.
    ///
    /// Nothing is judged: what is said may be nonsense, if the object is corrupt. Takes no lock and does not wait.
    ///
    /// # Errors
    /// What the system says; [`InvalidData`](ErrorKind::InvalidData) if it is no segment at all.
    pub fn header(&self) -> io::Result<Vec<Field>> {
        let is_there = self.path.parent() == Some(name::DIRECTORY.as_ref());
        let file = self.path.file_name().and_then(|name| name.to_str());
        let file = file.filter(|_| is_there).ok_or(ErrorKind::InvalidData)?;
        let mut bytes = vec![0; DATA];
        name::open(file)?
            .read_exact_at(&mut bytes, 0)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => ErrorKind::InvalidData.into(),
                _ => error,
            })?;
        let is = |at, len| number(&bytes, at, len);
        if is(0, 8) != MAGIC {
            return Err(ErrorKind::InvalidData.into());
        }
        let count = match is(8, 4) == u64::from(LAYOUT) {
            true => FIELDS.len(),
            false => SURE,
        };
        let fields = FIELDS.iter().take(count);
        Ok(fields
            .flat_map(|(name, at)| parts(&bytes, name, *at))
            .collect())
    }
}

/// A field, or the parts that it has.
fn parts(bytes: &[u8], name: &str, at: usize) -> Vec<Field> {
    let one = |name: String, at, len| Field {
        name,
        at,
        words: vec![number(bytes, at, len)],
    };
    match name.rsplit('.').next().unwrap_or(name) {
        "moved" => vec![
            one(format!("{name}.word"), at, 4),
            one(format!("{name}.flag"), at + 4, 4),
            one(format!("{name}.rung"), at + 8, 8),
        ],
        "mutex" => vec![Field {
            name: name.to_owned(),
            at,
            words: (0..5).map(|word| number(bytes, at + 8 * word, 8)).collect(),
        }],
        "layout" | "kind" | "flags" | "seen" | "changes" | "fences" | "lock" => {
            vec![one(name.to_owned(), at, 4)]
        }
        _ => vec![one(name.to_owned(), at, 8)],
    }
}

/// The number of `len` bytes, 8 at most, the lowest first.
fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let mut word = [0; 8];
    if let Some((to, from)) = word.get_mut(..len).zip(bytes.get(at..at + len)) {
        to.copy_from_slice(from);
    }
    u64::from_le_bytes(word)
}
