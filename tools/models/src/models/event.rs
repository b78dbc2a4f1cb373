//! Going to sleep and being woken.

use std::sync::atomic::Ordering;

use loom::{
    sync::{Arc, atomic::AtomicU32},
    thread,
};

use crate::{
    Deadline,
    models::Model,
    sync::{self, compiler_fences_are_full},
    sys::{futex, membarrier, report},
    wait::{Bell, Event, settle},
};

const FILE: &str = "wait.rs";

pub(super) const MODELS: &[Model] = &[
    Model::exhaustive("event, a barrier in every process", FILE, barrier),
    Model::exhaustive("event, publishers fence", FILE, fenced),
    Model::bounded("event, twice to one sleeper", FILE, 3, twice),
    Model::exhaustive("event, of two who publish one sees both", FILE, worth),
    Model::exhaustive("event, reports, a barrier in every process", FILE, reported),
    Model::exhaustive(
        "event, reports, publishers fence",
        FILE,
        reported_by_who_fences,
    ),
    Model::bounded("event, reports, twice to one", FILE, 3, reported_twice),
    Model::bounded(
        "event, reports, one sleeps, one awaits",
        FILE,
        2,
        one_sleeps_one_awaits,
    ),
    Model::bounded(
        "event, reports, two publish, one awaits",
        FILE,
        2,
        two_report,
    ),
    Model::bounded("event, two publish, one sleeps", FILE, 2, two_publish),
    Model::bounded("event, one publishes, two sleep", FILE, 2, two_sleep),
    Model::bounded(
        "event, two publish, one sleeps, longer",
        FILE,
        3,
        two_publish,
    )
    .long(),
    Model::bounded(
        "event, one publishes, two sleep, longer",
        FILE,
        3,
        two_sleep,
    )
    .long(),
];

/// What is published, and the bell for it.
struct Shared {
    event: Event,
    fences: sync::AtomicU32,
    news: [AtomicU32; 2],
}

impl Shared {
    fn new(fences: bool) -> Arc<Self> {
        futex::naps_end(false);
        membarrier::works(!fences);
        Arc::new(Self {
            event: Event::zero(),
            fences: sync::AtomicU32::new(fences.into()),
            news: [AtomicU32::new(0), AtomicU32::new(0)],
        })
    }

    fn bell(&self) -> Bell<'_> {
        Bell {
            event: &self.event,
            fences: &self.fences,
            object: &(),
        }
    }

    /// Publishes as the rings do, and rings.
    fn publish(&self, which: usize, what: u32) {
        self.news[which].store(what, Ordering::Release);
        self.bell().notify();
    }

    /// Sleeps until there is this news. A wake-up that is lost is a deadlock.
    fn await_news(&self, which: usize, what: u32) {
        let look = || (self.news[which].load(Ordering::Acquire) >= what).then_some(());
        while look().is_none() {
            if self.bell().sleep(Deadline::NEVER, look).is_some() {
                return;
            }
        }
    }
}

impl Shared {
    /// Awaits a report until there is this news. One that is not made is a deadlock.
    fn await_report(&self, which: usize, what: u32) {
        let look = || self.news[which].load(Ordering::Acquire) >= what;
        while !look() {
            // The waker is there before the flag is up.
            let seen = report::count();
            self.bell().call();
            settle();
            if look() {
                return;
            }
            report::wait(seen);
        }
    }
}

/// Accepted: who awaits a report gets it.
fn reported() {
    compiler_fences_are_full(true);
    let shared = Shared::new(false);
    let other = Arc::clone(&shared);
    let publisher = thread::spawn(move || other.publish(0, 1));
    shared.await_report(0, 1);
    publisher.join().expect("no panic");
}

fn reported_by_who_fences() {
    compiler_fences_are_full(false);
    let shared = Shared::new(true);
    let other = Arc::clone(&shared);
    let publisher = thread::spawn(move || other.publish(0, 1));
    shared.await_report(0, 1);
    publisher.join().expect("no panic");
}

/// Accepted: it gets one each time.
fn reported_twice() {
    compiler_fences_are_full(true);
    let shared = Shared::new(false);
    let other = Arc::clone(&shared);
    let publisher = thread::spawn(move || {
        other.publish(0, 1);
        other.publish(0, 2);
    });
    shared.await_report(0, 1);
    shared.await_report(0, 2);
    publisher.join().expect("no panic");
}

