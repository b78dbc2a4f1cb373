//! Nothing depends on the wall clock, which may be set at any time.

use crate::source::{self, Source};

/// Names of the wall clock.
const WALL: [&str; 5] = [
    "SystemTime",
    "UNIX_EPOCH",
    "CLOCK_REALTIME",
    "CLOCK_TAI",
    "gettimeofday",
];
/// Who may show people a date or an age.
const SHOWS: &[&str] = &[
    "src/choose/choice.rs",
    "src/inventory/object.rs",
    "src/measure/survey.rs",
];

/// Where the wall clock is asked.
fn asks(source: &Source) -> Vec<String> {
    let code = source.code();
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    let asked = words.filter(|word| WALL.contains(word));
    asked
        .map(|word| format!("{}: asks the wall clock ({word})", source.path))
        .collect()
}

#[test]
fn only_those_that_show_a_date_ask_the_wall_clock() {
    let sources = source::all("src");
    let others = sources.iter().filter(|s| !SHOWS.contains(&s.path.as_str()));
    let wrong: Vec<String> = others.flat_map(asks).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for shows in SHOWS {
        let source = sources.iter().find(|source| source.path == *shows);
        let asked = source.map(asks).unwrap_or_default();
        assert!(!asked.is_empty(), "take {shows} off the list");
    }
}

#[test]
fn whoever_asks_the_wall_clock_is_reported() {
    let bad = [
        "let now = std::time::SystemTime::now();",
        "clock_gettime(ClockId::CLOCK_REALTIME)",
    ];
    for code in bad {
        assert_eq!(asks(&Source::parse("src/wait.rs", code)).len(), 1, "{code}");
    }
    let good =
        "// SystemTime is not for us\nlet now = Instant::now(); let text = \"CLOCK_REALTIME\";";
    assert!(asks(&Source::parse("src/wait.rs", good)).is_empty());
}
