//! An end of a channel, and what wakes the task that waits for it.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use ::tokio::{
    io::Interest,
    runtime::Handle,
    task::{JoinHandle, coop, spawn_blocking},
    time::{Instant, Sleep, sleep},
};
use nix::poll::PollFlags;

use crate::{
    Deadline, Endpoint, Readiness,
    sys::{self, reactor::Registered},
};

/// How soon to ask again what does not tell.
const SOON: Duration = Duration::from_millis(1);
/// How often the runtime may say that a descriptor is ready, in vain, before it is asked later.
const ROUNDS: usize = 4;
/// How long a thread waits before it looks whether anybody still wants to know.
const SLICE: Duration = Duration::from_millis(50);

/// Waits for this end in a thread that may block, up to the deadline; `false` if nothing has come.
pub(super) type Block<E> = fn(&mut E, Deadline) -> bool;

/// An end, and how it is waited for.
#[derive(Debug)]
pub(super) struct Source<E> {
    /// Above the end, so that it is forgotten by the runtime before that closes.
    registered: Option<Registered>,
    /// Not here while a thread of the pool waits for it.
    end: Option<E>,
    away: Option<Away<E>>,
    nap: Option<Pin<Box<Sleep>>>,
    interest: Interest,
    /// How a thread can wait; it asks on a timer if there is no way.
    block: Option<Block<E>>,
}

/// An end that a thread has.
#[derive(Debug)]
struct Away<E> {
    thread: JoinHandle<E>,
    /// As long as this is there somebody wants it back ready.
    _wanted: Arc<()>,
}

impl<E: Endpoint + 'static> Source<E> {
    pub(super) fn new(end: E, interest: Interest, block: Option<Block<E>>) -> Self {
        Self {
            registered: None,
            end: Some(end),
            away: None,
            nap: None,
            interest,
            block,
        }
    }

    /// The end, unless a thread has it.
    pub(super) fn end(&mut self) -> Option<&mut E> {
        self.end.as_mut()
    }

    /// Only the end.
    pub(super) async fn into_end(mut self) -> io::Result<E> {
        if let Some(Away { thread, _wanted }) = self.away.take() {
            drop(_wanted);
            return thread.await.map_err(io::Error::other);
        }
        drop(self.registered.take());
        self.end.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Tries until there is something, or else sees to it that the task is woken when there may be. `attempt` never waits, and gives `None`
    /// if it found nothing.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: &mut dyn FnMut(&mut E) -> Option<T>,
    ) -> Poll<io::Result<T>> {
        // A task whose channel is never empty lets others run all the same.
        let progress = ready!(coop::poll_proceed(cx));
        loop {
            ready!(self.poll_home(cx))?;
            let Some(end) = &mut self.end else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            if let Some(found) = attempt(end) {
                progress.made_progress();
                return Poll::Ready(Ok(found));
            }
            let mut nap = None;
            match end.readiness() {
                Readiness::Descriptor => {
                    if let Some(found) = self.poll_descriptor(cx, attempt, &mut nap)? {
                        progress.made_progress();
                        return Poll::Ready(Ok(found));
                    }
                }
                Readiness::Waker => {
                    end.arm(cx.waker());
                    if !Readiness::settle() {
                        nap = Some(SOON);
                    }
                    if let Some(found) = attempt(end) {
                        progress.made_progress();
                        return Poll::Ready(Ok(found));
                    }
                }
                Readiness::Blocking => match self.block {
                    Some(block) => {
                        self.send_away(block)?;
                        continue;
                    }
                    None => nap = Some(SOON),
                },
            }
            let recheck = self.end.as_ref().and_then(Endpoint::recheck);
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

    /// Waits until the end is back from the thread that has it.
    fn poll_home(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(away) = &mut self.away {
            let back = ready!(Pin::new(&mut away.thread).poll(cx));
            self.away = None;
            // A thread that panicked, or a runtime that is going, has lost it.
            self.end = Some(back.map_err(io::Error::other)?);
        }
        Poll::Ready(Ok(()))
    }

    /// Has a thread of the pool wait.
    fn send_away(&mut self, block: Block<E>) -> io::Result<()> {
        Handle::try_current().map_err(io::Error::other)?;
        let Some(mut end) = self.end.take() else {
            return Ok(());
        };
        let wanted = Arc::new(());
        let still: Weak<()> = Arc::downgrade(&wanted);
        let thread = spawn_blocking(move || {
            while still.strong_count() > 0 && !block(&mut end, Deadline::after(SLICE)) {}
            end
        });
        self.away = Some(Away {
            thread,
            _wanted: wanted,
        });
        Ok(())
    }

    /// Tries whenever the runtime says that the descriptor is ready, until it is not, or says so and there is nothing: then after a `nap`.
    fn poll_descriptor<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: &mut dyn FnMut(&mut E) -> Option<T>,
        nap: &mut Option<Duration>,
    ) -> io::Result<Option<T>> {
        let Some(end) = &mut self.end else {
            return Ok(None);
        };
        // Until the runtime has nothing that could be believed. A hang-up it believes for ever, and that of a name need not be, so it is asked anew.
        for _ in 0..ROUNDS {
            let registered = match &mut self.registered {
                Some(registered) => registered,
                none => {
                    Handle::try_current().map_err(io::Error::other)?;
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
        Handle::try_current().map_err(io::Error::other)?;
        let sleep = self.nap.get_or_insert_with(|| Box::pin(sleep(nap)));
        sleep.as_mut().reset(Instant::now() + nap);
        sleep.as_mut().poll(cx).map(Ok)
    }
}
