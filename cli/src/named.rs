//! The channel that a command line names, and that another command can find.

use laneway::{Address, BoxChannel, Channel, Driver, Registry};

use crate::exit::Failure;

/// What every ADDRESS looks like, for `--help`.
pub(crate) const FORM: &str =
    "SCHEME:NAME, as in fifo:/tmp/x or shm+lock:x?capacity=4MiB; see laneway list";

/// The channel at an address, which must have a name.
pub(crate) fn channel(text: &str) -> Result<BoxChannel, Failure> {
    let channel = reachable(text)?;
    match channel.capabilities().named {
        true => Ok(channel),
        false => Err(nameless(&channel.address())),
    }
}

/// The channel at an address, which must have a name if its transport has names.
pub(crate) fn reachable(text: &str) -> Result<BoxChannel, Failure> {
    let address: Address = text.parse().map_err(Failure::Address)?;
    let channel = Registry::BUILTIN
        .channel(&address)
        .map_err(Failure::Address)?;
    if channel.capabilities().named && address.is_anonymous() {
        return Err(nameless(&channel.address()));
    }
    Ok(channel)
}

/// What to say of a channel without a name, by its canonical address.
pub(crate) fn nameless(address: &Address) -> Failure {
    let mut drivers = Registry::BUILTIN.drivers().to_vec();
    // The same transport with a name is what was meant, if it has such.
    let is_same = |driver: &Driver| driver.scheme() == address.scheme();
    let has_names = |driver: &Driver| example(driver, "x").is_some();
    let is_named = drivers.iter().any(|one| is_same(one) && has_names(one));
    if is_named {
        drivers.retain(is_same);
    }
    let examples = drivers.iter().filter_map(|driver| example(driver, "x"));
    Failure::Nameless {
        address: address.clone(),
        examples: examples.collect(),
        is_pipe: !is_named,
    }
}

/// An address with a name made from a word, if the transport has such.
pub(crate) fn example(driver: &Driver, word: &str) -> Option<Address> {
    Address::new(driver.scheme(), driver.example_name(word)?).ok()
}
