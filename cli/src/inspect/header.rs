//! The fields of a segment's header, and what they mean.

use laneway::inventory::Field;
use serde::Serialize;

/// What each kind of segment is, from 1.
const KINDS: [&str; 9] = [
    "shm+lock:",
    "the segment beside a System V queue",
    "shm+spsc:",
    "shm+mpmc:",
    "the ledger of a process::Queue",
    "a process::Shared",
    "the cells of a process::Pool",
    "the counters of a process::Pipeline",
    "shm+broadcast:",
];

/// A field as it is shown.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Shown {
    name: String,
    at: usize,
    /// One number, or of a mutex five.
    words: Vec<u64>,
    meaning: String,
}

/// All of them.
pub(super) fn shown(fields: &[Field]) -> Vec<Shown> {
    let shown = |field: &Field| Shown {
        name: field.name.clone(),
        at: field.at,
        words: field.words.clone(),
        meaning: meaning(field),
    };
    fields.iter().map(shown).collect()
}

impl Shown {
    /// What a table has of it.
    pub(super) fn cells(&self) -> Vec<String> {
        let value = match (self.name.as_str(), self.words.as_slice()) {
            ("magic", [word]) => format!("{word:#x}"),
            (_, [word]) => word.to_string(),
            (_, words) => match words.iter().all(|word| *word == 0) {
                true => "0".to_owned(),
                false => "see JSON".to_owned(),
            },
        };
        vec![
            self.name.clone(),
            self.at.to_string(),
            value,
            self.meaning.clone(),
        ]
    }
}

/// What a value says, beyond the number.
fn meaning(field: &Field) -> String {
    let word = field.words.first().copied().unwrap_or(0);
    let (side, last) = match field.name.split_once('.') {
        Some((side, rest)) => (side, rest),
        None => ("", field.name.as_str()),
    };
    match (side, last) {
        ("", "magic") => "a segment of laneway's".to_owned(),
        ("", "layout") => "docs/layout.md".to_owned(),
        ("", "kind") => {
            let index = usize::try_from(word)
                .ok()
                .and_then(|kind| kind.checked_sub(1));
            let kind = index.and_then(|index| KINDS.get(index));
            kind.map_or_else(|| "unknown".to_owned(), |kind| (*kind).to_owned())
        }
        ("", "capacity") => "bytes of data".to_owned(),
        ("", "max_message") => "bytes".to_owned(),
        ("", "lock") => match word {
            0 => "robust locks",
            1 => "raw_sync's mutexes",
            _ => "unknown",
        }
        .to_owned(),
        ("", "trailer") => "bytes behind the data".to_owned(),
        ("", "seen") => match word {
            0 => "nobody yet",
            1 => "a sender has been there",
            2 => "a receiver has been there",
            _ => "both have been there",
        }
        .to_owned(),
        ("", "changes") => "how often ends were opened, closed, or found dead".to_owned(),
        ("", "fences") => match word {
            0 => "everybody's system has membarrier",
            _ => "publishers must fence",
        }
        .to_owned(),
        ("producer", "cursor") => "the tail".to_owned(),
        ("consumer", "cursor") => "the head".to_owned(),
        (_, "moved.flag") => match word & 1 {
            0 => "nobody sleeps for it",
            _ => "somebody may be asleep for it",
        }
        .to_owned(),
        (_, "moved.rung") => "ns, monotonic".to_owned(),
        (_, "waited") => "ns".to_owned(),
        (_, "since") => match word {
            0 => "no wait is known to last",
            _ => "ns, monotonic: one waits",
        }
        .to_owned(),
        ("producer_lock" | "consumer_lock", "lock") => match word & 0xffff {
            0 => "free".to_owned(),
            holder => format!("held by number {}", holder - 1),
        },
        ("producer_lock", "seen") => "the head as last seen".to_owned(),
        ("consumer_lock", "seen") => "the tail as last seen".to_owned(),
        _ => String::new(),
    }
}
