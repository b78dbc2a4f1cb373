//! `laneway list`, and `--help`.

use laneway::{Channel, Registry};
use serde_json::Value;

use crate::running::Running;

fn listed() -> Value {
    let json = Running::start(&["list", "--json"]).finish().well();
    serde_json::from_slice(&json).expect("JSON")
}

#[test]
fn json_tells_every_transport_as_the_library_has_it() {
    let listed = listed();
    assert_eq!(listed["schema"], 1);
    let rows = listed["transports"].as_array().expect("a list");
    let drivers = Registry::BUILTIN.drivers();
    assert_eq!(rows.len(), drivers.len());
    for (row, driver) in rows.iter().zip(drivers) {
        assert_eq!(row["scheme"], driver.scheme());
        assert_eq!(row["summary"], driver.summary());
        assert_eq!(row["available"], true, "{row}");
        assert_eq!(row["obstacle"], Value::Null);
        let max = row["limits"]["max_message"].as_u64().expect("a number");
        let capacity = row["limits"]["capacity"].as_u64().expect("a number");
        assert!(0 < max && max <= capacity);
        let keys = row["keys"].as_array().expect("a list").iter();
        let names: Vec<_> = keys.map(|key| key["name"].as_str()).collect();
        let expected: Vec<_> = driver.keys().iter().map(|key| Some(key.name)).collect();
        assert_eq!(names, expected);
        let can = driver.capabilities().expect("an example");
        assert_eq!(row["named"], can.named);
        assert_eq!(row["anonymous"], can.anonymous);
        if can.named {
            let example = row["example"].as_str().expect("an address");
            let channel = laneway::channel(example).expect("a good address");
            assert_eq!(channel.address().scheme(), driver.scheme());
        }
    }
}

#[test]
fn the_table_fits_and_has_every_transport() {
    let table = Running::start(&["list"]).finish().well();
    let table = String::from_utf8(table).expect("text");
    for line in table.lines() {
        assert!(line.chars().count() <= 100, "{line:?} is too wide");
        assert!(!line.contains('\x1b'), "colours, and no terminal");
        assert_eq!(line, line.trim_end());
    }
    for driver in Registry::BUILTIN.drivers() {
        assert!(table.contains(&format!("\n{}:", driver.scheme())));
        assert!(table.contains(driver.summary()));
        for key in driver.keys() {
            assert!(table.contains(&format!("{}={}", key.name, key.form)));
        }
    }
}

#[test]
fn a_closed_output_is_no_failure() {
    let mut list = Running::start(&["list"]);
    list.stop_reading();
    list.ended().well();
}

#[test]
fn help_has_examples_and_ends_with_the_exit_codes() {
    for verb in ["list", "send", "recv"] {
        let help = Running::start(&[verb, "--help"]).finish().well();
        let help = String::from_utf8(help).expect("text");
        let (before, codes) = help.split_once("Exit codes:").expect("told");
        assert!(before.contains(&format!("laneway {verb}")) && before.contains("Examples:"));
        for code in 0..=5 {
            assert!(
                codes.contains(&format!("\n  {code}  ")),
                "{code} in {codes}"
            );
        }
    }
}
