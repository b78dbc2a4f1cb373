//! What the table and the JSON look like.

use std::fs;

use laneway::Channel;

use crate::world::{Case, Holder, addresses, listed, path, run, states};

pub(crate) const CASES: &[Case] = &[
    ("the_table_fits", the_table_fits),
    ("json_has_every_column", json_has_every_column),
    ("what_has_no_name_is_listed_if_asked_for", nameless),
    ("folders_are_those_asked_for", folders_are_those_asked_for),
    ("nothing_is_said_to_be_nothing", nothing),
    ("wrong_usage_is_refused", wrong_usage),
    ("help_has_examples_and_codes", help),
];

fn the_table_fits() {
    let long = format!("shm+lock:{}", "long-".repeat(40));
    let channel = laneway::channel(&long).expect("good");
    let ends = channel.pair().expect("opens");
    let holders: Vec<_> = addresses("table")
        .iter()
        .map(|address| Holder::start("hold", address))
        .collect();
    let table = run(&["ls"]).well();
    let (head, rest) = table.split_once('\n').expect("lines");
    let words: Vec<&str> = head.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "ADDRESS", "KIND", "OWNER", "USERS", "AGE", "SIZE", "DEPTH", "STATE"
        ]
    );
    for line in rest.lines() {
        assert_eq!(line, line.trim_end());
    }
    assert!(!table.contains('\x1b'), "colours, and no terminal");
    // Who reads this is a program: a row is a line, and an address a word.
    for address in addresses("table").iter().chain([&long]) {
        let is_row =
            |line: &str| line.split_whitespace().next() == Some(address) && line.ends_with(" live");
        assert_eq!(
            rest.lines().filter(|line| is_row(line)).count(),
            1,
            "{address} in {table}"
        );
    }
    holders.into_iter().for_each(Holder::kill);
    run(&["rm", "--stale"]).well();
    drop(ends);
}

fn json_has_every_column() {
    let ends = laneway::channel("shm+spsc:laneway-objects-json?capacity=64KiB");
    let ends = ends.expect("good").pair().expect("opens");
    let row = listed().remove(0);
    assert_eq!(row["address"], "shm+spsc:laneway-objects-json");
    assert_eq!(row["path"], "/dev/shm/laneway.laneway-objects-json");
    assert_eq!(
        (&row["kind"], &row["state"]),
        (&"ring".into(), &"live".into())
    );
    assert_eq!((&row["uid"], &row["owner"]), (&0.into(), &"root".into()));
    assert_eq!((&row["senders"], &row["receivers"]), (&1.into(), &1.into()));
    assert_eq!(row["size"], 1024 + (64 << 10));
    assert!(row["age_seconds"].as_u64().expect("a number") < 3600);
    assert_eq!(row["reason"], serde_json::Value::Null);
    assert_eq!(row["processes"][0], std::process::id());
    assert_eq!(
        (&row["depth_bytes"], &row["capacity"]),
        (&0.into(), &(64 << 10).into())
    );
    drop(ends);
}

fn nameless() {
    let (mut tx, _rx) = laneway::channel("shm+spsc:?capacity=64KiB")
        .expect("good")
        .pair()
        .expect("opens");
    laneway::Sender::send(&mut tx, b"waits").expect("there is room");
    assert_eq!(listed().len(), 0, "it has no name");
    let all = run(&["ls", "--all", "--json"]).well();
    let all: serde_json::Value = serde_json::from_str(&all).expect("JSON");
    let rows = all["objects"].as_array().expect("a list").iter();
    let own = std::process::id();
    let mut ours = rows.filter(|row| row["processes"][0] == own);
    let ours = ours.next().expect("it is open");
    assert_eq!(
        (&ours["address"], &ours["state"]),
        (&"shm+spsc:".into(), &"live".into())
    );
    assert_eq!(ours["depth_bytes"], 16);
    let table = run(&["ls", "--all"]).well();
    assert!(table.contains(&format!(" {own} ")), "{table}");
}

fn folders_are_those_asked_for() {
    let folder = path("deep");
    fs::create_dir(&folder).expect("makes");
    let address = format!("fifo:{}/x", folder.display());
    Holder::start("hold", &address).kill();
    assert_eq!(states(), [""; 0], "not below the temporary folder");
    let place = folder.to_str().expect("text");
    let table = run(&["ls", "--in", place]).well();
    assert!(
        table.contains("fifo:/") && table.contains("stale"),
        "{table}"
    );
    assert_eq!(run(&["rm", "--stale"]).well(), "");
    assert_eq!(
        run(&["rm", "--stale", "--in", place]).well(),
        format!("removed {address} (fifo)\n")
    );
    fs::remove_dir(&folder).expect("empty");
    for verb in [&["ls"][..], &["rm", "--stale"]] {
        let arguments = [verb, &["--in", place]].concat();
        run(&arguments).badly(1, &[place, "cannot be read", "check the name"]);
    }
}

fn nothing() {
    assert_eq!(run(&["ls"]).well(), "nothing of laneway is here\n");
    assert_eq!(listed().len(), 0);
    assert_eq!(run(&["rm", "--stale"]).well(), "");
    run(&["rm", "shm+lock:laneway-objects-none"]).badly(3, &["nothing has the address"]);
    for what in ["--stale", "shm+lock:laneway-objects-none"] {
        let ended = run(&["rm", "--json", what]);
        let report: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
        assert_eq!(report["removed"], serde_json::json!([]));
        assert_eq!(report["left"], serde_json::json!([]));
        assert_eq!(ended.code, Some(if what == "--stale" { 0 } else { 3 }));
    }
}

fn wrong_usage() {
    for arguments in [
        &["rm"][..],
        &["rm", "--dry-run"],
        &["rm", "shm+lock:x", "--stale"],
        &["rm", "nonsense"],
        &["rm", "pipe:"],
        &["ls", "x"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(!ended.err.is_empty());
    }
}

fn help() {
    for (verb, codes) in [("ls", 0..=2), ("rm", 0..=3)] {
        let help = run(&[verb, "--help"]).well();
        let (before, told) = help.split_once("Exit codes:").expect("told");
        assert!(before.contains("Examples:") && before.contains(&format!("laneway {verb} ")));
        for code in codes {
            assert!(told.contains(&format!("\n  {code}  ")), "{code} in {told}");
        }
    }
}
