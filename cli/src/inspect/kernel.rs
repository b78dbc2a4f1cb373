//! What the kernel tells of a System V queue to who does not open it.

use std::fs;

use laneway::inventory::Field;
use serde::Serialize;

/// Where it tells it.
const QUEUES: &str = "/proc/sysvipc/msg";
/// The kind of the segment beside a queue.
const QUEUE: u64 = 2;

/// A row of the kernel's list.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Queue {
    id: i64,
    key: i64,
    /// In octal digits.
    mode: String,
    messages: i64,
    bytes: i64,
    last_sender: i64,
    last_receiver: i64,
    /// Seconds since 1970, 0 for never.
    sent_at: i64,
    received_at: i64,
    changed_at: i64,
}

/// The queue that a segment is beside.
pub(super) fn queue(fields: &[Field]) -> Option<Queue> {
    let word = |name: &str| {
        let field = fields.iter().find(|field| field.name == name)?;
        field.words.first().copied()
    };
    if word("kind")? != QUEUE {
        return None;
    }
    let id = i64::try_from(word("extra")? & u64::from(u32::MAX)).ok()?;
    let list = fs::read_to_string(QUEUES).ok()?;
    list.lines().skip(1).find_map(|line| parse(line, id))
}

/// A line, if it is that of this queue.
fn parse(line: &str, wanted: i64) -> Option<Queue> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| words.get(at)?.parse::<i64>().ok();
    (number(1)? == wanted).then_some(())?;
    Some(Queue {
        key: number(0)?,
        id: wanted,
        mode: (*words.get(2)?).to_owned(),
        bytes: number(3)?,
        messages: number(4)?,
        last_sender: number(5)?,
        last_receiver: number(6)?,
        sent_at: number(11)?,
        received_at: number(12)?,
        changed_at: number(13)?,
    })
}

impl Queue {
    /// For people.
    pub(super) fn words(&self) -> String {
        let Self {
            id,
            key,
            mode,
            messages,
            bytes,
            last_sender,
            last_receiver,
            ..
        } = self;
        format!(
            "queue {id}, key {key:#x}, mode {mode}; {messages} messages, {bytes} bytes; last sent to by process {last_sender}, received from by {last_receiver}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_queue_is_found_by_its_id() {
        let line = "  16908545          3   600          12          2   101   102     0     0     0     0 1700000000 1700000001 1700000002";
        let queue = parse(line, 3).expect("it is");
        assert_eq!(
            (queue.messages, queue.bytes, queue.received_at),
            (2, 12, 1_700_000_001)
        );
        assert!(parse(line, 4).is_none() && parse("", 3).is_none());
    }
}
