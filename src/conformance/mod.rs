//! The suite that any transport must pass, ours or yours. Not a stable interface: cases are added in any release.
//!
//! It walks a registry's drivers, so a transport is tested by being registered. Each case runs on every variant of
//! the address, without a name and with one, compiled for the transport's own types (`static`) and through
//! `Box<dyn>` (`dyn`). Cases panic when the transport breaks a promise. `tests/conformance.rs` shows a harness.

mod allocation;
mod child;
mod each;
mod message;
mod processes;
mod ready;
mod subject;
mod threads;

use std::fmt;

pub use allocation::Count;
pub use child::serve;
pub use message::Numbered;

use crate::{BoxChannel, Channel, Driver, Transport};
use subject::Subject;

/// One case on one variant of one transport.
pub struct Trial {
    /// `scheme/variant/anonymous or named/static or dyn/case`.
    pub name: String,
    /// Runs it; panics if the transport fails.
    pub run: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trial").field(&self.name).finish()
    }
}

/// The suite, compiled for one transport's own types.
#[derive(Clone, Copy)]
pub struct Suite {
    trials: fn(&Driver) -> Vec<Trial>,
    allocation: fn(&Driver, Count) -> Vec<Trial>,
    child: fn(&str),
}

impl Suite {
    /// The suite for `T`.
    #[must_use]
    pub const fn of<T: Transport>() -> Self {
        Self {
            trials: |driver| {
                trials_of::<T>(driver, "static", |address| {
                    T::try_from(address).expect("a good address")
                })
            },
            allocation: |driver, count| {
                allocation_of::<T>(driver, count, "static", |address| {
                    T::try_from(address).expect("a good address")
                })
            },
            child: |role| {
                child::play(role, |address| {
                    T::try_from(address).expect("a good address")
                })
            },
        }
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suite")
    }
}

/// Every field of a segment's header with its offset, to hold against docs/layout.md.
#[must_use]
pub fn layout_fields() -> &'static [(&'static str, usize)] {
    crate::shm::layout::FIELDS
}

/// All trials of a transport.
#[must_use]
pub fn trials(driver: &Driver) -> Vec<Trial> {
    let mut trials = (driver.suite().trials)(driver);
    let driver = *driver;
    let boxed = move |address: &crate::Address| driver.channel(address).expect("a good address");
    trials.extend(trials_of::<BoxChannel>(&driver, "dyn", boxed));
    trials
}

/// Trials that nothing which moves a message allocates. The program's allocator counts, by the thread; `count` tells.
#[must_use]
pub fn allocation_trials(driver: &Driver, count: Count) -> Vec<Trial> {
    let mut trials = (driver.suite().allocation)(driver, count);
    let driver = *driver;
    let boxed = move |address: &crate::Address| driver.channel(address).expect("a good address");
    trials.extend(allocation_of::<BoxChannel>(&driver, count, "dyn", boxed));
    trials
}

fn trials_of<C: Channel + 'static>(
    driver: &Driver,
    how: &'static str,
    open: impl Fn(&crate::Address) -> C + Send + Sync + Clone + 'static,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (prefix, subject) in subjects(driver, how, &open) {
        let cases = threads::cases::<C>()
            .into_iter()
            .chain(ready::cases::<C>())
            .chain(processes::cases::<C>())
            .chain(each::cases::<C>());
        let once = subject.gives_each_once();
        for (case, run) in cases.filter(|(case, _)| once || !each::ONCE.contains(case)) {
            let subject = subject.clone();
            trials.push(Trial {
                name: format!("{prefix}/{case}"),
                run: Box::new(move || run(&subject)),
            });
        }
    }
    trials
}

fn allocation_of<C: Channel + 'static>(
    driver: &Driver,
    count: Count,
    how: &'static str,
    open: impl Fn(&crate::Address) -> C + Send + Sync + Clone + 'static,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (prefix, subject) in subjects(driver, how, &open) {
        for (case, run) in allocation::cases::<C>() {
            let subject = subject.clone();
            trials.push(Trial {
                name: format!("{prefix}/{case}"),
                run: Box::new(move || run(&subject, count)),
            });
        }
    }
    trials
}

/// Every variant, without a name and with one, and what its trials' names start with.
fn subjects<C: Channel>(
    driver: &Driver,
    how: &'static str,
    open: &(impl Fn(&crate::Address) -> C + Send + Sync + Clone + 'static),
) -> Vec<(String, Subject<C>)> {
    let mut subjects = Vec::new();
    for variant in driver.variants() {
        for named in [false, true] {
            if let Some(subject) = Subject::new(driver, how, variant, named, open.clone()) {
                let place = if named { "named" } else { "anonymous" };
                let prefix = format!("{}/{variant}/{place}/{how}", driver.scheme());
                subjects.push((prefix, subject));
            }
        }
    }
    subjects
}
