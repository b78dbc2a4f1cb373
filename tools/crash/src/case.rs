//! What is tried: each transport of the registry, with and without a name, in each mode that differs in what a death does.

use laneway::{Address, BoxChannel, Channel, Driver, Fan, Registry};

/// What a transport promises of a message that a receiver had taken when it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is received again.
    Again,
    /// It is lost.
    Lost,
}

/// A transport, as it is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    driver: Driver,
    pub(crate) named: bool,
    /// Keys and values of its address.
    keys: &'static str,
}

/// The variants of the registry that differ in what a death does. How an end waits is left to chance in each round; raw_sync's lock
/// is documented to survive nothing.
fn is_case(variant: &str) -> bool {
    !variant.contains("wait=") && !variant.contains("lock=")
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for &driver in Registry::BUILTIN.drivers() {
        for &keys in driver.variants().iter().filter(|keys| is_case(keys)) {
            let can = Case {
                driver,
                named: true,
                keys,
            }
            .capabilities();
            // Nobody takes a message of a broadcast from another: tests/broadcast kills there.
            if !can.is_some_and(|can| can.gives_each_once()) {
                continue;
            }
            for named in [false, true] {
                // What waits for a receiver in its sockets goes with it, and a stream that was handed over may be out of step: the promises
                // that are held here are others. tests/passing kills there.
                if driver.scheme().starts_with("unix+")
                    && (named || driver.scheme() != "unix+seqpacket")
                {
                    continue;
                }
                if can.is_some_and(|can| if named { can.named } else { can.anonymous }) {
                    cases.push(Case {
                        driver,
                        named,
                        keys,
                    });
                }
            }
        }
    }
    cases
}

impl Case {
    /// How it is called: its address without what is different each time.
    pub(crate) fn name(&self) -> String {
        let name = if self.named { "NAME" } else { "" };
        let mark = if self.keys.is_empty() { "" } else { "?" };
        format!("{}:{name}{mark}{}", self.driver.scheme(), self.keys)
    }

    pub(crate) fn scheme(&self) -> &'static str {
        self.driver.scheme()
    }

    fn capabilities(&self) -> Option<laneway::Capabilities> {
        // What a name allows differs from what none allows in being named only, so either will do.
        let name = self.driver.example_name("x").unwrap_or_default();
        Some(self.channel(&name, &[]).capabilities())
    }

    /// Whether many may send and many receive.
    pub(crate) fn is_shared(&self) -> bool {
        self.capabilities()
            .is_some_and(|can| can.senders == Fan::Many && can.receivers == Fan::Many)
    }

    pub(crate) fn taken(&self) -> Taken {
        match self.driver.scheme() {
            "shm+spsc" | "shm+mpmc" => Taken::Again,
            _ => Taken::Lost,
        }
    }

    /// Whether a death between two reads or writes of one frame cuts it: docs/design.md, on reads of messages of unknown length.
    pub(crate) fn may_be_torn(&self) -> bool {
        matches!(self.driver.scheme(), "pipe" | "fifo" | "unix+stream")
            && !self.keys.contains("packet")
    }

    /// Whether a sleeper looks on a timer, so that nobody needs to wake it.
    pub(crate) fn looks_by_itself(&self) -> bool {
        self.keys.contains("untrusted")
    }

    pub(crate) fn is_packet(&self) -> bool {
        self.keys.contains("packet")
    }

    /// Whether its ends wait in shared memory, and take `wait=`.
    pub(crate) fn waits(&self) -> bool {
        self.driver.keys().iter().any(|key| key.name == "wait")
    }

    /// Whether its address takes this key.
    pub(crate) fn takes(&self, key: &str) -> bool {
        self.driver.keys().iter().any(|known| known.name == key)
    }

    /// The name of a channel that nobody else has; empty if it is without one.
    pub(crate) fn unique_name(&self, word: &str) -> String {
        let name = self.driver.example_name(word);
        name.filter(|_| self.named).unwrap_or_default()
    }

    /// The channel of this name with these keys besides its own.
    pub(crate) fn channel(&self, name: &str, keys: &[(&str, String)]) -> BoxChannel {
        let mut address = Address::new(self.driver.scheme(), name).expect("a good name");
        for pair in self.keys.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').expect("key=value");
            address = address.with(key, value);
        }
        for (key, value) in keys {
            address = address.with(key, value);
        }
        self.driver.channel(&address).expect("a good address")
    }
}
