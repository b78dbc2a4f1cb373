//! `laneway inspect`.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use crate::{
    place::Place,
    running::{Finished, Running},
};

fn inspect(address: &str) -> Value {
    let out = Running::start(&["inspect", "--json", address]).finish();
    serde_json::from_slice(&out.well()).expect("JSON")
}

/// A field of the header of the first object that has one.
fn field(report: &Value, name: &str) -> Option<u64> {
    let objects = report["objects"].as_array()?.iter();
    let mut fields = objects
        .filter_map(|object| object["header"].as_array())
        .flatten();
    let field = fields.find(|field| field["name"] == name)?;
    field["words"][0].as_u64()
}

#[test]
fn what_went_through_is_told_and_nobody_notices() {
    for place in Place::plain() {
        let (mut sender, mut receiver) = place.start_both(true, &[]);
        for line in ["one\n", "two\n"] {
            sender.type_in(line.as_bytes());
            assert_eq!(receiver.line(), line);
        }
        let report = inspect(&place.address);
        assert_eq!(report["schema"], 1);
        let object = &report["objects"][0];
        assert_eq!(object["state"], "live", "{report}");
        assert_eq!(
            (&object["senders"], &object["receivers"]),
            (&1.into(), &1.into())
        );
        assert_eq!(
            object["processes"].as_array().map(Vec::len),
            Some(2),
            "{report}"
        );
        let endpoints = report["endpoints"].as_array().expect("a list");
        for side in ["send", "recv"] {
            let mut ours = endpoints.iter().filter(|end| end["side"] == side);
            let ours = ours.next().expect("there");
            assert_eq!(ours["messages"], 2, "{report}");
        }
        if place.address.starts_with("shm") {
            assert_eq!(field(&report, "layout"), Some(4));
            assert_eq!(field(&report, "seen"), Some(3));
            let capacity = report["objects"][0]["capacity"].as_u64();
            assert_eq!(field(&report, "capacity"), capacity);
        }
        if place.address.starts_with("sysv") {
            assert_eq!(object["kernel"]["messages"], 0, "{report}");
            assert!(object["kernel"]["last_sender"].as_i64() > Some(0));
        }
        // Still the only two, and none the worse for it.
        let text = Running::start(&["inspect", &place.address]).finish().well();
        let text = String::from_utf8(text).expect("text");
        for word in ["live", "1 sender, 1 receiver", "2 messages"] {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
        sender.type_in(b"three\n");
        assert_eq!(receiver.line(), "three\n");
        sender.finish().well();
        assert_eq!(receiver.finish().well(), b"");
        place.assert_gone();
    }
}

#[test]
fn what_is_not_there_is_told() {
    for place in Place::plain() {
        let ended = Running::start(&["inspect", &place.address]).finish();
        ended.badly(3, &["nothing has the address", &place.address]);
    }
    for (address, says) in [
        ("nonsense", "scheme"),
        ("pipe:", "no name"),
        ("shm:", "no name"),
    ] {
        Running::start(&["inspect", address])
            .finish()
            .badly(2, &[says]);
    }
}

/// Puts these bytes where a ring's segment would be, and looks.
fn instead(bytes: &[u8]) -> (Finished, Finished) {
    let place = Place::at("shm+spsc");
    let address = place.address.as_str();
    let path = format!(
        "/dev/shm/laneway.{}",
        address.split(':').nth(1).expect("a name")
    );
    fs::write(&path, bytes).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
    let ended = ["--json", "--"].map(|option| match option {
        "--json" => Running::start(&["inspect", "--json", address]).finish(),
        _ => Running::start(&["inspect", address]).finish(),
    });
    fs::remove_file(&path).expect("as it was");
    ended.into()
}

#[test]
fn what_is_no_segment_gets_a_report() {
    let magic = b"LANEWAY\x1a";
    let mut other_layout = vec![0; 4096];
    other_layout[..8].copy_from_slice(magic);
    other_layout[8] = 99;
    let mut corrupt = other_layout.clone();
    corrupt[8] = 4;
    corrupt[12] = 3;
    let mut nonsense = vec![0xff; 4096];
    nonsense[..8].copy_from_slice(magic);
    nonsense[8..12].copy_from_slice(&4_u32.to_le_bytes());
    let cases: [(&[u8], &str, &str); 6] = [
        (b"", "foreign", "another program"),
        (b"short", "foreign", "another program"),
        (&[7; 5000], "foreign", "another program"),
        (&other_layout, "foreign", "another version"),
        (&corrupt, "corrupt", "sizes"),
        (&nonsense, "corrupt", "sizes"),
    ];
    for (bytes, state, says) in cases {
        let (json, text) = instead(bytes);
        let report: Value = serde_json::from_slice(&json.out).expect("JSON");
        assert_eq!(report["objects"][0]["state"], state, "{report}");
        json.badly(3, &[state, says]);
        let told = String::from_utf8_lossy(&text.out).into_owned();
        assert!(told.contains(state), "{told}");
        text.badly(3, &[state, says]);
    }
}
