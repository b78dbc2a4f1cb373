//! Waiting for the first of several receivers.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    fmt, io,
    os::fd::AsFd,
    process,
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags},
    sys::eventfd::{EfdFlags, EventFd},
};

use crate::{Address, Deadline, Endpoint, Readiness, Receiver, RecvError, sys};

/// How soon to look again if no barrier could be passed.
const SOON: Duration = Duration::from_millis(1);

/// Why no receiver was told.
#[derive(Debug)]
#[non_exhaustive]
pub enum WaitError {
    /// Still nothing at the deadline, at any of them.
    Empty,
    /// There is no receiver to wait for.
    NoReceivers,
    /// Nothing tells when this receiver has a message: that of a System V queue, or of a transport without a descriptor.
    Unsupported {
        /// Its place in the slice.
        index: usize,
        /// Its channel, if it tells.
        address: Option<Address>,
    },
    /// The kernel refused.
    Io(io::Error),
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no channel has a message; send to one, or wait longer"),
            Self::NoReceivers => f.write_str("there is no receiver to wait for; give one at least"),
            Self::Unsupported { index, address } => {
                write!(f, "receiver {index}")?;
                if let Some(address) = address {
                    write!(f, " ({address})")?;
                }
                f.write_str(
                    " cannot be waited for together with others; receive from it in a thread of its own, or use a pipe, a FIFO, or a ring",
                )
            }
            Self::Io(e) => write!(f, "the system refused to wait: {e}"),
        }
    }
}

impl Error for WaitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(e) => Some(e),
            _ => None,
        }
    }
}

/// Waits up to the deadline until one of these receivers has a message, or an error such as
/// [`Disconnected`](RecvError::Disconnected), and tells its place: the next receive there does not wait.
///
/// Channels may be of any kinds but System V queues. Where several are ready, chance chooses, evenly, so that a
/// busy one starves nobody. While data flows this is a look at each receiver from there on, in memory for a ring, a system call or
/// two for a pipe; else one `poll` over all of them and an eventfd of this thread.
///
/// A receiver whose other side is gone is ready each time: leave it out then.
///
/// # Crash behaviour
/// The message is peeked, as [`Receiver::peek`] says it; a death of a peer is told as soon as the receiver itself would tell it.
///
/// # Errors
/// [`Empty`](WaitError::Empty) at the deadline; [`Unsupported`](WaitError::Unsupported) before anything else, whoever is ready;
/// [`Io`](WaitError::Io) if no descriptor is left.
///
/// # Fork
/// In a child forked without exec a ring wakes nobody who waits here, so it is looked at every millisecond.
///
/// ```
/// use laneway::{Channel, Deadline, Receiver, Sender, wait_any};
///
/// let (_quiet, mut pipe) = laneway::channel("pipe:")?.pair()?;
/// let (mut tx, mut ring) = laneway::channel("shm:")?.pair()?;
/// tx.send(b"news")?;
/// let ready = wait_any(&mut [&mut pipe, &mut ring], Deadline::NEVER)?;
/// assert_eq!(ready, 1);
/// assert_eq!(ring.try_recv(&mut [0; 64])?, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn wait_any(
    receivers: &mut [&mut dyn Receiver],
    deadline: Deadline,
) -> Result<usize, WaitError> {
    if receivers.is_empty() {
        return Err(WaitError::NoReceivers);
    }
    let blocking = |receiver: &&mut dyn Receiver| receiver.readiness() == Readiness::Blocking;
    if let Some(index) = receivers.iter().position(blocking) {
        let handoff = receivers.get(index).and_then(|rx| rx.handoff().ok());
        let address = handoff.map(|handoff| handoff.address);
        return Err(WaitError::Unsupported { index, address });
    }
    let start = chance(receivers.len());
    if let Some(ready) = look(receivers, start, |_, _| true) {
        return Ok(ready);
    }
    if deadline == Deadline::NOW {
        return Err(WaitError::Empty);
    }
    sleep(receivers, start, deadline)
}

/// The first that is ready of those that are `worth` a look, from `start` on.
fn look(
    receivers: &mut [&mut dyn Receiver],
    start: usize,
    worth: impl Fn(usize, &dyn Receiver) -> bool,
) -> Option<usize> {
    let (before, after) = receivers.split_at_mut_checked(start)?;
    let after = after.iter_mut().enumerate();
    let after = after.map(|(index, receiver)| (index + start, receiver));
    let mut all = after.chain(before.iter_mut().enumerate());
    all.find_map(|(index, receiver)| {
        let ready = worth(index, &**receiver)
            && !matches!(receiver.peek(Deadline::NOW), Err(RecvError::Empty));
        ready.then_some(index)
    })
}

