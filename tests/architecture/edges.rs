//! Who may import whom.

use std::collections::BTreeMap;

use crate::source::{self, Source};

/// Words that everybody may use.
const VOCABULARY: &[&str] = &[
    "address",
    "capability",
    "counters",
    // Names of moments, and nothing else where nothing is tested.
    "crash",
    "deadline",
    "error",
    "handoff",
    "lock",
    "overflow",
    "peer",
    "readiness",
    // Tells of what happens, and nothing without its feature.
    "trace",
];
/// The traits and their guards.
const TRAITS: &[&str] = &["channel", "endpoint", "guard", "ext"];

/// For each module, what it may import besides itself and the vocabulary.
const TABLE: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("capability", &[]),
    ("counters", &[]),
    ("deadline", &[]),
    ("error", &[]),
    ("handoff", &[]),
    ("lock", &[]),
    ("overflow", &[]),
    ("peer", &[]),
    ("readiness", &["wait"]),
    ("crash", &["sync"]),
    ("trace", &[]),
    ("sync", &[]),
    ("channel", TRAITS),
    ("endpoint", TRAITS),
    ("guard", TRAITS),
    // `pod()` is a method of every endpoint, so these two name each other.
    ("ext", &["channel", "endpoint", "guard", "typed"]),
    ("typed", TRAITS),
    ("presence", &["sys"]),
    ("sys", &["sync"]),
    ("cache", &[]),
    ("clock", &[]),
    ("tally", &["sync"]),
    ("wait", &["clock", "sync", "sys", "tally"]),
    ("watch", &["presence", "sync", "sys"]),
    ("wait_any", &["endpoint", "sys"]),
    ("tokio", &["endpoint", "guard", "ext", "sys"]),
    ("robust", &["lock", "sync", "sys"]),
    ("ring", &["sync", "tally"]),
    (
        "shm",
        &[
            "clock", "sync", "sys", "tally", "wait", "presence", "ring", "robust",
        ],
    ),
    (
        "transport",
        &[
            "channel", "endpoint", "guard", "ext", "registry", "presence", "sync", "sys", "tally",
            "wait", "watch", "cache", "ring", "robust", "shm",
        ],
    ),
    (
        "registry",
        &[
            "channel",
            "endpoint",
            "guard",
            "ext",
            "transport",
            "conformance",
        ],
    ),
    (
        "process",
        &[
            "channel", "endpoint", "guard", "ext", "typed", "registry", "presence", "sync", "sys",
            "tally", "wait", "watch", "ring", "robust", "shm", "clock",
        ],
    ),
    (
        "inventory",
        &["presence", "shm", "transport", "ring", "clock"],
    ),
    (
        "conformance",
        // Of `shm` only the layout's fields, to hold against docs/layout.md.
        &[
            "channel", "endpoint", "guard", "ext", "typed", "registry", "process", "sync", "shm",
            "wait_any",
        ],
    ),
    (
        "measure",
        &[
            "channel", "endpoint", "guard", "ext", "typed", "registry", "process", "clock", "sync",
            "sys",
        ],
    ),
    (
        "choose",
        &["channel", "endpoint", "guard", "ext", "registry", "measure"],
    ),
];

/// The modules of the crate, and where the names at its root come from.
#[derive(Debug, Default)]
struct Root {
    modules: Vec<String>,
    names: BTreeMap<String, String>,
}

impl Root {
    /// Reads `lib.rs`.
    fn parse(lib: &Source) -> Self {
        let mut root = Self::default();
        let code = lib.code();
        for line in code.lines() {
            let declared = line.trim().trim_start_matches("pub ").strip_prefix("mod ");
            if let Some(name) = declared.and_then(|rest| rest.strip_suffix(';')) {
                root.modules.push(name.to_owned());
            }
        }
        for (at, _) in code.match_indices("pub use ") {
            let (paths, _) = tree(code.get(at + 8..).unwrap_or_default());
            for path in paths {
                if let [module, .., name] = path.as_slice() {
                    root.names.insert(name.clone(), module.clone());
                }
            }
        }
        root
    }