/// Accepted: both are woken, each in its own way.
fn one_sleeps_one_awaits() {
    compiler_fences_are_full(true);
    let shared = Shared::new(false);
    let sleeping = Arc::clone(&shared);
    let sleeper = thread::spawn(move || sleeping.await_news(0, 1));
    let awaiting = Arc::clone(&shared);
    let awaiter = thread::spawn(move || awaiting.await_report(0, 1));
    shared.publish(0, 1);
    sleeper.join().expect("no panic");
    awaiter.join().expect("no panic");
}

/// Accepted: it sees the news of both.
fn two_report() {
    compiler_fences_are_full(true);
    let shared = Shared::new(false);
    let publishers = [0, 1].map(|which| {
        let other = Arc::clone(&shared);
        thread::spawn(move || other.publish(which, 1))
    });
    shared.await_report(0, 1);
    shared.await_report(1, 1);
    for publisher in publishers {
        publisher.join().expect("no panic");
    }
}

/// Accepted: the sleeper wakes.
fn once(fences: bool) {
    compiler_fences_are_full(true);
    let shared = Shared::new(fences);
    let other = Arc::clone(&shared);
    let publisher = thread::spawn(move || other.publish(0, 1));
    shared.await_news(0, 1);
    publisher.join().expect("no panic");
}

fn barrier() {
    once(false);
}

fn fenced() {
    // The fence for the compiler only is not met, so it may be nothing.
    compiler_fences_are_full(false);
    let shared = Shared::new(true);
    let other = Arc::clone(&shared);
    let publisher = thread::spawn(move || other.publish(0, 1));
    shared.await_news(0, 1);
    publisher.join().expect("no panic");
}

/// Accepted: the sleeper wakes each time.
fn twice() {
    compiler_fences_are_full(true);
    let shared = Shared::new(false);
    let other = Arc::clone(&shared);
    let publisher = thread::spawn(move || {
        other.publish(0, 1);
        other.publish(0, 2);
    });
    shared.await_news(0, 1);
    shared.await_news(0, 2);
    publisher.join().expect("no panic");
}

/// Accepted: somebody sleeps already, two publish at once, and one at least finds it worth a wake-up: who sees both.
fn worth() {
    compiler_fences_are_full(false);
    let shared = Shared::new(false);
    // Asleep until something is worth it: its flag is up, and the barrier is behind it.
    let asleep = Arc::clone(&shared);
    let look = move || {
        let both = asleep
            .news
            .iter()
            .all(|news| news.load(Ordering::Acquire) == 1);
        both.then_some(())
    };
    let raised = shared.bell().sleep(Deadline::NOW, || Some(()));
    assert_eq!(raised, Some(()));
    let publish = |shared: &Shared, which: usize| {
        shared.news[which].store(1, Ordering::Release);
        let mut found = false;
        let all = || {
            shared
                .news
                .iter()
                .all(|news| news.load(Ordering::Acquire) == 1)
        };
        shared.bell().notify_if(|| {
            found = all();
            found
        });
        found
    };
    let other = Arc::clone(&shared);
    let publisher = thread::spawn(move || publish(&other, 1));
    let mine = publish(&shared, 0);
    let theirs = publisher.join().expect("no panic");
    assert!(mine || theirs, "nobody woke the sleeper");
    assert_eq!(look(), Some(()));
}

/// Accepted: the sleeper wakes, and sees the news of both.
fn two_publish() {
    compiler_fences_are_full(true);
    let shared = Shared::new(false);
    let publishers = [0, 1].map(|which| {
        let other = Arc::clone(&shared);
        thread::spawn(move || other.publish(which, 1))
    });
    shared.await_news(0, 1);
    shared.await_news(1, 1);
    for publisher in publishers {
        publisher.join().expect("no panic");
    }
}

/// Accepted: both sleepers wake.
fn two_sleep() {
    compiler_fences_are_full(true);
    let shared = Shared::new(false);
    let sleepers = [(); 2].map(|()| {
        let other = Arc::clone(&shared);
        thread::spawn(move || other.await_news(0, 1))
    });
    shared.publish(0, 1);
    for sleeper in sleepers {
        sleeper.join().expect("no panic");
    }
}
