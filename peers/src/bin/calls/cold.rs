//! Which functions a hot one may call: those that the library says are cold, and those that panic or clean up behind an error.

use std::{fs, io, path::Path};

/// The functions that are marked `#[cold]`, by module and name.
#[derive(Debug)]
pub(crate) struct Cold(Vec<(String, String)>);

impl Cold {
    /// Reads the sources of the library below `folder`.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let mut cold = Vec::new();
        walk(folder, "laneway", &mut cold)?;
        Ok(Self(cold))
    }

    /// Whether a function is one of them.
    pub(crate) fn has(&self, function: &str) -> bool {
        is_of_failure(function)
            || self.0.iter().any(|(module, name)| {
                let rest = function
                    .trim_start_matches('<')
                    .strip_prefix(module.as_str());
                rest.is_some_and(|rest| rest.starts_with("::") && last(rest) == name)
            })
    }
}

/// Panics, unwinding (which gives a lock back), and the end of an error: tests/allocation.rs sees to it that nothing else is freed.
fn is_of_failure(function: &str) -> bool {
    let starts = |starts: &[&str]| starts.iter().any(|start| function.starts_with(start));
    let has = |words: &[&str]| words.iter().any(|word| function.contains(word));
    starts(&["_Unwind_Resume", "__rustc::__rust_dealloc"])
        || starts(&["core::ptr::drop_in_place"]) && has(&["Error", "Section"])
        || starts(&["core::", "alloc::", "std::", "<core::"]) && has(&["panic", "fail", "abort"])
}

/// The last word of a path, without what generics stand for.
fn last(path: &str) -> &str {
    let path = path.split("::<").next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

fn walk(folder: &Path, module: &str, cold: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let inner = match stem {
            "mod" | "lib" => module.to_owned(),
            stem => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            walk(&path, &inner, cold)?;
        } else {
            marked(&fs::read_to_string(&path)?, &inner, cold);
        }
    }
    Ok(())
}

/// The first function behind each mark.
fn marked(text: &str, module: &str, cold: &mut Vec<(String, String)>) {
    let mut awaited = false;
    for line in text.lines().map(str::trim) {
        awaited |= line == "#[cold]";
        let name = line.split_once("fn ").map(|(_, rest)| rest);
        let name = name.and_then(|rest| rest.split(['(', '<']).next());
        if let Some(name) = name.filter(|_| awaited) {
            cold.push((module.to_owned(), name.to_owned()));
            awaited = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_for_the_next_function_alone() {
        let text = "#[cold]\n#[inline(never)]\npub(crate) fn wait<T>(x: T) {}\nfn go() {}";
        let mut cold = Vec::new();
        marked(text, "laneway::ring::x", &mut cold);
        let cold = Cold(cold);
        assert!(cold.has("laneway::ring::x::Ring::wait::<u8>"));
        assert!(cold.has("<laneway::ring::x::Ring>::wait"));
        assert!(!cold.has("laneway::ring::x::Ring::go"));
        assert!(!cold.has("laneway::ring::y::Ring::wait"));
        assert!(cold.has("core::panicking::panic_fmt"));
        assert!(cold.has("core::ptr::drop_in_place::<std::io::error::Error>"));
        assert!(!cold.has("core::ptr::drop_in_place::<alloc::vec::Vec<u8>>"));
        assert!(!cold.has("memcpy"));
    }
}
