//! Where `unsafe` lives, what stands above it and above an atomic access, and how long a file may be.

use crate::source::{self, Source};

/// The only folders with unsafe code, and the one file with functions that only their callers can use soundly.
const UNSAFE: &[&str] = &["src/sys/", "src/shm/", "src/ring/", FORK];
/// That file.
const FORK: &str = "src/process/fork.rs";
/// How many lines of code a file may have, not counting comments, blank lines and tests.
const LONGEST: usize = 400;
/// Files that are longer, and how long they may be until they are split.
const LONGER: &[(&str, usize)] = &[("src/conformance/threads.rs", 700)];

/// The words of a line of code.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// A place in a file, for people.
fn at(source: &Source, line: usize) -> String {
    format!("{}:{}", source.path, line + 1)
}

/// `unsafe` in a file where there may be none.
fn unsafe_elsewhere(source: &Source) -> Vec<String> {
    if UNSAFE.iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    let lines = source.lines.iter().enumerate();
    lines
        .filter(|(_, line)| words(&line.code).any(|word| word == "unsafe"))
        .map(|(n, _)| format!("{}: unsafe code outside {UNSAFE:?}", at(source, n)))
        .collect()
}

/// `unsafe` blocks and impls without their reason directly above.
fn unsafe_without_reason(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, line) in source.lines.iter().enumerate() {
        let code = line.code.split_whitespace().collect::<Vec<_>>().join(" ");
        if !code.contains("unsafe {") && !code.contains("unsafe impl") {
            continue;
        }
        let above = source.lines.iter().take(n).rev();
        let reasons =
            above.take_while(|line| line.code.trim().is_empty() && !line.comment.is_empty());
        if !reasons
            .into_iter()
            .any(|line| line.comment.contains("SAFETY:"))
        {
            wrong.push(format!(
                "{}: no SAFETY comment directly above",
                at(source, n)
            ));
        }
    }
    wrong
}

/// Orderings without their reason within the three lines above.
fn ordering_without_reason(source: &Source) -> Vec<String> {
    const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

    let mut wrong = Vec::new();
    for (n, line) in source.lines.iter().enumerate() {
        let names = |ordering| line.code.contains(&format!("Ordering::{ordering}"));
        if !ORDERINGS.into_iter().any(names) {
            continue;
        }
        let near = source.lines.iter().take(n).skip(n.saturating_sub(3));
        if !near
            .into_iter()
            .any(|line| line.comment.contains("ORDERING:"))
        {
            wrong.push(format!(
                "{}: no ORDERING comment within 3 lines above",
                at(source, n)
            ));
        }
    }
    wrong
}

/// Files that are too long, and exceptions that are not needed any more.
fn length(source: &Source, longer: &[(&str, usize)]) -> Option<String> {
    let code = |line: &&source::Line| !line.code.trim().is_empty();
    let lines = source.lines.iter().filter(code).count();
    let exception = longer.iter().find(|(path, _)| *path == source.path);
    match exception {
        None if lines > LONGEST => Some(format!(
            "{}: {lines} lines of code, {LONGEST} are the most; split it",
            source.path
        )),
        Some(&(_, most)) if lines > most => Some(format!(
            "{}: {lines} lines of code, {most} are the most for now; split it",
            source.path
        )),
        Some(_) if lines <= LONGEST => Some(format!(
            "{}: {lines} lines of code; take it off the list of longer files",
            source.path
        )),
        _ => None,
    }
}

