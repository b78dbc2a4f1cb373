//! Completions, the manual, and what every `--help` has.

use std::{fs, process::Command};

use crate::{framing::Scrap, running::Running};

/// Every command.
const VERBS: [&str; 12] = [
    "choose",
    "measure",
    "doctor",
    "list",
    "ls",
    "top",
    "inspect",
    "rm",
    "send",
    "recv",
    "completions",
    "man",
];

fn said(arguments: &[&str]) -> String {
    let out = Running::start(arguments).finish().well();
    String::from_utf8(out).expect("text")
}

#[test]
fn every_shell_is_told_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        for verb in VERBS {
            assert!(script.contains(verb), "{shell}: no {verb}");
        }
        assert!(script.contains("--framing") || script.contains("framing"));
    }
    let ended = Running::start(&["completions", "cmd"]).finish();
    assert_eq!(ended.code, Some(2));
}

#[test]
fn bash_completes_commands_and_values() {
    let scrap = Scrap::with(said(&["completions", "bash"]).as_bytes());
    let complete = |words: &str, last: &str| {
        let script = format!(
            "source {}; COMP_WORDS=(laneway {words} '{last}'); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _laneway laneway '{last}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            scrap.path()
        );
        let output = Command::new("bash").args(["-c", &script]).output();
        let output = output.expect("runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(complete("", "ins"), "inspect\n");
    assert!(complete("send", "--fr").contains("--framing"));
}

#[test]
fn the_manual_has_a_page_for_every_command_with_its_exit_codes() {
    let dir = Scrap::none();
    assert_eq!(said(&["man", dir.path()]), "");
    let whole = fs::read_to_string(dir.0.join("laneway.1")).expect("is there");
    assert!(whole.contains("Exit codes:"));
    for verb in VERBS {
        let page = fs::read_to_string(dir.0.join(format!("laneway-{verb}.1"))).expect(verb);
        assert!(page.starts_with(".") && page.contains(".TH "), "{verb}");
        assert!(page.contains("Exit codes:"), "{verb}");
        assert!(page.contains("Examples:"), "{verb}");
    }
    fs::remove_dir_all(&dir.0).expect("removes");
    Running::start(&["man", "/dev/null/x"])
        .finish()
        .badly(1, &["/dev/null/x"]);
}

#[test]
fn every_help_has_examples_and_exit_codes() {
    assert!(said(&["--help"]).contains("Exit codes:"));
    for verb in VERBS {
        let help = said(&[verb, "--help"]);
        assert!(help.contains("Examples:"), "{verb}");
        assert!(help.contains(&format!("laneway {verb}")), "{verb}");
        assert!(help.contains("\nExit codes:\n  0  "), "{verb}");
        assert!(!help.contains('\x1b'), "{verb}: colours, and no terminal");
    }
}
