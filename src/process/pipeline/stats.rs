//! What a pipeline is doing, as numbers.

use std::{fmt, time::Duration};

/// What a pipeline has done since it was started: a row for its source, each stage and its sink.
///
/// As text it is a table.
///
/// # Staleness
/// The processes count while they are asked, so the numbers of different rows are of slightly different moments. Once the pipeline has been
/// [joined](super::Running::join) they are exact.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// How long it has run, or ran.
    pub elapsed: Duration,
    /// Source, stages and sink, in order.
    pub stages: Vec<StageStats>,
}

/// What a stage has done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StageStats {
    /// Its name; `source` and `sink` for the ends that the parent has.
    pub name: String,
    /// Its processes.
    pub workers: usize,
    /// Items that came in, 0 for the source.
    pub received: u64,
    /// Items that went out, 0 for the sink.
    pub sent: u64,
    /// Items that wait before it.
    pub depth: u64,
    /// Items a second: those that came, or of the source those that went.
    pub rate: f64,
    /// How long it has waited for items, all workers together.
    pub waited_for_items: Duration,
    /// How long it has waited for room for what it made, all workers together.
    pub waited_for_room: Duration,
}

impl StageStats {
    /// Items that the stage has dealt with.
    fn items(&self) -> u64 {
        self.received
            .max(if self.received == 0 { self.sent } else { 0 })
    }
}

impl Stats {
    /// The stage with this name, or the `source` or `sink`.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageStats> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// What was done between an earlier moment of the same pipeline and this: items, rates and times of only that while. The depths are
    /// of now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut stats = self.clone();
        stats.elapsed = self.elapsed.saturating_sub(earlier.elapsed);
        for (now, then) in stats.stages.iter_mut().zip(&earlier.stages) {
            now.received = now.received.saturating_sub(then.received);
            now.sent = now.sent.saturating_sub(then.sent);
            let waited = now.waited_for_items;
            now.waited_for_items = waited.saturating_sub(then.waited_for_items);
            let waited = now.waited_for_room;
            now.waited_for_room = waited.saturating_sub(then.waited_for_room);
        }
        stats.with_rates()
    }

    /// The same, with rates that follow from the counts.
    pub(super) fn with_rates(mut self) -> Self {
        let seconds = self.elapsed.as_secs_f64();
        for stage in &mut self.stages {
            stage.rate = match seconds {
                0.0 => 0.0,
                #[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
                seconds => stage.items() as f64 / seconds,
            };
        }
        self
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.stages.iter().map(|stage| stage.name.len()).max();
        let width = width.unwrap_or(0).max(5);
        write!(
            f,
            "{:width$}  workers     items in    items out      items/s      depth  waits for items  for room",
            "stage"
        )?;
        for stage in &self.stages {
            // Of the time that all its workers have had.
            let workers = u32::try_from(stage.workers).unwrap_or(u32::MAX);
            let all = (self.elapsed * workers).as_secs_f64();
            let part = |waited: Duration| match all {
                0.0 => 0.0,
                all => 100.0 * waited.as_secs_f64() / all,
            };
            write!(
                f,
                "\n{:width$}  {:7}  {:11}  {:11}  {:11.0}  {:9}  {:14.0}%  {:7.0}%",
                stage.name,
                stage.workers,
                stage.received,
                stage.sent,
                stage.rate,
                stage.depth,
                part(stage.waited_for_items),
                part(stage.waited_for_room),
            )?;
        }
        Ok(())
    }
}
