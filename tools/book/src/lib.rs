//! Has the Rust that the pages of the book show compiled and run, as documentation tests.
//!
//! `tests/book.rs` sees to it that each page is in the book, that each link leads somewhere, and that no page with a snippet is
//! forgotten here. What pages show of the shell is run by `cli/tests/book.rs`. tools/publish builds the book.

/// Has the Rust of these pages, below docs/, compiled and run.
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
    r#async: "async.md",
    from_crossbeam: "from-crossbeam.md",
    from_iceoryx2: "from-iceoryx2.md",
    from_ipc_channel: "from-ipc-channel.md",
    from_python: "from-python.md",
    inside: "inside.md",
    tour: "tour.md",
    transports_fifo: "transports/fifo.md",
    transports_pipe: "transports/pipe.md",
    transports_shm_broadcast: "transports/shm-broadcast.md",
    transports_shm_lock: "transports/shm-lock.md",
    transports_shm_mpmc: "transports/shm-mpmc.md",
    transports_shm_spsc: "transports/shm-spsc.md",
    transports_sysv: "transports/sysv.md",
    transports_unix: "transports/unix.md",
    tuning: "tuning.md",
}
