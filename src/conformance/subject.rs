//! What is tested: channels of one variant of one transport, each under a name that nobody else has.

use std::{process, sync::Arc};

use crate::{
    Address, Capabilities, Channel, Delivery, Driver, Fan,
    sync::{AtomicU64, Ordering},
};

/// A case.
pub(super) type Case<C> = (&'static str, fn(&Subject<C>));

/// Makes channels to test.
pub(super) struct Subject<C> {
    scheme: &'static str,
    variant: &'static str,
    named: bool,
    /// `static` or `dyn`, for children.
    pub(super) how: &'static str,
    driver: Driver,
    open: Arc<dyn Fn(&Address) -> C + Send + Sync>,
}

impl<C> Clone for Subject<C> {
    fn clone(&self) -> Self {
        Self {
            open: Arc::clone(&self.open),
            ..*self
        }
    }
}

impl<C: Channel> Subject<C> {
    /// `None` if this variant does not come so.
    pub(super) fn new(
        driver: &Driver,
        how: &'static str,
        variant: &'static str,
        named: bool,
        open: impl Fn(&Address) -> C + Send + Sync + 'static,
    ) -> Option<Self> {
        let subject = Self {
            scheme: driver.scheme(),
            variant,
            named,
            how,
            driver: *driver,
            open: Arc::new(open),
        };
        let can = subject.channel().capabilities();
        (if named { can.named } else { can.anonymous }).then_some(subject)
    }

    /// A channel under a name of its own.
    pub(super) fn channel(&self) -> C {
        static COUNTER: AtomicU64 = AtomicU64::new(0);

        // ORDERING: Relaxed; only different numbers are wanted.
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let unique = format!("laneway-test.{}.{number}", process::id());
        let name = self.driver.example_name(&unique).filter(|_| self.named);
        let mut address = Address::new(self.scheme, name.unwrap_or_default()).expect("a good name");
        for pair in self.variant.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').expect("key=value");
            address = address.with(key, value);
        }
        (self.open)(&address)
    }

    /// Both ends of a new channel.
    pub(super) fn pair(&self) -> (C::Sender, C::Receiver) {
        self.channel().pair().expect("opens")
    }

    /// What it can do.
    pub(super) fn capabilities(&self) -> Capabilities {
        self.channel().capabilities()
    }

    /// Whether what was sent stays until one receiver has it, and a full channel holds its senders up.
    pub(super) fn gives_each_once(&self) -> bool {
        self.capabilities().gives_each_once()
    }

    /// Whether each receiver gets every message.
    pub(super) fn gives_to_each(&self) -> bool {
        self.capabilities().delivery == Delivery::Each
    }

    /// Whether many can use both ends.
    pub(super) fn is_many_to_many(&self) -> bool {
        let can = self.capabilities();
        can.senders == Fan::Many && can.receivers == Fan::Many
    }
}
