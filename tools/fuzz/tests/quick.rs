//! Every target with a few thousand inputs, and a scribbler for a moment.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_laneway-fuzz"))
        .args(arguments)
        .output()
        .expect("runs")
}

fn told(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{}\n{out}\n{err}", output.status)
}

#[test]
fn every_target_takes_what_no_honest_peer_sends() {
    // Another seed for each process, so that each run looks elsewhere; it is told if it fails.
    let seed = std::process::id().to_string();
    let output = run(&["quick", "--inputs", "6400", "--seed", &seed]);
    assert!(output.status.success(), "{}", told(&output));
    for target in [
        "address", "header", "spsc", "lock", "mpmc", "frames", "values",
    ] {
        let line = format!("{target:8} 6400 inputs from seed {seed} ");
        assert!(told(&output).contains(&line), "{}", told(&output));
    }
}

#[test]
fn a_scribbler_ends_nobody() {
    let output = run(&["scribble", "--seconds", "1"]);
    assert!(output.status.success(), "{}", told(&output));
    for ring in ["shm+spsc:", "shm+lock:", "shm+mpmc:"] {
        assert!(
            told(&output).contains(&format!("scribble {ring}")),
            "{}",
            told(&output)
        );
    }
}

#[test]
fn a_block_is_repeated_by_its_seed_and_number() {
    let [once, again] = [(); 2].map(|()| {
        let output = run(&["address", "--seed", "5", "--from", "320", "--inputs", "32"]);
        assert!(output.status.success(), "{}", told(&output));
        let text = told(&output);
        text.rsplit_once("): ").expect("a line").1.to_owned()
    });
    assert_eq!(once, again);
}

#[test]
fn a_target_that_fails_is_told_with_the_line_that_repeats_it() {
    let output = run(&["faulty", "--seed", "9"]);
    let told = told(&output);
    assert!(!output.status.success(), "{told}");
    let line = "laneway-fuzz faulty --here --seed 9 --from 96 --inputs 32";
    assert!(told.contains(line), "{told}");
}
