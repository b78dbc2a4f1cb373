//! Nothing of the book is forgotten, and nothing in it leads nowhere.

mod page;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use laneway_book::RUN;
use page::Page;

/// What stands behind a fence, and what becomes of it.
const LANGUAGES: &[(&str, &str)] = &[
    ("rust", "a documentation test"),
    ("sh", "cli/tests/book.rs"),
    (
        "text",
        "nothing: what a program prints, a drawing, or a command for another machine",
    ),
];

/// The folder of the pages.
fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The pages that SUMMARY.md names, in its order.
fn book() -> Vec<Page> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(docs().join(&path));
        let text = text.unwrap_or_else(|error| panic!("docs/{}: {error}", path.display()));
        Page::new(path, text)
    };
    let summary = read("SUMMARY.md".into());
    let links = summary.links();
    links
        .into_iter()
        .map(|(_, link)| read(link.into()))
        .collect()
}

/// The Markdown files below a folder.
fn markdown(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("lists") {
        let path = entry.expect("lists").path();
        if path.is_dir() {
            markdown(&path, into);
        } else if path.extension().is_some_and(|end| end == "md") {
            into.push(path);
        }
    }
}

#[test]
fn every_page_is_in_it() {
    let docs = docs();
    let named: BTreeSet<_> = book().iter().map(|page| docs.join(&page.path)).collect();
    let mut there = Vec::new();
    markdown(&docs, &mut there);
    there.retain(|path| !path.ends_with("SUMMARY.md") && !named.contains(path));
    assert!(there.is_empty(), "not in docs/SUMMARY.md: {there:?}");
}

#[test]
fn every_link_leads_somewhere() {
    let docs = docs();
    let mut wrong = Vec::new();
    for page in book() {
        let folder = docs.join(&page.path).parent().expect("a folder").to_owned();
        for (line, link) in page.links() {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                docs.join(&page.path)
            } else {
                folder.join(file)
            };
            let leads = match fs::read_to_string(&target) {
                Ok(text) if !heading.is_empty() => Page::new(target, text)
                    .headings()
                    .iter()
                    .any(|name| name == heading),
                Ok(_) => true,
                Err(_) => target.exists(),
            };
            // Nothing here may lead out of the tree, so a link to the web is wrong too.
            if !leads {
                wrong.push(format!("docs/{}:{line}: {link}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_snippet_is_run_or_is_text() {
    let mut wrong = Vec::new();
    let mut with_rust = BTreeSet::new();
    for page in book() {
        for snippet in page.snippets() {
            let language = snippet.language.split(',').next().unwrap_or_default();
            if language == "rust" {
                with_rust.insert(page.path.display().to_string());
            }
            let ignored = snippet.language.contains("ignore");
            let known = LANGUAGES.iter().any(|(known, _)| *known == language);
            if ignored || !known {
                let at = format!("docs/{}:{}", page.path.display(), snippet.line);
                wrong.push(format!(
                    "{at}: ```{} is not one of {LANGUAGES:?}",
                    snippet.language
                ));
            }
        }
    }
    let run: BTreeSet<_> = RUN.iter().map(|page| (*page).to_owned()).collect();
    assert_eq!(
        with_rust, run,
        "the pages with Rust, and those in src/lib.rs"
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
