//! A pipeline that has been started.

use std::{process::ExitStatus, sync::Arc, time::Instant};

use crate::{
    BoxReceiver, BoxSender, OpenError,
    process::{
        child::Child,
        entry::Type,
        pipeline::{
            counters::Counters,
            crew::Crew,
            ends::{Sink, Source},
            error::PipelineError,
            input::{self, Input},
            output::Output,
            stats::{StageStats, Stats},
            work::Place,
        },
    },
    typed::Value,
};

/// A source, a stage or a sink.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) workers: usize,
    /// The line of its first worker.
    pub(super) line: usize,
}

/// An end that the parent has and nobody has taken yet.
#[derive(Debug)]
pub(super) struct Open<E> {
    pub(super) lanes: Vec<E>,
    pub(super) place: Place,
    /// Who is at the other end of the link.
    pub(super) across: String,
    /// The type of the items there.
    pub(super) of: Type,
}

/// How the processes of a stage ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageExit {
    /// The stage, or the source or the sink if it is a process.
    pub stage: String,
    /// Its workers, in order; `None` of one that somebody else has reaped.
    pub workers: Vec<Option<ExitStatus>>,
}

/// A pipeline that runs.
///
/// # Dropping
/// The processes live as long as this, the [`Source`] or the [`Sink`] does, and are ended with the last of them: [`join`](Self::join) a pipeline that shall
/// finish its work. A source or a sink that was not taken is closed.
#[derive(Debug)]
pub struct Running {
    pub(super) rows: Vec<Row>,
    pub(super) source: Option<Open<BoxSender>>,
    pub(super) sink: Option<Open<BoxReceiver>>,
    pub(super) counters: Counters,
    pub(super) crew: Arc<Crew>,
}

/// Whether items of `T` are what the other end of the link has.
fn check<T: Value, E>(open: &Open<E>, from_here: bool) -> Result<(), PipelineError> {
    let ours = Type::of::<T>();
    if ours == open.of {
        return Ok(());
    }
    let (here, across) = (ours.name, open.of.name);
    Err(if from_here {
        PipelineError::Types {
            from: "source".to_owned(),
            to: open.across.clone(),
            sent: here,
            received: across,
        }
    } else {
        PipelineError::Types {
            from: open.across.clone(),
            to: "sink".to_owned(),
            sent: across,
            received: here,
        }
    })
}

impl Running {
    /// Takes the source, if it is here: what sends items into the first stage. Once.
    ///
    /// # Errors
    /// [`Types`](PipelineError::Types) if the first stage takes items of another type; [`Taken`](PipelineError::Taken) if the
    /// source is a process, or was taken before.
    pub fn source<T: Value>(&mut self) -> Result<Source<T>, PipelineError> {
        let open = self.source.as_ref();
        let open = open.ok_or(PipelineError::Taken { end: "source" })?;
        check::<T, _>(open, true)?;
        let across = open.across.clone();
        let link = |error| PipelineError::Link {
            from: "source".to_owned(),
            to: across.clone(),
            error: Box::new(error),
        };
        let Some(Open { lanes, place, .. }) = self.source.take() else {
            return Err(PipelineError::Taken { end: "source" });
        };
        let output = Output::new(lanes, place.output_turns()).map_err(link)?;
        let line = self.counters.another().map_err(link)?.line(place.line);
        let counters = self.counters.another().map_err(link)?;
        Ok(Source::new(output, line, counters, Arc::clone(&self.crew)))
    }

