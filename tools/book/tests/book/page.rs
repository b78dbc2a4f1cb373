//! A page, as its writer sees it.

use std::path::PathBuf;

/// A page of Markdown.
#[derive(Debug)]
pub(crate) struct Page {
    /// Where it lies, below docs/.
    pub(crate) path: PathBuf,
    text: String,
}

/// A block of code between two fences.
#[derive(Debug)]
pub(crate) struct Snippet {
    /// The line of the first fence, from 1.
    pub(crate) line: usize,
    /// What stands behind the first fence: `rust,no_run`.
    pub(crate) language: String,
    /// What stands between the fences.
    pub(crate) code: String,
}

impl Page {
    /// The page at `path` with this text.
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        Self { path, text }
    }

    /// Its blocks of code.
    pub(crate) fn snippets(&self) -> Vec<Snippet> {
        let mut snippets = Vec::new();
        let mut open: Option<Snippet> = None;
        for (number, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open.take()) {
                (None, None) => {}
                (None, Some(mut snippet)) => {
                    snippet.code.push_str(line);
                    snippet.code.push('\n');
                    open = Some(snippet);
                }
                (Some(language), None) => {
                    open = Some(Snippet {
                        line: number + 1,
                        language: language.to_owned(),
                        code: String::new(),
                    });
                }
                (Some(_), Some(snippet)) => snippets.push(snippet),
            }
        }
        snippets
    }

    /// Its headings, as the names that links give them.
    pub(crate) fn headings(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.iter().filter(|(_, line)| line.starts_with('#'));
        headings
            .map(|(_, line)| {
                let words = line.trim_start_matches('#').trim().to_lowercase();
                let kept = words
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                kept.map(|c| if c == ' ' { '-' } else { c }).collect()
            })
            .collect()
    }

    /// Where its links and pictures lead, with their lines from 1.
    pub(crate) fn links(&self) -> Vec<(usize, &str)> {
        let mut links = Vec::new();
        for (number, line) in self.prose() {
            let behind = line.split("](").skip(1);
            links.extend(behind.filter_map(|rest| Some((number, rest.split_once(')')?.0))));
        }
        links
    }

    /// Its lines outside of code, with their numbers from 1.
    fn prose(&self) -> Vec<(usize, &str)> {
        let mut is_code = false;
        let lines = self.text.lines().enumerate().filter(move |(_, line)| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        });
        lines.map(|(number, line)| (number + 1, line)).collect()
    }
}
