//! An end of a channel, and what wakes the task that waits for it.

use std::{
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use ::tokio::{
    io::Interest,
    runtime::{Handle, Id},
    task::coop,
    time::Instant,
};
use nix::poll::PollFlags;

use crate::{
    Deadline, Endpoint, Readiness,
    sys::{self, reactor::Registered},
    tokio::nap::Nap,
};

/// How soon to ask again what does not tell.
const SOON: Duration = Duration::from_millis(1);
/// How often the runtime may say that a descriptor is ready, in vain, before it is asked later.
const ROUNDS: usize = 4;

/// An end, and how it is waited for.
#[derive(Debug)]
pub(super) struct Source<E> {
    /// Above the end, so that it is forgotten by the runtime before that closes.
    registered: Option<Registered>,
    nap: Option<Nap>,
    /// The runtime that these two belong to.
    home: Option<Id>,
    end: E,
    interest: Interest,
}

impl<E: Endpoint + 'static> Source<E> {
    pub(super) fn new(end: E, interest: Interest) -> Self {
        Self {
            registered: None,
            nap: None,
            home: None,
            end,
            interest,
        }
    }

    /// The end.
    pub(super) fn end(&mut self) -> &mut E {
        &mut self.end
    }

    /// Only the end.
    pub(super) fn into_end(self) -> E {
        self.end
    }

    /// Tries until there is something, or else sees to it that the task is woken when there may be. `attempt` never waits, and gives `None`
    /// if it found nothing. Nothing else touches the channel, so whoever is not polled takes nothing from it.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: &mut dyn FnMut(&mut E) -> Option<T>,
    ) -> Poll<io::Result<T>> {
        // A task whose channel is never empty lets others run all the same.
        let progress = ready!(coop::poll_proceed(cx));
        loop {
            if let Some(found) = attempt(&mut self.end) {
                progress.made_progress();
                return Poll::Ready(Ok(found));
            }
            let mut nap = None;
            let readiness = self.end.readiness();
            match readiness {
                Readiness::Descriptor => {
                    if let Some(found) = self.poll_descriptor(cx, attempt, &mut nap)? {
                        progress.made_progress();
                        return Poll::Ready(Ok(found));
                    }
                }
                // One that does not tell everything may tell something.
                Readiness::Waker | Readiness::Blocking => {
                    self.end.arm(cx.waker());
                    if !Readiness::settle() {
                        nap = Some(SOON);
                    }
                    if let Some(found) = attempt(&mut self.end) {
                        progress.made_progress();
                        return Poll::Ready(Ok(found));
                    }
                }
            }
            let mut recheck = self.end.recheck();
            if readiness == Readiness::Blocking {
                recheck = recheck.or(Some(SOON));
            }
            nap = [nap, recheck].into_iter().flatten().min();
            match nap {
                Some(nap) => {
                    ready!(self.poll_nap(cx, nap))?;
                    // Over already: once more.
                }
                None => return Poll::Pending,
            }
        }
    }

    /// The runtime that the task is in. What belongs to another is given up: that one may have ended, or stand still.
    fn enter(&mut self) -> io::Result<Handle> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let here = Some(runtime.id());
        if self.home != here {
            self.registered = None;
            self.nap = None;
            self.home = here;
        }
        Ok(runtime)
    }

    /// Tries whenever the runtime says that the descriptor is ready, until it is not, or says so and there is nothing: then after a `nap`.
    fn poll_descriptor<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: &mut dyn FnMut(&mut E) -> Option<T>,
        nap: &mut Option<Duration>,
    ) -> io::Result<Option<T>> {
        self.enter()?;
        let end = &mut self.end;
        // Until the runtime has nothing that could be believed. A hang-up it believes for ever, and that of a name need not be, so it is asked anew.
        for _ in 0..ROUNDS {
            let registered = match &mut self.registered {
                Some(registered) => registered,
                none => {
                    let fd = end.as_fd().ok_or(io::ErrorKind::NotConnected)?;
                    // Another number for the same description: whatever becomes of the end, the runtime is told before this one is closed.
                    let fd = fd.try_clone_to_owned()?;
                    none.insert(Registered::new(fd, self.interest)?)
                }
            };
            let polled = match self.interest.is_readable() {
                true => registered.get().poll_read_ready(cx),
                false => registered.get().poll_write_ready(cx),
            };
            let Poll::Ready(guard) = polled else {
                break;
            };
            let mut guard = guard?;
            if let Some(found) = attempt(end) {
                guard.retain_ready();
                return Ok(Some(found));
            }
            let known = guard.ready();
            guard.clear_ready();
            if known.is_read_closed() || known.is_write_closed() {
                self.registered = None;
            }
        }
        // The runtime tells of changes. If it is ready and still of no use, as a pipe that has some room and too little, there may be none.
        let flags = match self.interest.is_readable() {
            true => PollFlags::POLLIN,
            false => PollFlags::POLLOUT,
        };
        let fd = end.as_fd().ok_or(io::ErrorKind::NotConnected)?;
        let is_ready = !sys::fd::wait(fd, flags, Deadline::NOW)?.is_empty();
        *nap = (is_ready || self.registered.is_none()).then_some(SOON);
        Ok(None)
    }

    /// Has the task woken after this time at the latest.
    fn poll_nap(&mut self, cx: &mut Context<'_>, nap: Duration) -> Poll<io::Result<()>> {
        let runtime = self.enter()?;
        let until = Instant::now() + nap;
        let begun = self.nap.take().filter(|begun| begun.serves(until));
        let nap = self
            .nap
            .insert(begun.unwrap_or_else(|| Nap::new(&runtime, until)));
        let over = ready!(nap.poll(cx));
        self.nap = None;
        Poll::Ready(over)
    }
}
