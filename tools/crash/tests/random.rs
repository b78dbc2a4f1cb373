//! The tool itself, for some seconds: nobody who is killed at random or at a named point takes anything with it that others need.

use std::process::Command;

fn passes(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_laneway-crash"))
        .args(arguments)
        .output()
        .expect("runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments:?}\n{told}");
}

#[test]
fn who_dies_at_random_takes_nothing_along() {
    passes(&["random", "--kills", "60"]);
}

#[test]
fn the_same_name_can_be_used_again_at_once() {
    passes(&["restart", "--times", "20"]);
}

#[test]
fn a_death_after_an_instruction_is_survived() {
    passes(&["step", "--stride", "199"]);
}
