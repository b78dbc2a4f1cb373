//! Stands for src/sync.rs: atomics of loom's, and mutants.

use std::{marker::PhantomData, sync::atomic::AtomicUsize};

pub(crate) use std::sync::atomic::Ordering;

pub(crate) type AtomicU32 = loom::sync::atomic::AtomicU32;
pub(crate) type AtomicU64 = loom::sync::atomic::AtomicU64;

/// What each site is in this process, as a place in `LADDER`, if it is weaker than it should be: by its number.
static WEAKER: [AtomicUsize; 128] = [const { AtomicUsize::new(AS_IT_IS) }; 128];
const AS_IT_IS: usize = usize::MAX;
/// Whether fences for the compiler only are fences, as they are while a sleeper has every process pass a barrier.
static LIGHT: AtomicUsize = AtomicUsize::new(1);

const LADDER: [Ordering; 4] = [
    Ordering::Relaxed,
    Ordering::Acquire,
    Ordering::Release,
    Ordering::AcqRel,
];

/// Weakens a site from now on.
pub(crate) fn mutate(site: usize, to: Ordering) {
    let at = LADDER.iter().position(|&ordering| ordering == to);
    WEAKER[site].store(at.expect("weaker than SeqCst"), Ordering::Relaxed);
}

/// The ordering of a site, weaker if it is a mutant.
pub(crate) fn at(site: usize, ordering: Ordering) -> Ordering {
    let weaker = WEAKER
        .get(site)
        .map(|weaker| weaker.load(Ordering::Relaxed));
    let weaker = weaker.and_then(|weaker| LADDER.get(weaker));
    weaker.copied().unwrap_or(ordering)
}

/// A fence; none if a mutant takes it away.
pub(crate) fn fence(ordering: Ordering) {
    if ordering != Ordering::Relaxed {
        loom::sync::atomic::fence(ordering);
    }
}

/// A fence for the compiler only, in a process that takes part in the barrier of `sys::membarrier`. A barrier that everybody
/// passes and a fence for the compiler order as two full fences do (P1202 of the C++ committee has the proof), so that is what both
/// are here; two fences for the compiler do not, so a model that is about two of them says that they are nothing.
pub(crate) fn compiler_fence(ordering: Ordering) {
    if LIGHT.load(Ordering::Relaxed) != 0 {
        fence(ordering);
    }
}

/// Says what fences for the compiler are from now on.
pub(crate) fn compiler_fences_are_full(full: bool) {
    LIGHT.store(full.into(), Ordering::Relaxed);
}

/// Lets the others go on.
pub(crate) fn make_way() {
    loom::thread::yield_now();
}

/// A number that no model depends on.
#[derive(Debug)]
pub(crate) struct Idle<T>(PhantomData<fn() -> T>);

impl<T: Default> Idle<T> {
    pub(crate) const NEW: Self = Self(PhantomData);

    #[expect(clippy::unused_self, reason = "as an atomic has it")]
    pub(crate) fn load(&self, _: Ordering) -> T {
        T::default()
    }

    #[expect(clippy::unused_self, reason = "as an atomic has it")]
    pub(crate) fn store(&self, _: T, _: Ordering) {}
}
