//! Rust source as lines of code without comments and texts, and the comments beside them.

use std::{fs, path::Path};

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Without comments, and with nothing between the quotes of texts.
    pub(crate) code: String,
    /// What the comment on it says.
    pub(crate) comment: String,
}

/// A file, up to its tests.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// From the root of the package.
    pub(crate) path: String,
    /// Its lines.
    pub(crate) lines: Vec<Line>,
}

impl Source {
    /// Takes `text` apart.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut lines = split(text);
        let tests = lines.windows(2).position(|pair| match pair {
            [first, second] => {
                first.code.trim() == "#[cfg(test)]" && second.code.starts_with("mod ")
            }
            _ => false,
        });
        lines.truncate(tests.unwrap_or(lines.len()));
        Self {
            path: path.to_owned(),
            lines,
        }
    }

    /// All code, for rules that span lines.
    pub(crate) fn code(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.code.as_str()).collect();
        lines.join("\n")
    }

    /// The module that the file holds, as in `["transport", "pipe"]`; empty for the root.
    pub(crate) fn module(&self) -> Vec<String> {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
            parts.pop();
        }
        parts
    }
}

/// Every file below `folder`, which is named from the root of the package.
pub(crate) fn all(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(folder, &mut found);
    assert!(!found.is_empty(), "no source in {folder}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The text of a file, named from the root of the package.
pub(crate) fn read(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(full).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn walk(folder: &str, found: &mut Vec<Source>) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    for entry in fs::read_dir(full).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("plain names");
        let path = format!("{folder}/{name}");
        if entry.file_type().expect("a type").is_dir() {
            walk(&path, found);
        } else if name.ends_with(".rs") {
            found.push(Source::parse(&path, &read(&path)));
        }
    }
}

/// Where the scanner is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    LineComment,
    /// How deep.
    BlockComment(usize),
    Text,
    /// How many `#`.
    RawText(usize),
}

fn split(text: &str) -> Vec<Line> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut lines = vec![Line::default()];
    let mut inside = Inside::Code;
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        if c == '\n' {
            if inside == Inside::LineComment {
                inside = Inside::Code;
            }
            lines.push(Line::default());
            i += 1;
            continue;
        }
        let line = lines.last_mut().expect("never empty");
        let mut width = 1;
        match inside {
            Inside::Code if c == '/' && at(i + 1) == '/' => {
                inside = Inside::LineComment;
                width = 2;
            }
            Inside::Code if c == '/' && at(i + 1) == '*' => {
                inside = Inside::BlockComment(1);
                width = 2;
            }
            Inside::Code if c == '"' => {
                let before = line.code.trim_end_matches('#');
                let raw = before.ends_with('r') || before.ends_with("br");
                let hashes = line.code.len() - before.len();
                inside = if raw {
                    Inside::RawText(hashes)
                } else {
                    Inside::Text
                };
                line.code.push('"');
            }
            // A character; a lifetime has no second quote.
            Inside::Code if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') => {
                let skip = if at(i + 1) == '\\' { 3 } else { 2 };
                let close = (i + skip..chars.len()).find(|&j| at(j) == '\'');
                width = close.map_or(1, |close| close + 1 - i);
                line.code.push_str("' '");
            }
            Inside::Code => line.code.push(c),
            Inside::LineComment => line.comment.push(c),
            Inside::BlockComment(depth) if c == '*' && at(i + 1) == '/' => {
                width = 2;
                inside = match depth {
                    1 => Inside::Code,
                    _ => Inside::BlockComment(depth - 1),
                };
            }
            Inside::BlockComment(depth) if c == '/' && at(i + 1) == '*' => {
                width = 2;
                inside = Inside::BlockComment(depth + 1);
            }
            Inside::BlockComment(_) => line.comment.push(c),
            // An escaped line break is left to be counted.
            Inside::Text if c == '\\' => width = if at(i + 1) == '\n' { 1 } else { 2 },
            Inside::Text if c == '"' => {
                inside = Inside::Code;
                line.code.push('"');
            }
            Inside::RawText(hashes) if c == '"' && (1..=hashes).all(|n| at(i + n) == '#') => {
                inside = Inside::Code;
                width = 1 + hashes;
                line.code.push('"');
            }
            Inside::Text | Inside::RawText(_) => {}
        }
        i += width;
    }
    lines
}

#[test]
fn comments_texts_and_tests_are_told_from_code() {
    let text = r##"
let a = "unsafe { // no"; // SAFETY: yes
let b = r#"crate::x "quoted" "#; /* one /* two */ still */ let c = '"';
fn f<'a>(x: &'a str) -> char { '\'' } // end
let d = "two \
lines"; call();
#[cfg(test)]
mod tests { crate::y }
"##;
    let source = Source::parse("src/a/mod.rs", text);
    let codes: Vec<&str> = source.lines.iter().map(|line| line.code.trim()).collect();
    assert_eq!(
        codes,
        [
            "",
            "let a = \"\";",
            "let b = r#\"\";  let c = ' ';",
            "fn f<'a>(x: &'a str) -> char { ' ' }",
            "let d = \"",
            "\"; call();",
        ]
    );
    let comments: Vec<&str> = source
        .lines
        .iter()
        .map(|line| line.comment.trim())
        .collect();
    assert_eq!(
        comments,
        ["", "SAFETY: yes", "one  two  still", "end", "", ""]
    );
    assert_eq!(source.module(), ["a"]);
}
