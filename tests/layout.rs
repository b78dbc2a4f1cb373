//! docs/layout.md says what the code does, and what is found in a segment.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
};

use laneway::{Channel, Sender, conformance::layout_fields};

/// Where the data start.
const DATA: usize = 1024;

/// A row of the table: offset, name, type.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    offset: usize,
    name: String,
    kind: String,
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/layout.md");
    fs::read_to_string(path).expect("docs/layout.md")
}

/// The rows of the table of fields.
fn rows(page: &str) -> Vec<Row> {
    let table = page
        .lines()
        .skip_while(|line| !line.starts_with("| offset | name | type |"))
        .take_while(|line| line.starts_with('|'));
    table
        .skip(2)
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let mut cell = || cells.next().expect("a cell").to_owned();
            Row {
                offset: cell().parse().expect("a number"),
                name: cell(),
                kind: cell(),
            }
        })
        .collect()
}

fn size(kind: &str) -> usize {
    match kind {
        "u32" | "atomic u32" | "lock" => 4,
        "u64" | "i64" | "atomic u64" => 8,
        "event" => 16,
        "mutex" => 40,
        other => panic!("no type {other}"),
    }
}

/// Differences between the table and the fields of the code.
fn compare(rows: &[Row], fields: &[(&str, usize)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for &(name, offset) in fields {
        match rows.iter().find(|row| row.name == name) {
            Some(row) if row.offset == offset => {}
            Some(row) => wrong.push(format!("{name} is at {offset}, not at {}", row.offset)),
            None => wrong.push(format!("{name} at {offset} is not in the table")),
        }
    }
    for row in rows {
        if !fields.iter().any(|(name, _)| *name == row.name) {
            wrong.push(format!("there is no {}", row.name));
        }
    }
    for pair in rows.windows(2) {
        if let [a, b] = pair
            && a.offset + size(&a.kind) > b.offset
        {
            wrong.push(format!("{} reaches into {}", a.name, b.name));
        }
    }
    wrong
}

#[test]
fn the_table_is_the_code() {
    let rows = rows(&page());
    let wrong = compare(&rows, layout_fields());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_wrong_table_is_reported() {
    let fields = [("magic", 0), ("layout", 8)];
    let table = |text: &str| {
        rows(&format!(
            "| offset | name | type | w |\n|---|---|---|---|\n{text}"
        ))
    };
    let right = "| 0 | magic | u64 | m |\n| 8 | layout | u32 | m |";
    assert_eq!(compare(&table(right), &fields), [""; 0]);
    let moved = right.replace("| 8 |", "| 12 |");
    assert_eq!(compare(&table(&moved), &fields).len(), 1);
    let missing = "| 0 | magic | u64 | m |";
    assert_eq!(compare(&table(missing), &fields).len(), 1);
    let more = format!("{right}\n| 12 | kind | u32 | m |");
    assert_eq!(compare(&table(&more), &fields).len(), 1);
    let wider = right.replace("u64", "mutex");
    assert_eq!(compare(&table(&wider), &fields).len(), 1);
}

/// Each line of the drawing starts with the offset of what it shows first, and `|` every 4 bytes at most.
#[test]
fn the_drawing_is_the_table() {
    let page = page();
    let mut seen = Vec::new();
    for line in page.lines() {
        let Some((number, cells)) = line.split_once(" | ") else {
            continue;
        };
        let Ok(start) = number.trim().parse::<usize>() else {
            continue;
        };
        let mut column = 0;
        for cell in format!(" {cells}")
            .split('|')
            .filter(|cell| !cell.is_empty())
        {
            let name = cell.split_whitespace().next().unwrap_or_default();
            // 16 columns show 4 bytes.
            seen.push((name.to_owned(), start + column / 4));
            column += cell.len() + 1;
        }
    }
    for (name, offset) in layout_fields() {
        assert!(
            seen.contains(&((*name).to_owned(), *offset)),
            "{name} is not drawn at {offset}: {seen:?}"
        );
    }
    assert!(seen.contains(&("data[capacity]".to_owned(), DATA)));
}

/// A file in `/dev/shm` that only this test has.
fn segment(name: &str) -> PathBuf {
    Path::new("/dev/shm").join(format!("laneway.{name}"))
}

#[test]
fn a_fresh_segment_is_as_it_always_was() {
    let name = format!("laneway-layout.{}", process::id());
    let channel = laneway::channel(&format!("shm+lock:{name}?capacity=64KiB")).expect("good");
    let mut tx = channel.sender().expect("opens");
    let bytes = fs::read(segment(&name)).expect("there");
    assert_eq!(bytes.len(), DATA + (64 << 10));
    #[rustfmt::skip]
    let golden: [u8; 64] = [
        b'L', b'A', b'N', b'E', b'W', b'A', b'Y', 0x1a, // magic
        4, 0, 0, 0,                                     // layout
        1, 0, 0, 0,                                     // kind
        0, 0, 1, 0, 0, 0, 0, 0,                         // capacity: 65536
        0xf0, 0x3f, 0, 0, 0, 0, 0, 0,                   // max_message: a quarter less two headers
        0, 0, 0, 0,                                     // lock
        0, 0, 0, 0,                                     // flags
        0, 0, 0, 0, 0, 0, 0, 0,                         // extra
        0, 0, 0, 0, 0, 0, 0, 0,                         // trailer
        1, 0, 0, 0,                                     // seen: a sender
        1, 0, 0, 0,                                     // changes: one came
    ];
    assert_eq!(bytes.get(..64), Some(golden.as_slice()));

    tx.send(b"hello").expect("sends");
    let bytes = fs::read(segment(&name)).expect("there");
    assert_eq!(bytes.get(..64), Some(golden.as_slice()), "constants stay");
    assert_eq!(
        bytes.get(128..136),
        Some([16, 0, 0, 0, 0, 0, 0, 0].as_slice())
    );
    assert_eq!(
        bytes.get(DATA..DATA + 13),
        Some(b"\x05\0\0\0\x4d\0\0\0hello".as_slice())
    );

    let meta = fs::metadata(segment(&name)).expect("there");
    assert_eq!(meta.mode() & 0o7777, 0o600);
    let place = 1_u64 << 45;
    let lock = format!(":{} {place} {place}", meta.ino());
    let locks = fs::read_to_string("/proc/locks").expect("proc");
    assert!(
        locks
            .lines()
            .any(|l| l.contains("OFDLCK") && l.ends_with(&lock)),
        "{locks}"
    );

    drop(tx);
    assert!(!segment(&name).exists(), "the last one out removed it");
}
