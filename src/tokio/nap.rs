//! A pause after which a task is woken.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use ::tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// A pause in one runtime.
///
/// A task of its own: in a runtime that is ending a timer panics, while a task is only cancelled, and says so.
#[derive(Debug)]
pub(super) struct Nap {
    until: Instant,
    over: JoinHandle<()>,
}

impl Nap {
    /// Begins one in the runtime that this thread is in, whose handle this is.
    ///
    /// # Panics
    /// As tokio does: in a runtime without `enable_time`.
    pub(super) fn new(handle: &Handle, until: Instant) -> Self {
        let over = handle.spawn(sleep_until(until));
        Self { until, over }
    }

    /// Whether it still wakes somebody, by this time at the latest.
    pub(super) fn serves(&self, until: Instant) -> bool {
        self.until <= until && !self.over.is_finished()
    }

    /// Has the task woken when it is over. An error if the runtime ended first. Not asked again once it is ready.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.over).poll(cx).map_err(io::Error::other)
    }
}

impl Drop for Nap {
    fn drop(&mut self) {
        self.over.abort();
    }
}
