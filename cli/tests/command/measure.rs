//! `laneway measure`.

use serde_json::Value;

use crate::running::Running;

#[test]
fn figures_stand_beside_each_other_without_a_verdict() {
    let arguments = [
        "measure", "pipe:", "shm:", "--time", "0.5", "--size", "8..64",
    ];
    let out = Running::start(&arguments).finish().well();
    let text = String::from_utf8(out).expect("text");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    // The alias is told as what it stands for.
    assert!(
        text.contains("\npipe: ") && text.contains("\nshm+spsc: "),
        "{text}"
    );
    assert!(
        text.contains("thrput") && !text.contains("verdict"),
        "{text}"
    );
}

#[test]
fn json_has_a_report_for_each_address_in_order() {
    let arguments = [
        "measure",
        "sysv:",
        "shm+lock:?wait=park",
        "--time",
        "0.5",
        "--rate",
        "2k/s",
        "--json",
    ];
    let out = Running::start(&arguments).finish().well();
    let survey: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(survey["schema"], 2);
    assert_eq!(survey["workload"]["rate"], 2000.0);
    let reports = survey["reports"].as_array().expect("a list").iter();
    let addresses: Vec<_> = reports.clone().map(|r| r["address"].as_str()).collect();
    assert_eq!(addresses, [Some("sysv:"), Some("shm+lock:?wait=park")]);
    assert!(reports.clone().all(|r| r["arrivals"].is_object()));
}

#[test]
fn a_channel_that_cannot_is_told_with_a_code() {
    let arguments = [
        "measure", "pipe:", "sysv:", "--size", "16MiB", "--time", "0.5",
    ];
    let ended = Running::start(&arguments).finish();
    let text = String::from_utf8(ended.out).expect("text");
    assert_eq!(ended.code, Some(4), "{text}");
    assert!(text.contains("FAULT    "), "{text}");
    assert!(text.contains("sysv: could not be measured"), "{text}");
    for bad in [
        &["measure", "smoke:"][..],
        &["measure"],
        &["measure", "pipe:", "--size", "8,64"],
    ] {
        assert_eq!(Running::start(bad).finish().code, Some(2), "{bad:?}");
    }
}