#[cold]
fn sleep(
    receivers: &mut [&mut dyn Receiver],
    start: usize,
    deadline: Deadline,
) -> Result<usize, WaitError> {
    let is_armed = |receiver: &dyn Receiver| receiver.readiness() == Readiness::Waker;
    let any_armed = receivers.iter().any(|receiver| is_armed(&**receiver));
    let pager = any_armed.then(Pager::of_this_thread).transpose();
    let pager = pager.map_err(WaitError::Io)?;
    loop {
        let mut nap = None;
        if let Some(pager) = &pager {
            // Before the arming: what rings after it is not to be lost.
            pager.clear();
            let waker = Waker::from(Arc::clone(pager));
            for receiver in receivers.iter_mut().filter(|rx| is_armed(&***rx)) {
                receiver.arm(&waker);
            }
            if !Readiness::settle() {
                nap = Some(SOON);
            }
            // Descriptors tell also what came before.
            if let Some(ready) = look(receivers, start, |_, receiver| is_armed(receiver)) {
                return Ok(ready);
            }
        }
        for receiver in receivers.iter() {
            nap = [nap, receiver.recheck()].into_iter().flatten().min();
        }
        let until = match (nap, deadline.remaining()) {
            (Some(nap), left) if left.is_none_or(|left| nap < left) => Deadline::after(nap),
            _ => deadline,
        };
        let told = poll(receivers, pager.as_deref(), until).map_err(WaitError::Io)?;
        let worth = |index: usize, receiver: &dyn Receiver| {
            let polled = told.get(index).copied().unwrap_or(true);
            polled || is_armed(receiver) || receiver.recheck().is_some()
        };
        if let Some(ready) = look(receivers, start, worth) {
            return Ok(ready);
        }
        if deadline.has_passed() {
            return Err(WaitError::Empty);
        }
    }
}

/// Sleeps until a descriptor or the pager has news, and tells for each receiver whether its descriptor has.
fn poll(
    receivers: &[&mut dyn Receiver],
    pager: Option<&Pager>,
    deadline: Deadline,
) -> io::Result<Vec<bool>> {
    let mut fds = Vec::with_capacity(receivers.len() + 1);
    let mut places = Vec::with_capacity(receivers.len());
    for receiver in receivers {
        let polled = receiver.readiness() == Readiness::Descriptor;
        let fd = receiver.as_fd().filter(|_| polled);
        places.push(fd.map(|_| fds.len()));
        fds.extend(fd.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
    }
    fds.extend(pager.map(|pager| PollFd::new(pager.fd.as_fd(), PollFlags::POLLIN)));
    sys::fd::wait_for_any(&mut fds, deadline)?;
    let has_news = |place: &Option<usize>| {
        let fd = place.and_then(|place| fds.get(place));
        fd.is_some_and(|fd| fd.any().unwrap_or(true))
    };
    Ok(places.iter().map(has_news).collect())
}

/// What a thread that sleeps in `poll` is woken by.
struct Pager {
    fd: EventFd,
    /// The process that made it: a forked child would clear what is meant for its parent.
    home: u32,
}

impl Pager {
    fn new() -> io::Result<Arc<Self>> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let fd = EventFd::from_flags(flags)?;
        let home = process::id();
        Ok(Arc::new(Self { fd, home }))
    }

    fn of_this_thread() -> io::Result<Arc<Self>> {
        thread_local! {
            static PAGER: RefCell<Option<Arc<Pager>>> = const { RefCell::new(None) };
        }
        let known = PAGER.try_with(|pager| pager.borrow().clone()).ok();
        if let Some(pager) = known.flatten().filter(|pager| pager.home == process::id()) {
            return Ok(pager);
        }
        let pager = Self::new()?;
        // A thread that is ending has one for this call only.
        let _ = PAGER.try_with(|slot| slot.replace(Some(Arc::clone(&pager))));
        Ok(pager)
    }

    fn clear(&self) {
        // It fails if there was nothing to clear.
        let _ = self.fd.read();
    }
}

impl Wake for Pager {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails if it was written to so often that it is readable anyway.
        let _ = self.fd.write(1);
    }
}

/// A number below `most`, any as likely as another: in turn would be unfair to somebody when a program waits for two sets by turns.
fn chance(most: usize) -> usize {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    // Splitmix64.
    let next = |state: &Cell<u64>| {
        let seed = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(seed);
        let mixed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    let number = STATE.try_with(next).unwrap_or(0) >> 32;
    usize::try_from(number).unwrap_or(0) % most.max(1)
}
