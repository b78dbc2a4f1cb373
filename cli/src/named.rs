//! The channel that a command line names, and that another command can find.

use laneway::{Address, BoxChannel, Channel, Driver, Registry};

use crate::exit::Failure;

/// What every ADDRESS looks like, for `--help`.
pub(crate) const FORM: &str =
    "SCHEME:NAME, as in fifo:/tmp/x or shm+lock:x?capacity=4MiB; see laneway list";

/// The channel at an address, which must have a name.
pub(crate) fn channel(text: &str) -> Result<BoxChannel, Failure> {
    let address: Address = text.parse().map_err(Failure::Address)?;
    let channel = Registry::BUILTIN
        .channel(&address)
        .map_err(Failure::Address)?;
    // Canonical: the scheme may have been an alias.
    let canonical = channel.address();
    let can_be_named = channel.capabilities().named;
    if can_be_named && !address.is_anonymous() {
        return Ok(channel);
    }
    let mut drivers = Registry::BUILTIN.drivers().to_vec();
    if can_be_named {
        // The same transport with a name is what was meant.
        drivers.retain(|driver| driver.scheme() == canonical.scheme());
    }
    let examples = drivers.iter().filter_map(|driver| example(driver, "x"));
    Err(Failure::Nameless {
        address,
        examples: examples.collect(),
    })
}

/// An address with a name made from a word, if the transport has such.
pub(crate) fn example(driver: &Driver, word: &str) -> Option<Address> {
    Address::new(driver.scheme(), driver.example_name(word)?).ok()
}
