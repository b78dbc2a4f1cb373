//! Every transport is in the table, and README shows the table.

use laneway::{Address, Capabilities, Channel, Driver, Fan, Registry};

use crate::source::{self, Source};

/// Files of `src/transport` that the table does not name.
fn missing(table: &Source, files: &[&str]) -> Vec<String> {
    let code = table.code();
    let rows: Vec<&str> = code
        .split("Driver::of::<")
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .collect();
    let exported = |stem: &str| -> Vec<String> {
        let start = format!("pub use {stem}::");
        let rest = code.split(&start).nth(1).unwrap_or_default();
        let list = rest.split(';').next().unwrap_or_default();
        let names = list.split(|c: char| !c.is_alphanumeric() && c != '_');
        names.map(str::to_owned).collect()
    };
    let stems = files.iter().filter_map(|file| file.strip_suffix(".rs"));
    stems
        .filter(|stem| *stem != "mod")
        .filter(|stem| {
            !exported(stem)
                .iter()
                .any(|name| rows.contains(&name.as_str()))
        })
        .map(|stem| format!("src/transport/{stem}.rs has no row in BUILTIN"))
        .collect()
}

#[test]
fn every_transport_is_in_the_table() {
    let sources = source::all("src/transport");
    let table = sources.iter().find(|s| s.path == "src/transport/mod.rs");
    let files: Vec<&str> = sources
        .iter()
        .filter_map(|s| s.path.strip_prefix("src/transport/"))
        .filter(|path| !path.contains('/'))
        .collect();
    let wrong = missing(table.expect("a table"), &files);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(files.len() > 1, "no transport found");
}

#[test]
fn a_transport_without_a_row_is_reported() {
    let code = "pub use pipe::Pipe;\npub use sysv::{Select, Sysv};\npub use fifo::Fifo;\n\
                const BUILTIN: &[Driver] = &[Driver::of::<Pipe>(), Driver::of::<Sysv>()];";
    let table = Source::parse("src/transport/mod.rs", code);
    let wrong = missing(&table, &["mod.rs", "pipe.rs", "sysv.rs"]);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(missing(&table, &["fifo.rs"]).len(), 1, "not in the table");
    assert_eq!(missing(&table, &["unix.rs"]).len(), 1, "not even exported");
}

const START: &str = "<!-- transports -->";
const END: &str = "<!-- /transports -->";

/// The registry as README shows it: a row for each address that differs in what it can do.
fn markdown(registry: &Registry) -> String {
    let mut lines = vec![
        "| address | what it is | senders | receivers | opens | poll | copies through the kernel | keys |".to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for driver in registry.drivers() {
        let mut shown: Vec<Capabilities> = Vec::new();
        for variant in driver.variants() {
            let can = capabilities(driver, variant);
            if !shown.contains(&can) {
                lines.push(row(driver, variant, can));
                shown.push(can);
            }
        }
    }
    lines.join("\n")
}

/// What a variant can do.
fn capabilities(driver: &Driver, variant: &str) -> Capabilities {
    let name = driver.example_name("x").unwrap_or_default();
    let mut address = Address::new(driver.scheme(), name).expect("a good name");
    for pair in variant.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').expect("key=value");
        address = address.with(key, value);
    }
    let channel = driver.channel(&address).expect("a good address");
    channel.capabilities()
}

fn row(driver: &Driver, variant: &str, can: Capabilities) -> String {
    let fan = |fan| match fan {
        Fan::One => "1",
        Fan::Many => "many",
    };
    let yes = |is| if is { "yes" } else { "no" };
    let name = match driver.example_name("x") {
        Some(name) if name.contains('/') => "PATH",
        Some(_) => "NAME",
        None => "",
    };
    let query = if variant.is_empty() { "" } else { "?" };
    let address = format!("`{}:{name}{query}{variant}`", driver.scheme());
    let opens = match (can.anonymous, can.named) {
        (true, true) => "as a pair, by name",
        (true, false) => "as a pair",
        (false, true) => "by name",
        (false, false) => "not at all",
    };
    let keys: Vec<String> = driver
        .keys()
        .iter()
        .map(|key| format!("`{}`", key.name))
        .collect();
    [
        "",
        &address,
        driver.summary(),
        fan(can.senders),
        fan(can.receivers),
        opens,
        yes(can.pollable),
        yes(can.kernel_buffered),
        &keys.join(" "),
        "",
    ]
    .join(" | ")
    .trim()
    .to_owned()
}

/// What stands between the markers, if both are there.
fn between(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(START)?;
    let (table, _) = rest.split_once(END)?;
    Some(table.trim())
}

#[test]
fn readme_shows_the_registry() {
    let right = markdown(&Registry::BUILTIN);
    let readme = source::read("README.md");
    let shown = between(&readme).unwrap_or_default();
    assert!(
        shown == right,
        "README.md must have this between {START} and {END}:\n\n{right}\n"
    );
}

#[test]
fn another_table_is_reported() {
    let right = markdown(&Registry::BUILTIN);
    for driver in Registry::BUILTIN.drivers() {
        assert!(right.contains(driver.summary()), "{}", driver.scheme());
    }
    let page = |table: &str| format!("# x\n{START}\n{table}\n{END}\ny");
    assert_eq!(between(&page(&right)), Some(right.as_str()));
    let without = right.replace("many", "1");
    assert_ne!(between(&page(&without)), Some(right.as_str()));
    assert_eq!(between("no markers"), None);
    assert_eq!(between(&format!("{END} {START}")), None);
}
