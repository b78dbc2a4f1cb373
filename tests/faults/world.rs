//! A process of its own for each case and transport.

use std::{env, fs, os::fd::AsFd, process, time::Duration};

use laneway::{Address, BoxChannel, Capabilities, Channel, Deadline, Receiver, Registry};
use nix::{
    poll::{PollFlags, PollTimeout, poll},
    unistd::alarm,
};

use crate::{
    peer,
    private::{self, Place, snapshot::Snapshot},
    shrunk,
};

/// Tells a child what to do.
pub(crate) const VARIABLE: &str = "LANEWAY_FAULTS";
/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 120;

/// One case, for each transport that fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it can run.
    pub(crate) place: Place,
    /// Which transports it is for.
    pub(crate) fits: fn(Capabilities) -> bool,
    /// Panics if the library does wrong.
    pub(crate) run: fn(&BoxChannel),
}

impl Case {
    /// One that can run anywhere, for all transports.
    pub(crate) const fn new(name: &'static str, run: fn(&BoxChannel)) -> Self {
        Self {
            name,
            place: Place::Anywhere,
            fits: |_| true,
            run,
        }
    }

    /// The same only for some transports.
    pub(crate) const fn only(mut self, fits: fn(Capabilities) -> bool) -> Self {
        self.fits = fits;
        self
    }

    /// The same only in namespaces of its own.
    pub(crate) const fn private(mut self) -> Self {
        self.place = Place::Private;
        self
    }
}

/// Does what the parent says and ends, if this process is a child.
pub(crate) fn serve(cases: &[Case]) {
    let Ok(task) = env::var(VARIABLE) else {
        return;
    };
    alarm::set(WATCHDOG);
    let words: Vec<&str> = task.split(' ').collect();
    match words.as_slice() {
        ["nothing"] => private::enter(),
        ["case", name, index, variant] => {
            private::enter();
            let case = cases.iter().find(|case| case.name == *name);
            warm();
            let before = Snapshot::take();
            let channel = channel(index.parse().expect("a number"), variant);
            (case.expect("a case").run)(&channel);
            before.assert_same("at the end of the case");
        }
        ["peer", "fault", address] => shrunk::fault(address),
        ["peer", role] => peer::play(role),
        _ => process::exit(2),
    }
    process::exit(0);
}

/// Has laneway start what it keeps for the life of a process, so that it is not taken for something left.
fn warm() {
    let channel = laneway::channel("shm+lock:?capacity=64KiB").expect("good");
    let (_tx, mut rx) = channel.pair().expect("opens");
    let watches = || {
        let all = fs::read_dir("/proc/self/fd").expect("proc");
        let targets = all.flatten().map(|entry| fs::read_link(entry.path()));
        targets
            .flatten()
            .filter(|target| target.as_os_str() == "anon_inode:inotify")
            .count()
    };
    // Who sleeps for a while has deaths watched for, by a thread that has a descriptor of its own.
    while watches() < 2 {
        let nothing = rx.peek(Deadline::after(Duration::from_millis(50)));
        assert!(nothing.is_err(), "nothing was sent");
    }
}

/// The channel of a driver in one spelling: without a name if there is such, else with one that nobody else has.
pub(crate) fn channel(index: usize, variant: &str) -> BoxChannel {
    spelled(index, variant, "")
}

/// The same with a name that holds a word, or `None` if the transport has no names.
pub(crate) fn named(channel: &BoxChannel, word: &str) -> Option<BoxChannel> {
    let address = channel.address();
    let mut drivers = Registry::BUILTIN.drivers().iter();
    let index = drivers.position(|driver| driver.scheme() == address.scheme());
    if !channel.capabilities().named {
        return None;
    }
    let variants = ["mode", "lock", "wait", "peer"].map(|key| {
        let value = address.value(key)?;
        Some(format!("{key}={value}"))
    });
    let variant = variants.into_iter().flatten().next().unwrap_or_default();
    Some(spelled(index.expect("is built in"), &variant, word))
}

fn spelled(index: usize, variant: &str, word: &str) -> BoxChannel {
    let driver = Registry::BUILTIN.drivers().get(index).expect("a driver");
    let anonymous = |address: &Address| {
        let channel = driver.channel(address).expect("a good address");
        channel.capabilities().anonymous
    };
    let mut address = Address::new(driver.scheme(), "").expect("a good scheme");
    if !word.is_empty() || !anonymous(&address) {
        let unique = format!("laneway-faults.{}.{word}", process::id());
        let name = driver.example_name(&unique).expect("has names");
        address = Address::new(driver.scheme(), name).expect("a good name");
    }
    for pair in variant.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').expect("key=value");
        address = address.with(key, value);
    }
    driver.channel(&address).expect("a good address")
}

/// Does nothing for so long.
pub(crate) fn pause(time: Duration) {
    let (reader, _writer) = nix::unistd::pipe().expect("a pipe");
    let mut nothing = [nix::poll::PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(time).expect("short");
    // A signal may end it early, which is as good.
    let _ = poll(&mut nothing, timeout);
}
