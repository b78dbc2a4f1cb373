//! Looks at compiled code: which calls stand in the hot functions, and how many run for a message. See tools/codegen.
//!
//! `calls` looks at its own hot functions, and fails if one calls what is not cold.
//! `calls PROGRAM SHORT LONG MESSAGES MOST` tells what a message takes, from two of callgrind's files of runs of PROGRAM that differ by
//! so many messages, and fails if it takes more than MOST indirect calls.

mod cold;
mod hot;
mod listing;
mod profile;

use std::{collections::BTreeSet, env, fs, path::Path, process::ExitCode};

use cold::Cold;
use listing::{Function, Listing, Target};
use profile::Profile;

/// What a function is allowed besides cold calls, and why.
const ALLOWED: &[(&str, &[&str], &str)] = &[
    (
        "try_recv_64",
        &["memcpy"],
        "only the message knows its length",
    ),
    (
        "lock::drain_64",
        &["memcpy"],
        "only the message knows its length",
    ),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match args.as_slice() {
        [] => check(),
        [program, short, long, messages, most] => count(program, [short, long], messages, most),
        _ => Err("calls [PROGRAM SHORT LONG MESSAGES MOST]".to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("calls: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints every call in the hot functions, and tells whether all are as they may be.
fn check() -> Result<bool, String> {
    hot::run()?;
    let program = env::current_exe().map_err(|e| e.to_string())?;
    let listing = Listing::of(&program)?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let cold = Cold::of(&sources).map_err(|e| format!("{}: {e}", sources.display()))?;
    let mut good = true;
    for module in ["spsc", "lock", "mpmc"] {
        for name in ["try_send_64", "try_recv_64", "drain_64"] {
            let mut report = Report::new(&listing, &cold, format!("{module}::{name}"));
            let function = report.hot()?;
            report.calls(function, 1);
            good &= report.findings == 0;
        }
    }
    // One call of the vtable is what a boxed end may cost, and nothing else.
    for name in ["try_send_64", "try_recv_64", "drain_64"] {
        let report = Report::new(&listing, &cold, format!("boxed::{name}"));
        let calls = &report.hot()?.calls;
        let indirect = calls.iter().filter(|call| call.target == Target::Indirect);
        let others = calls.iter().any(|call| match &call.target {
            Target::Here(address) => !report.is_cold(*address),
            Target::Library(_) => true,
            Target::Indirect => false,
        });
        let indirect = indirect.count();
        let fine = indirect == 1 && !others;
        good &= fine;
        let verdict = if fine {
            ""
        } else {
            "   FINDING: one was to be expected"
        };
        println!(
            "{}\n    {indirect} through the vtable{verdict}",
            report.name
        );
    }
    Ok(good)
}

/// The calls of one hot function.
struct Report<'a> {
    listing: &'a Listing,
    cold: &'a Cold,
    name: String,
    /// What was looked into.
    seen: BTreeSet<u64>,
    findings: usize,
}

impl<'a> Report<'a> {
    fn new(listing: &'a Listing, cold: &'a Cold, name: String) -> Self {
        Self {
            listing,
            cold,
            name,
            seen: BTreeSet::new(),
            findings: 0,
        }
    }

    /// The function itself.
    fn hot(&self) -> Result<&'a Function, String> {
        let name = format!("calls::hot::{}", self.name);
        let found = self.listing.named(&name);
        found.ok_or_else(|| format!("{name} is not in the program"))
    }

    fn is_cold(&self, address: u64) -> bool {
        let function = self.listing.at(address);
        function.is_some_and(|function| self.cold.has(&function.name))
    }

    /// Prints the calls of `function`, and those of what it calls that is not cold.
    fn calls(&mut self, function: &Function, depth: usize) {
        let indent = "    ".repeat(depth);
        if depth == 1 {
            println!("{}", self.name);
        }
        for call in &function.calls {
            let at = call.at;
            match &call.target {
                Target::Here(address) if self.is_cold(*address) => {
                    let name = &self.listing.functions[address].name;
                    println!("{indent}{at:x}: cold      {name}");
                }
                Target::Here(address) => {
                    self.findings += 1;
                    let callee = self.listing.at(*address);
                    let name = callee.map_or("somewhere", |callee| &callee.name);
                    println!("{indent}{at:x}: FINDING   {name}");
                    // What a system's function calls is its own affair.
                    let ours = callee.filter(|callee| callee.name.contains("laneway::"));
                    if let Some(callee) = ours.filter(|_| self.seen.insert(*address)) {
                        self.calls(callee, depth + 1);
                    }
                }
                Target::Library(name) => match self.why_allowed(name) {
                    Some(why) => println!("{indent}{at:x}: allowed   {name}: {why}"),
                    None => {
                        self.findings += 1;
                        println!("{indent}{at:x}: FINDING   {name}");
                    }
                },
                Target::Indirect => {
                    self.findings += 1;
                    println!("{indent}{at:x}: FINDING   indirect");
                }
            }
        }
    }

    fn why_allowed(&self, callee: &str) -> Option<&'static str> {
        let mut rows = ALLOWED.iter();
        let row =
            rows.find(|(name, callees, _)| self.name.contains(name) && callees.contains(&callee));
        row.map(|(_, _, why)| *why)
    }
}

/// Prints instructions, calls and indirect calls for a message, and tells whether the last are few enough.
fn count(program: &str, runs: [&str; 2], messages: &str, most: &str) -> Result<bool, String> {
    let name = Path::new(program)
        .file_name()
        .and_then(|name| name.to_str());
    let name = format!("/{}", name.unwrap_or(program));
    let profile = |path: &str| {
        let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
        Profile::parse(&text, &name).ok_or_else(|| format!("{path}: not what callgrind writes"))
    };
    let [short, long] = [profile(runs[0])?, profile(runs[1])?];
    let messages: u32 = messages.parse().map_err(|_| "MESSAGES is a number")?;
    let most: f64 = most.parse().map_err(|_| "MOST is a number")?;
    let listing = Listing::of(Path::new(program))?;
    let (mut calls, mut indirect) = (0, 0);
    for call in listing.functions.values().flat_map(|f| &f.calls) {
        let times = long.at(call.at).saturating_sub(short.at(call.at));
        calls += times;
        if call.target == Target::Indirect {
            indirect += times;
        }
    }
    if calls == 0 {
        return Err(format!("{program} was not what ran"));
    }
    let each = |count: u64| count as f64 / f64::from(messages);
    let instructions = each(long.total.saturating_sub(short.total));
    let (calls, indirect) = (each(calls), each(indirect));
    // Half a percent is for what happens once in a while.
    let fine = indirect <= most * 1.005;
    let verdict = match fine {
        true => String::new(),
        false => format!("   FINDING: {most} at most"),
    };
    println!("{instructions:12.1} {calls:8.2} {indirect:8.2}{verdict}");
    Ok(fine)
}
