//! Surviving a peer that makes an object shorter than what we have mapped of it.
//!
//! To touch a mapping behind the end of its object is SIGBUS. A handler, which the process gets with the first range that is guarded,
//! puts fresh memory there instead, notes that the range is lost, and lets the access be made again; what the fresh memory holds
//! is as bad as anything else that a hostile peer may write. A fault elsewhere goes to who had the signal before.

use std::{
    io, ptr,
    sync::{Mutex, OnceLock, PoisonError},
};

use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet, Signal};

use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// All ranges that are or were guarded; one that is no longer is taken again. Never shorter, so that the handler can walk it at any time.
static RANGES: AtomicPtr<Range> = AtomicPtr::new(ptr::null_mut());
/// What had the signal before.
static BEFORE: OnceLock<SigAction> = OnceLock::new();

/// Some mapped pages. Free if the start is 0.
#[derive(Debug)]
struct Range {
    start: AtomicUsize,
    len: AtomicUsize,
    lost: AtomicBool,
    next: Option<&'static Range>,
}

/// Guards some pages as long as it lives.
#[derive(Debug)]
pub(crate) struct Guard(&'static Range);

fn ranges() -> Option<&'static Range> {
    // ORDERING: Acquire; pairs with the Release in `add`: who sees a range sees what it holds.
    let first = RANGES.load(Ordering::Acquire);
    // SAFETY: by S8.
    unsafe { first.as_ref() }
}

impl Range {
    fn all() -> impl Iterator<Item = &'static Self> {
        std::iter::successors(ranges(), |range| range.next)
    }

    /// Adds a range that is taken already.
    fn add() -> &'static Self {
        let new = Box::leak(Box::new(Self {
            start: AtomicUsize::new(TAKEN),
            len: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
            next: None,
        }));
        let place = ptr::from_mut(new);
        loop {
            new.next = ranges();
            let known = new
                .next
                .map_or(ptr::null_mut(), |r| ptr::from_ref(r).cast_mut());
            // ORDERING: Release; pairs with the Acquire in `ranges`.
            let added = RANGES.compare_exchange(known, place, Ordering::Release, Ordering::Relaxed);
            if added.is_ok() {
                return new;
            }
        }
    }
}

/// The start of a range that is being filled in: in no mapping.
const TAKEN: usize = 1;

/// Guards `len` bytes from `start`, whole pages that stay mapped until the guard is dropped.
///
/// # Errors
/// What the system says to a handler.
pub(crate) fn guard(start: ptr::NonNull<u8>, len: usize) -> io::Result<Guard> {
    install()?;
    let free = |range: &&Range| {
        // ORDERING: Relaxed; a free range holds nothing that anybody relies on.
        let taken = range
            .start
            .compare_exchange(0, TAKEN, Ordering::Relaxed, Ordering::Relaxed);
        taken.is_ok()
    };
    let range = Range::all().find(free).unwrap_or_else(Range::add);
    // ORDERING: Relaxed, twice; the Release below carries them.
    range.lost.store(false, Ordering::Relaxed);
    range.len.store(len, Ordering::Relaxed);
    // ORDERING: Release; pairs with the Acquire in `replace`.
    range.start.store(start.as_ptr().addr(), Ordering::Release);
    Ok(Guard(range))
}

impl Guard {
    /// Whether the object is no longer behind all of the pages.
    pub(crate) fn is_lost(&self) -> bool {
        // ORDERING: Relaxed; the handler ran in this thread, or the next look sees it.
        self.0.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // ORDERING: Release; whoever takes it again begins after this.
        self.0.start.store(0, Ordering::Release);
    }
}

fn install() -> io::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // Nobody panics while holding it.
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if BEFORE.get().is_some() {
        return Ok(());
    }
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK;
    let ours = SigAction::new(SigHandler::SigAction(on_fault), flags, SigSet::empty());
    // SAFETY: by S9.
    let before = unsafe { signal::sigaction(Signal::SIGBUS, &ours) }?;
    let _ = BEFORE.set(before);
    Ok(())
}

/// The handler.
extern "C" fn on_fault(
    number: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: by S9: the kernel hands a valid one over.
    let Some(fault) = (unsafe { info.as_ref() }) else {
        return;
    };
    // SAFETY: by S9; a fault has an address.
    let at = unsafe { fault.si_addr() }.addr();
    if fault.si_code == libc::BUS_ADRERR && replace(at) {
        return;
    }
    pass_on(number, fault.si_code, info, context);
}

/// Puts fresh memory from the page of `at` to the end of its range; `false` if it lies in none.
fn replace(at: usize) -> bool {
    let bounds = |range: &'static Range| {
        // ORDERING: Acquire; pairs with the Release in `guard`.
        let start = range.start.load(Ordering::Acquire);
        // ORDERING: Acquire; the start is read again after it.
        let len = range.len.load(Ordering::Acquire);
        // ORDERING: Relaxed; if it is the same, nobody has given the range up in between, and the length belongs to it.
        let same = range.start.load(Ordering::Relaxed) == start;
        let end = start.checked_add(len)?;
        (same && start > TAKEN && (start..end).contains(&at)).then_some((range, start, end))
    };
    let Some((range, start, end)) = Range::all().find_map(bounds) else {
        return false;
    };
    // ORDERING: Relaxed; see `is_lost`.
    range.lost.store(true, Ordering::Relaxed);
    let page = at & !(PAGE - 1);
    let from = ptr::with_exposed_provenance_mut::<libc::c_void>(page.max(start));
    // SAFETY: by S10.
    let mapped = unsafe {
        libc::mmap(
            from,
            end - page.max(start),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    mapped != libc::MAP_FAILED
}

/// The smallest page that there is; to replace from a smaller one's start is refused, and the fault passed on.
const PAGE: usize = 4096;

/// Does what would have been done without us.
fn pass_on(
    number: libc::c_int,
    code: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // Sent by a process, and no fault: it does not come again by itself.
    let is_sent = code <= 0;
    match BEFORE.get().map(SigAction::handler) {
        Some(SigHandler::SigAction(handler)) => handler(number, info, context),
        Some(SigHandler::Handler(handler)) => handler(number),
        Some(SigHandler::SigIgn) if is_sent => {}
        _ => {
            let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
            // SAFETY: by S9.
            let _ = unsafe { signal::sigaction(Signal::SIGBUS, &default) };
            // The access of a fault is made again, and ends the process; what was sent must be sent again.
            if is_sent {
                let _ = signal::raise(Signal::SIGBUS);
            }
        }
    }
}
