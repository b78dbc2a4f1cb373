//! Names for channels that nobody else uses, and that are cleaned whatever happens.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use laneway::{Address, Channel, Driver, Registry};

use crate::running::Running;

/// A channel that does not exist yet. Removed when dropped.
pub(crate) struct Place {
    pub(crate) address: String,
    name: OsString,
    /// In the name, and nobody else's.
    word: String,
}

/// Whether what is sent waits for a receiver.
fn waits(driver: &&Driver) -> bool {
    driver
        .capabilities()
        .is_some_and(|can| can.gives_each_once())
}

impl Place {
    /// One for every transport that has names.
    pub(crate) fn plain() -> Vec<Self> {
        let drivers = Registry::BUILTIN.drivers().iter().filter(waits);
        drivers.filter_map(|driver| Self::of(driver, "")).collect()
    }

    /// One for every spelling of every transport that has names.
    pub(crate) fn spelled() -> Vec<Self> {
        let drivers = Registry::BUILTIN.drivers().iter().filter(waits);
        let places = drivers.flat_map(|driver| {
            let variants = driver.variants().iter();
            variants.filter_map(|variant| Self::of(driver, variant))
        });
        places.collect()
    }

    /// One at this transport.
    pub(crate) fn at(scheme: &str) -> Self {
        let mut places = Self::plain();
        places.retain(|place| place.address.starts_with(&format!("{scheme}:")));
        places.pop().expect("registered, and has names")
    }

    /// One whose sender waits for nobody.
    pub(crate) fn broadcast() -> Self {
        let mut drivers = Registry::BUILTIN.drivers().iter();
        let driver = drivers.find(|driver| driver.scheme() == "shm+broadcast");
        let place = driver.and_then(|driver| Self::of(driver, ""));
        place.expect("registered, and has names")
    }

    fn of(driver: &Driver, variant: &str) -> Option<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);

        // ORDERING: Relaxed; only different numbers are wanted.
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let word = format!("laneway-cli-{}-{number}", process::id());
        let address = Address::new(driver.scheme(), driver.example_name(&word)?);
        let address = address.expect("a good example");
        let mark = if variant.is_empty() { "" } else { "?" };
        Some(Self {
            name: address.name().to_owned(),
            address: format!("{address}{mark}{variant}"),
            word,
        })
    }

    /// The longest message at this address.
    pub(crate) fn max_message(&self) -> usize {
        use laneway::Endpoint;

        let channel = laneway::channel(&self.address).expect("a good address");
        channel.sender().expect("opens").limits().max_message
    }

    /// Starts `laneway` with this address.
    pub(crate) fn start(&self, verb: &str, options: &[&str]) -> Running {
        let mut arguments = vec![verb, &self.address];
        arguments.extend(options);
        Running::start(&arguments)
    }

    /// Starts both sides, the second once the first has made the channel; gives sender and receiver.
    pub(crate) fn start_both(&self, sender_first: bool, options: &[&str]) -> (Running, Running) {
        let order = if sender_first {
            ["send", "recv"]
        } else {
            ["recv", "send"]
        };
        let [first, second] = order.map(|verb| {
            let running = self.start(verb, options);
            running.until(|| self.exists() || !self.is_made_by(verb));
            running
        });
        if sender_first {
            (first, second)
        } else {
            (second, first)
        }
    }

    /// Whether whoever comes first by this verb makes something: a sender over sockets waits until somebody listens.
    pub(crate) fn is_made_by(&self, verb: &str) -> bool {
        let channel = laneway::channel(&self.address).expect("a good address");
        verb != "send" || channel.capabilities().holds_early
    }

    /// Whether anything is at this place.
    pub(crate) fn exists(&self) -> bool {
        !self.files().is_empty()
    }

    /// Every file that belongs to the channel.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let path = Path::new(&self.name);
        if path.is_absolute() && path.symlink_metadata().is_ok() {
            found.push(path.to_owned());
        }
        for entry in fs::read_dir("/dev/shm").expect("is there").flatten() {
            if entry.file_name().to_string_lossy().contains(&self.word) {
                found.push(entry.path());
            }
        }
        found
    }

    /// The segment of a ring.
    pub(crate) fn segment(&self) -> PathBuf {
        let mut files = self.files();
        files.pop().expect("is there")
    }

    /// The System V key of the path, if there is a queue with it.
    pub(crate) fn queue(&self) -> Option<i32> {
        let file = fs::metadata(&self.name).ok()?;
        let word = 1 << 24 | (file.dev() & 0xff) << 16 | file.ino() & 0xffff;
        let key = i32::try_from(word).expect("31 bits");
        has_queue(key).then_some(key)
    }

    /// Asserts that the last one out removed the name.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        assert_eq!(self.files(), Vec::<PathBuf>::new(), "{}", self.address);
    }
}

/// Whether the kernel has a message queue with this key.
pub(crate) fn has_queue(key: i32) -> bool {
    let queues = fs::read_to_string("/proc/sysvipc/msg").expect("is there");
    let mut keys = queues
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    keys.any(|found| found.parse() == Ok(key))
}

impl Drop for Place {
    fn drop(&mut self) {
        let channel = laneway::channel(&self.address).expect("a good address");
        match channel.unlink() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                // Without a panic: a test may be failing already, and tells why.
                let _ = fs::remove_file(&self.name);
            }
            _ => {}
        }
    }
}
