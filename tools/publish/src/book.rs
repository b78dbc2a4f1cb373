//! The book in docs/, as mdBook makes it.
//!
//! tools/book has its snippets run and its links followed, with the other tests.

use std::path::Path;

use mdbook_driver::MDBook;

/// Builds it, and tells what is not there then.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let book = MDBook::load(root.join("docs"))?;
    book.build()?;
    let to = root.join("target/book");
    let mut wrong = Vec::new();
    let mut pages = 0;
    for chapter in book.book.chapters() {
        let Some(path) = &chapter.path else { continue };
        let html = to.join(path.with_extension("html"));
        pages += 1;
        if !html.is_file() {
            wrong.push(format!("{} was not written", html.display()));
        }
    }
    if pages == 0 {
        wrong.push("docs/SUMMARY.md names no page".to_owned());
    }
    Ok(wrong)
}
