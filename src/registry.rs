//! Transports by scheme, chosen at run time.

use std::borrow::Cow;

use crate::{
    Address, AddressError, AddressProblem, BoxChannel, Capabilities, Channel, Key, OpenError,
    transport,
};

/// A channel type that an address can name: all it takes to be a transport.
///
/// One file holds it, its sender and its receiver; `examples/custom_transport.rs` is one from outside.
pub trait Transport:
    Channel<Sender: 'static, Receiver: 'static>
    + for<'a> TryFrom<&'a Address, Error = AddressError>
    + 'static
{
    /// What stands before the colon.
    const SCHEME: &'static str;
    /// What else may stand there.
    const ALIASES: &'static [&'static str] = &[];
    /// What it is, in one line.
    const SUMMARY: &'static str;
    /// The keys its addresses take.
    const KEYS: &'static [Key];
    /// Spellings of its keys that are worth testing and measuring apart, as in `mode=packet`.
    const VARIANTS: &'static [&'static str] = &[""];
    /// A name to test and show it with, made from a unique word; `None` if it has no names.
    fn example_name(unique: &str) -> Option<String>;

    /// Whether this machine can do it at all.
    ///
    /// # Errors
    /// What stands in the way.
    fn probe() -> Result<(), OpenError> {
        Ok(())
    }
}

/// A row of the table of transports: a [`Transport`] as plain function pointers, in the manner of sqlx's `AnyDriver`.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    scheme: &'static str,
    aliases: &'static [&'static str],
    summary: &'static str,
    keys: &'static [Key],
    variants: &'static [&'static str],
    channel: fn(&Address) -> Result<BoxChannel, AddressError>,
    example_name: fn(&str) -> Option<String>,
    probe: fn() -> Result<(), OpenError>,
    #[cfg(feature = "conformance")]
    suite: crate::conformance::Suite,
}

impl Driver {
    /// The row of `T`.
    #[must_use]
    pub const fn of<T: Transport>() -> Self {
        Self {
            scheme: T::SCHEME,
            aliases: T::ALIASES,
            summary: T::SUMMARY,
            keys: T::KEYS,
            variants: T::VARIANTS,
            channel: |address| T::try_from(address).map(Channel::boxed),
            example_name: T::example_name,
            probe: T::probe,
            #[cfg(feature = "conformance")]
            suite: crate::conformance::Suite::of::<T>(),
        }
    }

    /// What stands before the colon.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// What else may stand there.
    #[must_use]
    pub const fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// What it is, in one line.
    #[must_use]
    pub const fn summary(&self) -> &'static str {
        self.summary
    }

    /// The keys its addresses take.
    #[must_use]
    pub const fn keys(&self) -> &'static [Key] {
        self.keys
    }

    /// Spellings of its keys that are worth testing and measuring apart; the empty one is first.
    #[must_use]
    pub const fn variants(&self) -> &'static [&'static str] {
        self.variants
    }

    /// The channel at `address`, not opened.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn channel(&self, address: &Address) -> Result<BoxChannel, AddressError> {
        if self.aliases.contains(&address.scheme()) {
            return (self.channel)(&address.clone().with_scheme(self.scheme));
        }
        (self.channel)(address)
    }

    fn has(&self, scheme: &str) -> bool {
        self.scheme == scheme || self.aliases.contains(&scheme)
    }

    /// A name for a channel that tests and measurements open, made from a word that nobody else uses.
    #[must_use]
    pub fn example_name(&self, unique: &str) -> Option<String> {
        (self.example_name)(unique)
    }

    /// What it can do at its defaults, named if it can be.
    #[must_use]
    pub fn capabilities(&self) -> Option<Capabilities> {
        let name = self.example_name("x").unwrap_or_default();
        let address = Address::new(self.scheme, name).ok()?;
        Some(self.channel(&address).ok()?.capabilities())
    }

    /// Whether this machine can do it at all.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn probe(&self) -> Result<(), OpenError> {
        (self.probe)()
    }

    /// The conformance suite, compiled for this transport's own types.
    #[cfg(feature = "conformance")]
    #[must_use]
    pub const fn suite(&self) -> &crate::conformance::Suite {
        &self.suite
    }
}

/// A table of transports. There is no global one to change: add yours with [`with`](Self::with).
#[derive(Clone, Debug)]
pub struct Registry {
    drivers: Cow<'static, [Driver]>,
}

impl Registry {
    /// The transports of this crate.
    pub const BUILTIN: Self = Self {
        drivers: Cow::Borrowed(transport::BUILTIN),
    };

    /// The same table with one row more, which takes precedence.
    #[must_use]
    pub fn with(mut self, driver: Driver) -> Self {
        self.drivers.to_mut().insert(0, driver);
        self
    }

    /// The rows.
    #[must_use]
    pub fn drivers(&self) -> &[Driver] {
        &self.drivers
    }

    /// The channel at `address`, not opened.
    ///
    /// # Errors
    /// What is wrong with the address; an unknown scheme names the known ones.
    pub fn channel(&self, address: &Address) -> Result<BoxChannel, AddressError> {
        let mut drivers = self.drivers.iter();
        match drivers.find(|driver| driver.has(address.scheme())) {
            Some(driver) => driver.channel(address),
            None => {
                let known = self.drivers.iter().map(Driver::scheme).collect();
                Err(address.error(0, AddressProblem::UnknownScheme(known)))
            }
        }
    }
}

/// The channel at `address`, not opened.
///
/// # Errors
/// What is wrong with the address.
///
/// ```
/// use laneway::{Channel, Receiver, Sender};
///
/// let (mut tx, mut rx) = laneway::channel("pipe:")?.pair()?;
/// tx.send(b"hello")?;
/// let mut buf = [0; 16];
/// let len = rx.recv(&mut buf)?;
/// assert_eq!(&buf[..len], b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn channel(address: &str) -> Result<BoxChannel, AddressError> {
    Registry::BUILTIN.channel(&address.parse()?)
}
