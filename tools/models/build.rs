//! Takes the library's own files, so that what is modelled is what runs: nothing is copied by hand.
//!
//! Each ordering that could be weaker gets a number, by which a mutant weakens it at run time: see `sync::at`. A few lines are
//! changed, all of them in `CHANGES`: loops that only pass time, a static that loom cannot make, names that a model needs. Test
//! modules are left out, and so are the moments at which tools/crash kills, which do nothing here.

use std::{env, fmt::Write as _, fs, path::PathBuf};

/// The files, and the module that each becomes.
const FILES: &[&str] = &[
    "deadline.rs",
    "lock.rs",
    "robust.rs",
    "wait.rs",
    "ring/copy.rs",
    "ring/locked.rs",
    "ring/mpmc.rs",
    "ring/pace.rs",
    "ring/record.rs",
    "ring/spsc.rs",
    "ring/state.rs",
];

/// What is another text here: file, how it reads there, how it reads here.
const CHANGES: &[(&str, &str, &str)] = &[
    // Time passes by itself.
    (
        "robust.rs",
        "std::hint::spin_loop()",
        "crate::sync::make_way()",
    ),
    (
        "robust.rs",
        "std::thread::yield_now()",
        "crate::sync::make_way()",
    ),
    (
        "robust.rs",
        "const PAUSES: [u32; 2] = [64, 1024];",
        "const PAUSES: [u32; 2] = [1, 1];",
    ),
    (
        "robust.rs",
        "const YIELDS: u32 = 4;",
        "const YIELDS: u32 = 0;",
    ),
    ("ring/mpmc.rs", "std::hint::spin_loop();", ""),
    ("wait.rs", "hint::spin_loop", "crate::sync::make_way"),
    ("wait.rs", "std::thread::yield_now", "crate::sync::make_way"),
    // What a wake-up costs is a number of its own, and of no interest here.
    (
        "wait.rs",
        "static WAKE_UP: AtomicU32 = AtomicU32::new(25_000);",
        "static WAKE_UP: crate::sync::Idle<u32> = crate::sync::Idle::NEW;",
    ),
    (
        "wait.rs",
        "rung: AtomicU64,",
        "rung: crate::sync::Idle<u64>,",
    ),
    // Reached by a model.
    ("wait.rs", "    fn sleep<T>(", "    pub(crate) fn sleep<T>("),
    (
        "ring/mpmc.rs",
        "    fn change(",
        "    pub(super) fn change(",
    ),
];

/// What is added to a file: what is made of zeroes there.
const ADDITIONS: &[(&str, &str)] = &[
    (
        "wait.rs",
        "impl Event { pub(crate) fn zero() -> Self { Self { word: AtomicU32::new(0), flag: AtomicU32::new(0), rung: crate::sync::Idle::NEW } } }",
    ),
    (
        "robust.rs",
        "impl RobustLock { pub(crate) fn zero() -> Self { Self(AtomicU32::new(0)) } }",
    ),
];

/// What may stand in place of an ordering.
fn weaker(ordering: &str) -> &'static [&'static str] {
    match ordering {
        "Acquire" | "Release" => &["Relaxed"],
        "AcqRel" => &["Acquire", "Release"],
        // A fence.
        "SeqCst" => &["Relaxed"],
        _ => &[],
    }
}

/// The table of sites, as it grows.
#[derive(Default)]
struct Sites {
    count: usize,
    table: String,
}

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    // Another checkout's, to try what is not merged yet.
    println!("cargo::rerun-if-env-changed=LANEWAY_SOURCES");
    let sources = env::var_os("LANEWAY_SOURCES").map_or(manifest.join("../../src"), PathBuf::from);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut sites = Sites::default();
    for file in FILES {
        let path = sources.join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path).expect("a file of the library");
        let text = translate(file, &text, &mut sites);
        fs::write(out.join(file.replace('/', "_")), text).expect("writes");
    }
    let table = format!(
        "/// Every one.\npub const SITES: [Site; {}] = [\n{}];\n",
        sites.count, sites.table
    );
    fs::write(out.join("sites.rs"), table).expect("writes");
}

fn translate(file: &str, text: &str, sites: &mut Sites) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let mut changed = text.to_owned();
    for (_, from, to) in CHANGES.iter().filter(|(name, ..)| *name == file) {
        assert!(
            changed.contains(from),
            "{file}: `{from}` is gone; see CHANGES"
        );
        changed = changed.replace(from, to);
    }
    let mut function = "";
    let mut done = String::new();
    for (number, line) in changed.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("///")
            || code.starts_with("//!")
            || code.starts_with("crash::reach(")
            || code.starts_with("crash::{")
        {
            done.push('\n');
            continue;
        }
        if let Some((_, rest)) = code.split_once("fn ") {
            function = rest.split(['(', '<']).next().unwrap_or_default();
        }
        let line = name_steps(line);
        mark(&line, file, number + 1, function, sites, &mut done);
    }
    for (_, addition) in ADDITIONS.iter().filter(|(name, _)| *name == file) {
        done.push_str(addition);
    }
    done
}

/// Whether a step is left out is asked here by its name.
fn name_steps(line: &str) -> String {
    let Some((before, rest)) = line.split_once("crash::is_left_out(") else {
        return line.to_owned();
    };
    let (step, after) = rest.split_once(')').unwrap_or((rest, ""));
    format!("{before}crate::is_left_out({step:?}){after}")
}

/// Numbers each ordering of a line that could be weaker.
fn mark(
    line: &str,
    file: &str,
    number: usize,
    function: &str,
    sites: &mut Sites,
    done: &mut String,
) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("Ordering::") {
        let word = after
            .split(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or_default();
        done.push_str(before);
        let weaker = weaker(word);
        if weaker.is_empty() {
            write!(done, "Ordering::{word}").expect("a string");
        } else {
            let id = sites.count;
            write!(done, "crate::sync::at({id}, Ordering::{word})").expect("a string");
            let weaker: String = weaker.iter().map(|w| format!("Ordering::{w}, ")).collect();
            writeln!(
                sites.table,
                "Site {{ file: {file:?}, line: {number}, function: {function:?}, code: {:?}, was: Ordering::{word}, weaker: &[{weaker}] }},",
                line.trim()
            )
            .expect("a string");
            sites.count += 1;
        }
        rest = after.get(word.len()..).unwrap_or_default();
    }
    done.push_str(rest);
    done.push('\n');
}
