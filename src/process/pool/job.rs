//! The handle of one job.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Deadline,
    process::pool::{JobError, promise::Promise},
};

/// A job that was submitted by [`Pool::apply_async`](crate::process::Pool::apply_async), and its result when it has one.
///
/// A handle that is dropped leaves the job to be done; nobody learns its result.
///
/// # Crash behaviour
/// Whatever happens to workers or to the pool, each job ends: with its result, or with an error that says why it has none.
#[doc(alias = "AsyncResult")]
pub struct Job<Resp> {
    promise: Arc<Promise<Resp>>,
    number: u64,
}

impl<Resp> Job<Resp> {
    pub(super) fn new(promise: Arc<Promise<Resp>>, number: u64) -> Self {
        Self { promise, number }
    }

    /// Its number: how many were submitted to the pool before it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its result, which is waited for as long as it takes.
    ///
    /// # Errors
    /// [`JobError`] says why it has none; never [`Pending`](JobError::Pending).
    pub fn get(self) -> Result<Resp, JobError> {
        self.get_by(Deadline::NEVER)
    }

    /// The same, waiting for at most `timeout`.
    ///
    /// # Errors
    /// As for [`get_by`](Self::get_by).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Resp, JobError> {
        self.get_by(Deadline::after(timeout))
    }

    /// The same, up to the deadline.
    ///
    /// # Errors
    /// [`Pending`](JobError::Pending) if it has not ended by then: ask again. [`Taken`](JobError::Taken) if this has told the result before. Else why it has
    /// none.
    pub fn get_by(&self, deadline: Deadline) -> Result<Resp, JobError> {
        self.promise.take(deadline)
    }

    /// Whether it has ended, with a result or without.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.promise.is_settled(Deadline::NOW)
    }

    /// Waits for its end, for at most `timeout`; whether it has ended.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.promise.is_settled(Deadline::after(timeout))
    }
}

impl<Resp> fmt::Debug for Job<Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.number).finish()
    }
}
