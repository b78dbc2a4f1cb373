//! The ends of a pipeline that the parent has.

use std::{iter, sync::Arc, time::Duration};

use crate::{
    Deadline, RecvError, SendError,
    process::pipeline::{
        counters::{Counters, Line},
        crew::Crew,
        error::PipelineError,
        input::Input,
        output::Output,
    },
    typed::Value,
};

/// The source of a [running](super::Running) pipeline, here. When it is closed, or dropped, the stages finish what has been sent and end, one
/// after the other.
#[derive(Debug)]
pub struct Source<T> {
    output: Output<T>,
    line: Line,
    counters: Counters,
    crew: Arc<Crew>,
}

impl<T: Value> Source<T> {
    pub(super) fn new(output: Output<T>, line: Line, counters: Counters, crew: Arc<Crew>) -> Self {
        Self {
            output,
            line,
            counters,
            crew,
        }
    }

    /// Sends an item into the first stage, waiting for room as long as it takes. If the same thread receives the results, it waits for itself once all
    /// links are full: see [`Pipeline::run`](crate::process::Pipeline::run).
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by).
    #[inline]
    pub fn send(&mut self, item: &T) -> Result<(), PipelineError> {
        self.send_by(item, Deadline::NEVER)
    }

    /// Sends an item if there is room now.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by).
    #[inline]
    pub fn try_send(&mut self, item: &T) -> Result<(), PipelineError> {
        self.send_by(item, Deadline::NOW)
    }

    /// Sends an item, waiting for room up to `timeout`.
    ///
    /// # Errors
    /// As for [`send_by`](Self::send_by).
    #[inline]
    pub fn send_timeout(&mut self, item: &T, timeout: Duration) -> Result<(), PipelineError> {
        self.send_by(item, Deadline::after(timeout))
    }

    /// Sends an item, waiting for room up to the deadline.
    ///
    /// # Errors
    /// [`Failed`](PipelineError::Failed) if a process has failed; [`Send`](PipelineError::Send) with
    /// [`Full`](SendError::Full) at the deadline, [`Disconnected`](SendError::Disconnected) if the sink wants no more, `TooLarge` or `Unencodable`. After any
    /// error it was not sent.
    #[inline]
    pub fn send_by(&mut self, item: &T, deadline: Deadline) -> Result<(), PipelineError> {
        let Self { output, line, .. } = self;
        let sent = output.send(item, line, deadline);
        // A turn of the source is an item, so no mark follows for which there might be no room.
        match sent.and_then(|()| output.turn(line, deadline)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.told(error)),
        }
    }

    #[cold]
    fn told(&self, error: SendError) -> PipelineError {
        if matches!(error, SendError::Disconnected)
            && let Err(failed) = self.crew.wait(&self.counters)
        {
            return failed;
        }
        PipelineError::Send(error)
    }

    /// Sends no more. The same as dropping it.
    pub fn close(self) {}
}

/// The sink of a [running](super::Running) pipeline, here: an iterator over the results.
///
/// # Dropping
/// Dropped before the end of the results, it ends all processes of the pipeline: by SIGTERM, and by SIGKILL those that have not ended a
/// second later.
#[derive(Debug)]
pub struct Sink<T> {
    input: Input<T>,
    line: Line,
    counters: Counters,
    crew: Arc<Crew>,
    ended: bool,
}

impl<T: Value> Sink<T> {
    pub(super) fn new(input: Input<T>, line: Line, counters: Counters, crew: Arc<Crew>) -> Self {
        Self {
            input,
            line,
            counters,
            crew,
            ended: false,
        }
    }

    /// Receives the next result, waiting for one as long as it takes; `None` if the source was closed and there are no more. Then all processes
    /// have ended, and well.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by).
    #[inline]
    pub fn recv(&mut self) -> Result<Option<T>, PipelineError> {
        self.recv_by(Deadline::NEVER)
    }

    /// Receives the next result if there is one now.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by).
    #[inline]
    pub fn try_recv(&mut self) -> Result<Option<T>, PipelineError> {
        self.recv_by(Deadline::NOW)
    }

    /// Receives the next result, waiting for one up to `timeout`.
    ///
    /// # Errors
    /// As for [`recv_by`](Self::recv_by).
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<T>, PipelineError> {
        self.recv_by(Deadline::after(timeout))
    }

    /// Receives the next result, waiting for one up to the deadline. For the processes to end after the last one it waits as long as that takes.
    ///
    /// # Errors
    /// [`Recv`](PipelineError::Recv) with [`Empty`](RecvError::Empty) at the deadline; [`Failed`](PipelineError::Failed) if a process has failed: the
    /// results before that are right, and more do not come.
    #[inline]
    pub fn recv_by(&mut self, deadline: Deadline) -> Result<Option<T>, PipelineError> {
        match self.input.item(&self.line, deadline) {
            Ok(item) => Ok(Some(item)),
            Err(error) => self.told(error),
        }
    }

    #[cold]
    fn told(&mut self, error: RecvError) -> Result<Option<T>, PipelineError> {
        match error {
            RecvError::Disconnected => {
                self.ended = true;
                self.crew.wait(&self.counters).map(|()| None)
            }
            error => Err(PipelineError::Recv(error)),
        }
    }
}

/// The results, until there are no more. An error is the last thing that is told.
impl<T: Value> Iterator for Sink<T> {
    type Item = Result<T, PipelineError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.recv();
        if next.is_err() && !self.ended {
            // What comes is not what was sent: nothing that follows can be trusted.
            self.crew.end();
            self.ended = true;
        }
        next.transpose()
    }
}

impl<T: Value> iter::FusedIterator for Sink<T> {}

impl<T> Drop for Sink<T> {
    fn drop(&mut self) {
        if !self.ended {
            self.crew.end();
        }
    }
}
