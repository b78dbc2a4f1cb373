//! `laneway-book [FOLDER]`: builds the book, into target/book if no folder is given.

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
};

fn main() -> anyhow::Result<()> {
    let to = env::args_os().nth(1).map_or_else(
        || laneway_book::docs().join("../target/book"),
        PathBuf::from,
    );
    laneway_book::build(&to)?;
    writeln!(
        io::stdout(),
        "{}",
        to.join("index.html").canonicalize()?.display()
    )?;
    Ok(())
}
