//! Builds the book in docs/, and has its Rust snippets compiled and run as documentation tests.
//!
//! `tests/book.rs` sees to it that each page is in the book, that each link leads somewhere, and that no page with a snippet is
//! forgotten here. What pages show of the shell is run by `cli/tests/book.rs`.

pub mod page;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use mdbook_driver::MDBook;

use page::Page;

/// Has the Rust of these pages compiled and run.
macro_rules! run_the_snippets_of {
    ($($name:ident: $page:literal,)*) => {
        /// The pages whose snippets are run, below docs/.
        pub const RUN: &[&str] = &[$($page),*];

        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../../docs/", $page))]
            mod $name {}
        )*
    };
}

run_the_snippets_of! {
    from_crossbeam: "from-crossbeam.md",
    from_iceoryx2: "from-iceoryx2.md",
    from_ipc_channel: "from-ipc-channel.md",
    from_python: "from-python.md",
    tour: "tour.md",
    transports_fifo: "transports/fifo.md",
    transports_pipe: "transports/pipe.md",
    transports_shm_lock: "transports/shm-lock.md",
    transports_shm_mpmc: "transports/shm-mpmc.md",
    transports_shm_spsc: "transports/shm-spsc.md",
    transports_sysv: "transports/sysv.md",
    tuning: "tuning.md",
}

/// The folder of the pages.
#[must_use]
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Builds the book into `to`, which is made.
///
/// # Errors
/// What mdBook says, and a page that SUMMARY.md names and that is not there.
pub fn build(to: &Path) -> anyhow::Result<()> {
    let mut book = MDBook::load(docs())?;
    to.clone_into(&mut book.config.build.build_dir);
    book.build()?;
    if !to.join("index.html").is_file() {
        bail!("mdBook wrote no index.html into {}", to.display());
    }
    Ok(())
}

/// The pages that SUMMARY.md names, in its order.
///
/// # Errors
/// A page that cannot be read.
pub fn pages() -> anyhow::Result<Vec<Page>> {
    let docs = docs();
    let summary = Page::new(
        "SUMMARY.md".into(),
        fs::read_to_string(docs.join("SUMMARY.md"))?,
    );
    let paths = summary
        .links()
        .into_iter()
        .map(|(_, link)| PathBuf::from(link));
    paths
        .map(|path| {
            let text = fs::read_to_string(docs.join(&path));
            let text = text.with_context(|| format!("SUMMARY.md names {}", path.display()))?;
            Ok(Page::new(path, text))
        })
        .collect()
}