/// Fails with all that `rule` finds.
fn enforce<I: IntoIterator<Item = String>>(rule: impl Fn(&Source) -> I) {
    let wrong: Vec<String> = source::all("src").iter().flat_map(rule).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_lives_in_three_folders_and_a_file() {
    enforce(unsafe_elsewhere);
    let lib = source::read("src/lib.rs");
    assert_eq!(lib.matches("allow(unsafe_code").count(), UNSAFE.len() - 1);
    for source in source::all("src").iter().filter(|s| s.path != "src/lib.rs") {
        let allowed = usize::from(source.path == "src/process/mod.rs");
        let count = source.code().matches("unsafe_code").count();
        assert_eq!(count, allowed, "{}", source.path);
    }
    let process = source::read("src/process/mod.rs");
    let (_, below) = process.split_once("unsafe_code").expect("counted");
    let next = below.lines().find(|line| line.contains("mod "));
    assert_eq!(next, Some("mod fork;"));
}

#[test]
fn every_unsafe_block_has_its_reason() {
    enforce(unsafe_without_reason);
}

#[test]
fn every_ordering_has_its_reason() {
    enforce(ordering_without_reason);
}

#[test]
fn no_file_is_too_long() {
    enforce(|source| length(source, LONGER));
    for (path, _) in LONGER {
        // An exception for a file that is gone is not needed either.
        source::read(path);
    }
}

/// What `rule` says about `code` in the file at `path`.
fn count(rule: impl Fn(&Source) -> Vec<String>, path: &str, code: &str) -> usize {
    rule(&Source::parse(path, code)).len()
}

#[test]
fn unsafe_elsewhere_is_reported() {
    let code = "fn f() { unsafe { g() } }";
    assert_eq!(count(unsafe_elsewhere, "src/transport/pipe.rs", code), 1);
    assert_eq!(
        count(unsafe_elsewhere, "src/wait.rs", "unsafe fn f() {}"),
        1
    );
    assert_eq!(count(unsafe_elsewhere, "src/sys/fd.rs", code), 0);
    let innocent = "#[allow(unsafe_code)] // unsafe\nlet s = \"unsafe\";";
    assert_eq!(count(unsafe_elsewhere, "src/lib.rs", innocent), 0);
}

#[test]
fn an_unsafe_block_without_a_reason_is_reported() {
    let bad = [
        "unsafe { f() }",
        "// Because.\nunsafe { f() }",
        "// SAFETY: by S1.\n\nunsafe { f() }",
        "// SAFETY: by S1.\nlet x = 1;\nlet y = unsafe { f() };",
        "unsafe impl Send for X {}",
        "// SAFETY: one.\nunsafe { f() };\nunsafe { g() };",
    ];
    for code in bad {
        assert_eq!(
            count(unsafe_without_reason, "src/sys/fd.rs", code),
            1,
            "{code}"
        );
    }
    let good = [
        "// SAFETY: by S1,\n// and more.\nlet x = unsafe { f() };",
        "// SAFETY: by S1.\nunsafe  impl Send for X {}",
        "unsafe extern \"C\" { fn f(); }",
    ];
    for code in good {
        assert_eq!(
            count(unsafe_without_reason, "src/sys/fd.rs", code),
            0,
            "{code}"
        );
    }
}

#[test]
fn an_ordering_without_a_reason_is_reported() {
    let bad = [
        "x.load(Ordering::Relaxed);",
        "// ORDERING: far.\n1;\n2;\n3;\nx.load(Ordering::Acquire);",
        "fence(Ordering::SeqCst); // ORDERING: beside is not above.",
    ];
    for code in bad {
        assert_eq!(
            count(ordering_without_reason, "src/wait.rs", code),
            1,
            "{code}"
        );
    }
    let good = [
        "// ORDERING: Relaxed; twice.\nx.load(Ordering::Relaxed);\ny.load(Ordering::Relaxed);",
        "a.cmp(b) == Ordering::Less",
        "#[cfg(test)]\nmod tests {\nx.load(Ordering::Relaxed); }",
    ];
    for code in good {
        assert_eq!(
            count(ordering_without_reason, "src/wait.rs", code),
            0,
            "{code}"
        );
    }
}

#[test]
fn a_long_file_is_reported() {
    let long = "f();\n// comment\n\n".repeat(LONGEST + 1);
    let short = "f();\n// comment\n\n".repeat(LONGEST);
    let told = |code: &str, longer| length(&Source::parse("src/a.rs", code), longer).is_some();
    assert!(told(&long, &[]));
    assert!(!told(&short, &[]));
    assert!(!told(&long, &[("src/a.rs", LONGEST + 1)]));
    assert!(told(&long, &[("src/b.rs", LONGEST + 1)]));
    assert!(told(&format!("{long}f();"), &[("src/a.rs", LONGEST + 1)]));
    assert!(told(&short, &[("src/a.rs", LONGEST + 1)]), "not needed");
}
