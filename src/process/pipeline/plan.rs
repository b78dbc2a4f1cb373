//! A pipeline, checked and then opened.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Address, AddressError, BoxChannel, BoxReceiver, BoxSender, Registry,
    process::{
        entry::{self, Known, Part, Type},
        pipeline::{
            End, Pipeline,
            counters::Counters,
            crew::{Crew, LinkEnds, Recruit},
            error::PipelineError,
            link::{Form, Link},
            running::{Open, Row, Running},
            work::{Nothing, Place, Work},
        },
        start_error::StartError,
    },
    typed::Unencodable,
};

/// A row of the pipeline, checked.
struct Planned {
    name: String,
    /// The entry's part; `None` of an end that is here.
    part: Option<Part>,
    workers: usize,
    arguments: Vec<u8>,
    of: Type,
    /// The line of its first worker.
    line: usize,
}

/// A pipeline whose entries are there and fit each other.
pub(super) struct Plan {
    rows: Vec<Planned>,
    links: BTreeMap<usize, Result<Address, AddressError>>,
    ordered: bool,
}

/// The entry with this name.
fn find(name: &str) -> Result<&'static Known, StartError> {
    let known = entry::known().ok_or(StartError::NotServed)?;
    let found = known.iter().find(|known| known.name == name);
    found.ok_or_else(|| StartError::UnknownEntry {
        name: name.to_owned(),
        known: known.iter().map(|known| known.name.clone()).collect(),
    })
}

/// What the entry with this name does in a pipeline, if that is what is `wanted` of it.
fn part(name: &str, wanted: &'static str) -> Result<Part, PipelineError> {
    let known = find(name).map_err(|error| PipelineError::Start {
        stage: name.to_owned(),
        error,
    })?;
    let fits = |part: &Part| {
        let (takes, gives) = (part.input.is_some(), part.output.is_some());
        (takes, gives) == (wanted != "source", wanted != "sink")
    };
    let misplaced = || PipelineError::Misplaced {
        name: name.to_owned(),
        wanted,
    };
    known.part.filter(fits).ok_or_else(misplaced)
}

/// The row of a source or a sink.
fn end_row(end: Option<End>, wanted: &'static str) -> Result<Planned, PipelineError> {
    let nothing = Type::of::<Work<Nothing>>();
    let Some(End {
        name,
        arguments,
        of,
        takes,
    }) = end
    else {
        return Ok(Planned {
            name: wanted.to_owned(),
            part: None,
            workers: 1,
            arguments: Vec::new(),
            of: nothing,
            line: 0,
        });
    };
    let part = part(&name, wanted)?;
    if part.arguments.is_some_and(|expected| expected != takes) {
        let error = StartError::Arguments {
            name: name.clone(),
            expected: part.arguments.map_or("", |expected| expected.name),
            found: takes.name,
        };
        return Err(PipelineError::Start { stage: name, error });
    }
    match arguments {
        Ok(arguments) => Ok(Planned {
            name,
            part: Some(part),
            workers: 1,
            arguments,
            of,
            line: 0,
        }),
        Err(Unencodable) => Err(PipelineError::Start {
            stage: name,
            error: StartError::Unencodable,
        }),
    }
}

impl Plan {
    /// Checks all that can be checked before anything is opened or started.
    pub(super) fn new(pipeline: Pipeline) -> Result<Self, PipelineError> {
        if pipeline.stages.is_empty() {
            return Err(PipelineError::NoStages);
        }
        let mut rows = vec![end_row(pipeline.source, "source")?];
        for (name, workers) in pipeline.stages {
            if workers == 0 {
                return Err(PipelineError::NoWorkers { stage: name });
            }
            rows.push(Planned {
                part: Some(part(&name, "stage")?),
                name,
                workers,
                arguments: Vec::new(),
                of: Type::of::<Work<Nothing>>(),
                line: 0,
            });
        }
        rows.push(end_row(pipeline.sink, "sink")?);
        let mut line = 0;
        for row in &mut rows {
            row.line = line;
            line += row.workers;
        }
        for pair in rows.windows(2) {
            let [from, to] = pair else { continue };
            let sent = from.part.and_then(|part| part.output);
            let received = to.part.and_then(|part| part.input);
            if let (Some(sent), Some(received)) = (sent, received)
                && sent != received
            {
                return Err(PipelineError::Types {
                    from: from.name.clone(),
                    to: to.name.clone(),
                    sent: sent.name,
                    received: received.name,
                });
            }
        }
        // Among single processes nothing gets out of order.
        let ordered = pipeline.ordered && rows.iter().any(|row| row.workers > 1);
        Ok(Self {
            rows,
            links: pipeline.links,
            ordered,
        })
    }

