//! Every model that is no longer than a test may be.

use std::process::{Command, Stdio};

use laneway_models::models;

#[test]
fn every_model_accepts_what_loom_finds() {
    let mut count = 0;
    for model in models::all().filter(|model| !model.long) {
        model.check(None);
        count += 1;
    }
    assert!(count > 20, "only {count} models");
}

/// A model of reports, with and without the step that makes them.
#[test]
fn a_report_that_is_not_made_is_missed() {
    for (left_out, sound) in [("", true), ("without:Step::ReportNews", false)] {
        let status = Command::new(env!("CARGO_BIN_EXE_laneway-models"))
            .args(["model", "event, reports, a barrier in every process"])
            .env("LANEWAY_MUTANTS", left_out)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert_eq!(status.expect("runs").success(), sound, "{left_out}");
    }
}
