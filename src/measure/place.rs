//! Names that nobody else uses, for the channels that are measured.

use std::process;

use crate::{
    Address, Registry,
    sync::{AtomicU64, Ordering},
};

/// The same channel under a name of its own, or without one if its transport has no names.
///
/// Named wherever possible: what has a name can be removed after its users were killed.
pub(crate) fn unique(registry: &Registry, address: &Address) -> Address {
    static COUNTER: AtomicU64 = AtomicU64::new(0);

    // ORDERING: Relaxed; only different numbers are wanted.
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let word = format!("laneway-measure.{}.{number}", process::id());
    address.renamed(&name(registry, address, &word).unwrap_or_default())
}

/// The name that the transport of this address makes from a word, if it has names.
pub(crate) fn name(registry: &Registry, address: &Address, word: &str) -> Option<String> {
    let mut drivers = registry.drivers().iter();
    let driver = drivers.find(|driver| driver.scheme() == address.scheme())?;
    driver.example_name(word)
}
