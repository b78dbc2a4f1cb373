//! Counters in Prometheus' text exposition format.

use std::fmt::Write as _;

use crate::gauge::{Reading, Side};

/// A family of metrics: what it is, and its value of a side.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    /// Whether it is the channel's, so that both sides tell the same.
    is_shared: bool,
    value: fn(&Side) -> Option<String>,
}

const FAMILIES: [Family; 10] = [
    Family {
        name: "laneway_messages_total",
        help: "Messages that this side has sent or received.",
        kind: "counter",
        is_shared: false,
        value: |side| Some(side.messages.to_string()),
    },
    Family {
        name: "laneway_bytes_total",
        help: "Bytes of these messages.",
        kind: "counter",
        is_shared: false,
        value: |side| Some(side.bytes?.to_string()),
    },
    Family {
        name: "laneway_waits_total",
        help: "How often this side waited: senders for room, receivers for a message.",
        kind: "counter",
        is_shared: false,
        value: |side| Some(side.waits.to_string()),
    },
    Family {
        name: "laneway_waited_seconds_total",
        help: "How long this side waited.",
        kind: "counter",
        is_shared: false,
        value: |side| Some(side.waited_seconds.to_string()),
    },
    Family {
        name: "laneway_wake_ups_total",
        help: "How often this side slept in the kernel and was woken.",
        kind: "counter",
        is_shared: false,
        value: |side| Some(side.wake_ups.to_string()),
    },
    Family {
        name: "laneway_drops_total",
        help: "Messages that the channel gave up by its overflow policy.",
        kind: "counter",
        is_shared: true,
        value: |side| Some(side.drops.to_string()),
    },
    Family {
        name: "laneway_depth_bytes",
        help: "Bytes that wait in the channel.",
        kind: "gauge",
        is_shared: true,
        value: |side| Some(side.depth.bytes?.to_string()),
    },
    Family {
        name: "laneway_depth_messages",
        help: "Messages that wait in the channel.",
        kind: "gauge",
        is_shared: true,
        value: |side| Some(side.depth.messages?.to_string()),
    },
    Family {
        name: "laneway_depth_highest_bytes",
        help: "The most bytes that were seen in the channel when there was no room.",
        kind: "gauge",
        is_shared: true,
        value: |side| Some(side.highest?.to_string()),
    },
    Family {
        name: "laneway_capacity_bytes",
        help: "Bytes that the channel holds.",
        kind: "gauge",
        is_shared: true,
        value: |side| Some(side.capacity?.to_string()),
    },
];

/// The whole text.
pub(super) fn text(reading: &Reading) -> String {
    let mut text = String::new();
    for family in &FAMILIES {
        let mut is_first = true;
        for side in &reading.endpoints {
            // Of a channel that counts for both sides, what is shared is told once.
            let is_told = family.is_shared && side.scope == "channel" && side.side == "recv";
            let Some(value) = (family.value)(side).filter(|_| !is_told) else {
                continue;
            };
            if is_first {
                let _ = writeln!(text, "# HELP {} {}", family.name, family.help);
                let _ = writeln!(text, "# TYPE {} {}", family.name, family.kind);
                is_first = false;
            }
            let _ = writeln!(
                text,
                "{}{{{}}} {value}",
                family.name,
                labels(side, family.is_shared)
            );
        }
    }
    text
}

fn labels(side: &Side, is_shared: bool) -> String {
    let address = escaped(side.address.as_deref().unwrap_or_default());
    let mut labels = format!("address=\"{address}\",id=\"{}\"", escaped(&side.id));
    if !is_shared || side.scope == "end" {
        let _ = write!(labels, ",side=\"{}\"", side.side);
    }
    labels
}

/// What a label's value may not hold as it is.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("fifo:/tmp/a\"b\\c\nd"), "fifo:/tmp/a\\\"b\\\\c\\nd");
    }
}