    /// Opens the link behind this row.
    fn open(&mut self, index: usize) -> Result<(Link, BoxChannel), PipelineError> {
        let [from, to] = [index, index + 1].map(|index| self.rows.get(index));
        let (Some(from), Some(to)) = (from, to) else {
            return Err(PipelineError::NoStages);
        };
        let form = Form {
            senders: from.workers,
            receivers: to.workers,
            ordered: self.ordered,
        };
        let address = self.links.remove(&index);
        let address = address.unwrap_or_else(|| form.usual().parse())?;
        let channel = Registry::BUILTIN.channel(&address)?;
        match form.open(&channel) {
            Ok(link) => Ok((link, channel)),
            Err(error) => Err(PipelineError::Link {
                from: from.name.clone(),
                to: to.name.clone(),
                error: Box::new(error),
            }),
        }
    }

    /// Whether the end of a turn is said on the link behind this row: if a stage up to there makes any number of items of one.
    fn is_marked(&self, index: usize) -> bool {
        let mut before = self.rows.iter().take(index + 1);
        self.ordered && before.any(|row| row.part.is_some_and(|part| part.flat))
    }

    /// Opens the links and starts the processes.
    pub(super) fn start(mut self) -> Result<Running, PipelineError> {
        let (mut links, mut channels) = (Vec::<LinkEnds>::new(), Vec::new());
        for index in 0..self.rows.len().saturating_sub(1) {
            let (Link { senders, receivers }, channel) = self.open(index)?;
            links.push((Some(senders), Some(receivers)));
            channels.push(channel);
        }
        let recruits = self.recruits(&links);
        let source = self.source(&mut links);
        let sink = self.sink(&mut links);
        let lines = self.rows.iter().map(|row| row.workers).sum();
        let counted = |error| PipelineError::Link {
            from: "each process".to_owned(),
            to: "its counters".to_owned(),
            error: Box::new(error),
        };
        let counters = Counters::new(lines).map_err(counted)?;
        let theirs = counters.another().map_err(counted)?;
        let crew = Arc::new(Crew::start(recruits, links, channels, theirs)?);
        let rows = self.rows.into_iter().map(|row| Row {
            name: row.name,
            workers: row.workers,
            line: row.line,
        });
        Ok(Running {
            rows: rows.collect(),
            source,
            sink,
            counters,
            crew,
        })
    }

    /// All processes that are to be started.
    fn recruits(&self, links: &[LinkEnds]) -> Vec<Recruit> {
        let mut recruits = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            if row.part.is_none() {
                continue;
            }
            for worker in 0..row.workers {
                recruits.push(Recruit {
                    row: index,
                    stage: row.name.clone(),
                    place: self.place(index, worker, links),
                    arguments: row.arguments.clone(),
                    of: row.of,
                });
            }
        }
        recruits
    }

    /// Takes the ends of the source, if it is here.
    fn source(&self, links: &mut [LinkEnds]) -> Option<Open<BoxSender>> {
        let place = self.place(0, 0, links);
        let [here, across, ..] = self.rows.as_slice() else {
            return None;
        };
        let (senders, _) = links.first_mut()?;
        Some(Open {
            lanes: senders.take_if(|_| here.part.is_none())?.into_only(),
            place,
            across: across.name.clone(),
            of: across.part?.input?,
        })
    }

    /// Takes the ends of the sink, if it is here.
    fn sink(&self, links: &mut [LinkEnds]) -> Option<Open<BoxReceiver>> {
        let place = self.place(links.len(), 0, links);
        let [.., across, here] = self.rows.as_slice() else {
            return None;
        };
        let (_, receivers) = links.last_mut()?;
        Some(Open {
            lanes: receivers.take_if(|_| here.part.is_none())?.into_only(),
            place,
            across: across.name.clone(),
            of: across.part?.output?,
        })
    }

    /// Where a process stands.
    fn place(&self, row: usize, worker: usize, links: &[LinkEnds]) -> Place {
        let before = row.checked_sub(1);
        let input = before.and_then(|before| links.get(before)?.1.as_ref());
        let output = links.get(row).and_then(|link| link.0.as_ref());
        let planned = self.rows.get(row);
        Place {
            line: planned.map_or(0, |planned| planned.line) + worker,
            worker,
            workers: planned.map_or(1, |planned| planned.workers),
            input: (
                input.map_or(0, |ends| ends.of(worker).len()),
                before.is_some_and(|before| self.is_marked(before)),
            ),
            output: (
                output.map_or(0, |ends| ends.of(worker).len()),
                self.is_marked(row),
            ),
        }
    }
}
