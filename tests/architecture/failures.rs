//! Every row of docs/failures.md names tests, and they exist.

use std::path::Path;

use crate::source;

/// The page.
const PAGE: &str = "docs/failures.md";
/// The head of the columns with tests.
const HEAD: &str = "shown by";

/// What is between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The tests that a text names, as file and name.
fn named(text: &str) -> Vec<(String, String)> {
    let folders = ["src/", "tests/", "cli/", "tools/"];
    let tests = quoted(text).filter_map(|quoted| {
        let (file, name) = quoted.split_once("::")?;
        let is_file = folders.iter().any(|folder| file.starts_with(folder));
        is_file.then(|| (format!("{file}.rs"), name.to_owned()))
    });
    tests.collect()
}

/// Rows of tables of tests that name none.
fn untested(page: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut is_table = false;
    for line in page.lines() {
        if !line.starts_with('|') {
            is_table = false;
        } else if line.contains(HEAD) {
            is_table = true;
        } else if is_table && !line.starts_with("|---") && named(line).is_empty() {
            wrong.push(format!("{PAGE}: no test in {line}"));
        }
    }
    wrong
}

/// Tests that are named and are not there. `read` gives the text of a file, if there is one.
fn missing(page: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, name) in named(page) {
        let Some(text) = read(&file) else {
            wrong.push(format!("{PAGE}: there is no {file}"));
            continue;
        };
        let function = format!("fn {name}(");
        // A test with a name in a table of cases, perhaps behind that of its file.
        let case =
            ["\"", "/"].map(|before| ["\"", "/"].map(|behind| format!("{before}{name}{behind}")));
        let mut forms = case.iter().flatten().chain([&function]);
        if !forms.any(|form| text.contains(form)) {
            wrong.push(format!("{PAGE}: there is no {name} in {file}"));
        }
    }
    wrong
}

/// Points of death that a text names: two words and a dot.
fn points(text: &str) -> Vec<&str> {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let is_point = |quoted: &&str| {
        let halves = quoted.split_once('.');
        halves.is_some_and(|(place, moment)| is_word(place) && is_word(moment))
    };
    quoted(text).filter(is_point).collect()
}

/// Points that are named on one side only: of the page, and of the code that dies there.
fn strangers(page: &str, code: &str) -> Vec<String> {
    let named = points(page);
    // In the code a point's name stands between double quotes.
    let quotes = code.replace('"', "`");
    let there: Vec<&str> = points(&quotes);
    let one_sided = |of: &[&str], others: &[&str]| -> Vec<String> {
        let missing = of.iter().filter(|point| !others.contains(point));
        missing
            .map(|point| format!("{PAGE}: `{point}` is on one side only"))
            .collect()
    };
    [one_sided(&named, &there), one_sided(&there, &named)].concat()
}

#[test]
fn every_point_of_death_is_told_of() {
    let (page, code) = (source::read(PAGE), source::read("src/crash/mod.rs"));
    assert!(points(&page).len() > 50, "{:?}", points(&page));
    let wrong = strangers(&page, &code);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_point_that_is_not_there_is_reported() {
    let code = "A = \"a.in\",\nB = \"b.half-way\",";
    assert_eq!(
        strangers("`a.in` `b.half-way` `a.rs::x` `1.5`", code),
        [""; 0]
    );
    assert_eq!(strangers("`a.in` `c.gone`", code).len(), 2);
}

#[test]
fn every_fault_has_a_test_and_every_test_is_there() {
    let page = source::read(PAGE);
    let found = named(&page).len();
    assert!(found > 80, "only {found} tests are named");
    let read = |file: &str| {
        let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        full.is_file().then(|| source::read(file))
    };
    let wrong = [untested(&page), missing(&page, read)].concat();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_missing_test_is_reported() {
    let page = "| fault | shown by |\n|---|---|\n| a | `tests/a::here` `src/b::case` |\n| b | `tests/a::gone` |\n\
                | c | `tests/nowhere::x` |\n| d | soon |\n\nSee `tests/a::after` and `std::fs`.\n| not | tests |\n";
    let read = |file: &str| match file {
        "tests/a.rs" => Some("fn here() {}\nCase::new(\"other/after\", x)".to_owned()),
        "src/b.rs" => Some("(\"case\", case_of)".to_owned()),
        _ => None,
    };
    assert_eq!(named(page).len(), 5);
    let wrong = missing(page, read);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(
        wrong
            .iter()
            .any(|told| told.contains("no gone in tests/a.rs"))
    );
    assert!(
        wrong
            .iter()
            .any(|told| told.contains("no tests/nowhere.rs"))
    );
    assert_eq!(untested(page), [format!("{PAGE}: no test in | d | soon |")]);
}
