//! Compiles the wrapper of Boost's queue, if rivals are wanted and Boost is there.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_boost)");
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "rivals")]
    boost();
}

#[cfg(feature = "rivals")]
fn boost() {
    const WRAPPER: &str = "src/rivals/boost.cpp";
    // A path that is missing makes cargo look again at each build, so that an installation is noticed.
    println!("cargo::rerun-if-changed=/usr/include/boost/interprocess/ipc/message_queue.hpp");
    println!("cargo::rerun-if-changed={WRAPPER}");
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").file(WRAPPER).opt_level(3);
    // Preprocessing finds out whether the header and a compiler are there.
    if build.clone().cargo_metadata(false).try_expand().is_err() {
        return;
    }
    build.warnings(false).compile("laneway_peers_boost");
    println!("cargo::rustc-link-lib=rt");
    println!("cargo::rustc-cfg=has_boost");
}