    /// The module that a path from the root leads into.
    fn module_of<'a>(&'a self, path: &'a [String]) -> Option<&'a str> {
        let first = path.first()?;
        if self.modules.contains(first) {
            return Some(first);
        }
        self.names.get(first).map(String::as_str)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths of a use tree at the start of `text`, and what follows it.
fn tree(text: &str) -> (Vec<Vec<String>>, &str) {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        let mut paths = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if let Some(after) = rest.strip_prefix('}') {
                return (paths, after);
            }
            let (more, after) = tree(rest);
            if after.len() == rest.len() {
                return (paths, after);
            }
            paths.extend(more);
            rest = after;
            if let Some(renamed) = rest.trim_start().strip_prefix("as ") {
                rest = renamed.trim_start().trim_start_matches(is_word);
            }
        }
    }
    if let Some(rest) = text.strip_prefix('*') {
        return (vec![vec!["*".to_owned()]], rest);
    }
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let Some(below) = rest.trim_start().strip_prefix("::") else {
        return (vec![vec![word.to_owned()]], rest);
    };
    // A turbofish ends a path.
    if below.trim_start().starts_with('<') {
        return (vec![vec![word.to_owned()]], below);
    }
    let (mut paths, rest) = tree(below);
    for path in &mut paths {
        path.insert(0, word.to_owned());
    }
    (paths, rest)
}

/// Every path into this crate that the code names, from the root.
fn paths(source: &Source) -> Vec<Vec<String>> {
    let code = source.code();
    let here = source.module();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code.get(..at).unwrap_or_default();
        if !before.ends_with(is_word) {
            found.extend(tree(code.get(at + 7..).unwrap_or_default()).0);
        }
    }
    for (at, _) in code.match_indices("super::") {
        let before = code.get(..at).unwrap_or_default();
        let rest = code.get(at..).unwrap_or_default();
        if before.ends_with(is_word) || before.ends_with("super::") {
            continue;
        }
        let below = rest.trim_start_matches("super::");
        let ups = (rest.len() - below.len()) / 7;
        let base = here.get(..here.len().saturating_sub(ups));
        for path in tree(below).0 {
            let mut full = base.unwrap_or_default().to_vec();
            full.extend(path);
            found.push(full);
        }
    }
    found
}

/// What is wrong with the imports of one file.
fn check(root: &Root, source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(from) = module.first() else {
        // The root names everything.
        return Vec::new();
    };
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| name == from) else {
        return vec![format!("{}: `{from}` has no row in the table", source.path)];
    };
    let mut wrong = Vec::new();
    for path in paths(source) {
        let told = path.join("::");
        let Some(to) = root.module_of(&path) else {
            wrong.push(format!(
                "{}: `crate::{told}` is nothing at the root",
                source.path
            ));
            continue;
        };
        if to != from && !allowed.contains(&to) && !VOCABULARY.contains(&to) {
            wrong.push(format!(
                "{}: `{from}` must not import `{to}` (crate::{told})",
                source.path
            ));
        }
        // Within transport only the bodies that several share may be named, and they name no transport.
        let second = module.get(1).filter(|_| from == "transport");
        let named = path.get(1).filter(|_| to == "transport");
        if let (Some(second), Some(named)) = (second, named)
            && named != "family"
            && named != second
        {
            wrong.push(format!(
                "{}: a transport must not import a transport (crate::{told})",
                source.path
            ));
        }
    }
    let others = ["laneway_cli", "laneway_peers", "clap"];
    let code = source.code();
    let words = code.split(|c| !is_word(c));
    for word in words.filter(|word| others.contains(word)) {
        wrong.push(format!(
            "{}: the library must not know `{word}`",
            source.path
        ));
    }
    wrong
}