    /// Takes the sink, if it is here: what receives the results of the last stage. Once.
    ///
    /// # Errors
    /// [`Types`](PipelineError::Types) if the last stage makes items of another type; [`Taken`](PipelineError::Taken) if the
    /// sink is a process, or was taken before.
    pub fn sink<T: Value>(&mut self) -> Result<Sink<T>, PipelineError> {
        let open = self.sink.as_ref();
        let open = open.ok_or(PipelineError::Taken { end: "sink" })?;
        check::<T, _>(open, false)?;
        let across = open.across.clone();
        let link = |error| PipelineError::Link {
            from: across.clone(),
            to: "sink".to_owned(),
            error: Box::new(error),
        };
        let Some(Open { lanes, place, .. }) = self.sink.take() else {
            return Err(PipelineError::Taken { end: "sink" });
        };
        let input = Input::new(lanes, place.input_turns()).map_err(link)?;
        let line = self.counters.another().map_err(link)?.line(place.line);
        let counters = self.counters.another().map_err(link)?;
        Ok(Sink::new(input, line, counters, Arc::clone(&self.crew)))
    }

    /// What has been done until now. Costs the processes nothing: they count anyway, each in a cache line of its own.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let now = self.crew.ended().unwrap_or_else(Instant::now);
        let mut stages: Vec<StageStats> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let mut stage = StageStats {
                name: row.name.clone(),
                workers: row.workers,
                received: 0,
                sent: 0,
                depth: 0,
                rate: 0.0,
                waited_for_items: std::time::Duration::ZERO,
                waited_for_room: std::time::Duration::ZERO,
            };
            for line in row.line..row.line + row.workers {
                let tally = self.counters.tally(line);
                stage.received = stage.received.wrapping_add(tally.received);
                stage.sent = stage.sent.wrapping_add(tally.sent);
                let waited = &mut stage.waited_for_items;
                *waited = waited.saturating_add(tally.waited_for_items);
                let waited = &mut stage.waited_for_room;
                *waited = waited.saturating_add(tally.waited_for_room);
            }
            let sent = stages.last().map_or(0, |before| before.sent);
            // An item may have come before whoever sent it has counted it.
            stage.depth = sent.saturating_sub(stage.received);
            stages.push(stage);
        }
        let elapsed = now.saturating_duration_since(self.crew.started);
        Stats { elapsed, stages }.with_rates()
    }

    /// The processes of a stage, in order, or the one of a source or sink that is a process. [Joining](Child::join) one or ending it is allowed; one that
    /// is ended has failed.
    #[must_use]
    pub fn children(&self, stage: &str) -> Vec<&Child> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.name == stage)
            .flat_map(|(index, _)| self.crew.row(index))
            .map(|worker| worker.child())
            .collect()
    }

    /// Waits until all processes have ended, as long as it takes, and tells how. A source that was not taken is closed first, and the
    /// results of a sink that was not taken are received and discarded.
    ///
    /// A source that was taken must be closed by then, and a sink that was taken must be emptied by somebody: who waits here for himself waits for ever.
    ///
    /// # Errors
    /// [`Failed`](PipelineError::Failed) with the first process that did not end well.
    pub fn join(&mut self) -> Result<Vec<StageExit>, PipelineError> {
        self.source = None;
        if let Some(Open {
            mut lanes, place, ..
        }) = self.sink.take()
        {
            let line = self.counters.another().map(|all| all.line(place.line));
            let line = line.map_err(|error: OpenError| PipelineError::Link {
                from: self
                    .rows
                    .iter()
                    .rev()
                    .nth(1)
                    .map_or_else(String::new, |row| row.name.clone()),
                to: "sink".to_owned(),
                error: Box::new(error),
            })?;
            input::discard(&mut lanes, place.input_turns(), &line);
        }
        self.crew.wait(&self.counters)?;
        Ok(self.exits())
    }

    /// How those processes have ended that have.
    #[must_use]
    pub fn exits(&self) -> Vec<StageExit> {
        let rows = self.rows.iter().enumerate().map(|(index, row)| StageExit {
            stage: row.name.clone(),
            workers: self
                .crew
                .row(index)
                .map(|worker| worker.child().exit_status())
                .collect(),
        });
        rows.filter(|exit| !exit.workers.is_empty()).collect()
    }

    /// Ends all processes now: by SIGTERM, and by SIGKILL those that have not ended a second later.
    pub fn terminate(&self) {
        self.crew.end();
    }
}