#[test]
fn every_import_is_in_the_table() {
    let sources = source::all("src");
    let lib = sources.iter().find(|source| source.path == "src/lib.rs");
    let root = Root::parse(lib.expect("a root"));
    assert!(root.modules.len() > 10, "{root:?}");
    let seen: usize = sources.iter().map(|source| paths(source).len()).sum();
    assert!(seen > 200, "only {seen} imports found");
    let wrong: Vec<String> = sources.iter().flat_map(|s| check(&root, s)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_library_does_not_depend_on_the_command() {
    let manifest = source::read("Cargo.toml");
    let dependencies = manifest
        .split("\n[")
        .filter(|table| table.starts_with("dependencies]"));
    for table in dependencies {
        for name in ["laneway-cli", "laneway-peers", "clap"] {
            assert!(!table.contains(name), "the library depends on {name}");
        }
    }
}

/// What the rules say about `code` in the file at `path`.
fn verdict(path: &str, code: &str) -> Vec<String> {
    let lib = "mod address;\nmod error;\nmod registry;\nmod sync;\nmod sys;\nmod shm;\nmod ring;\nmod wait;\n\
               mod endpoint;\npub mod transport;\npub mod process;\npub mod typed;\n\
               pub use address::{Address, Key};\npub use registry::{Driver, channel};\npub use error::OpenError;";
    let root = Root::parse(&Source::parse("src/lib.rs", lib));
    check(&root, &Source::parse(path, code))
}

#[test]
fn a_forbidden_import_is_reported() {
    let bad = [
        ("src/error.rs", "use crate::Driver;"),
        (
            "src/error.rs",
            "use crate::{Address,\n    registry::Driver,\n};",
        ),
        ("src/error.rs", "fn f() -> crate::registry::Driver {}"),
        ("src/endpoint.rs", "use crate::transport::Pipe;"),
        (
            "src/transport/fifo.rs",
            "use crate::{Address, transport::{family::stream, pipe::Pipe}};",
        ),
        ("src/transport/fifo.rs", "use super::pipe::Pipe;"),
        (
            "src/transport/family/stream.rs",
            "use super::super::pipe::Pipe;",
        ),
        (
            "src/transport/family/stream.rs",
            "use crate::transport::Pipe;",
        ),
        ("src/ring/locked.rs", "use crate::sys::futex;"),
        (
            "src/ring/locked.rs",
            "use crate::{sync::Ordering, shm::segment};",
        ),
        ("src/ring/mod.rs", "use crate::wait::Event;"),
        ("src/ring/mod.rs", "use crate::transport::family;"),
        ("src/typed/pod.rs", "use crate::transport::Pipe;"),
        (
            "src/process/give.rs",
            "use crate::{Address, transport as t};",
        ),
        ("src/sys/fd.rs", "use crate::{shm, Address};"),
        (
            "src/sys/fd.rs",
            "macro_rules! m { () => { $crate::wait::Event } }",
        ),
        (
            "src/sync.rs",
            "use crate::{address::{Address, Key as K}, sys};",
        ),
        ("src/wait.rs", "use laneway_cli::main;"),
        ("src/wait.rs", "use crate::nowhere::Thing;"),
        ("src/brand_new.rs", "use crate::Address;"),
    ];
    for (path, code) in bad {
        let wrong = verdict(path, code);
        assert_eq!(wrong.len(), 1, "{path}: {code}: {wrong:?}");
    }
}

#[test]
fn an_allowed_import_is_not_reported() {
    let good = [
        ("src/error.rs", "use crate::{Address, address::Key};"),
        (
            "src/transport/fifo.rs",
            "use crate::{Address, Driver, transport::family::{self, stream::{A, B as C}}};",
        ),
        (
            "src/transport/family/stream.rs",
            "use super::pipe_options::X;",
        ),
        (
            "src/transport/mod.rs",
            "use crate::Driver; use crate::transport::Pipe;",
        ),
        ("src/registry.rs", "use crate::transport;"),
        (
            "src/ring/locked.rs",
            "// crate::sys is not for us\nuse crate::sync::Ordering; let s = \"crate::sys::x\";",
        ),
        (
            "src/process/give.rs",
            "crate::channel::<u8>(); my_crate::shm::x();",
        ),
        (
            "src/wait.rs",
            "use crate::sync::*;\n#[cfg(test)]\nmod tests {\n use crate::transport::Pipe; }",
        ),
    ];
    for (path, code) in good {
        assert_eq!(verdict(path, code), [""; 0], "{path}: {code}");
    }
}
