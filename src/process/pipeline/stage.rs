//! The entries that can stand in a pipeline, and what their processes do.

use std::{
    cell::RefCell,
    iter,
    process::{ExitCode, Termination},
};

use crate::{
    Deadline, OpenError, RecvError, SendError,
    process::{
        entry::{Entries, Part, Type},
        pipeline::{
            counters::{Fault, Line},
            input::Input,
            output::Output,
            work::{Nothing, Place, Work},
        },
    },
    typed::Value,
};

/// The code of a process that could not take what it was given.
const UNPREPARED: u8 = 125;

/// How the work of a process ends.
type Ended = Result<(), Fault>;

impl Entries {
    /// One more stage of [pipelines](crate::process::Pipeline): `each` makes one item of each that comes.
    ///
    /// Every worker of the stage is a process with an `each` of its own, so what it keeps between items it keeps for those that it was given.
    #[must_use]
    pub fn stage<T: Value, U: Value>(
        self,
        name: &str,
        mut each: impl FnMut(T) -> U + 'static,
    ) -> Self {
        let one = move |item| iter::once(each(item));
        self.staged(name, one, false)
    }

    /// One more stage of [pipelines](crate::process::Pipeline): `each` makes of each item that comes as many as it likes: an `Option` for one or none, a
    /// `Vec`, any iterator.
    #[must_use]
    pub fn flat_stage<T: Value, I: IntoIterator<Item: Value> + 'static>(
        self,
        name: &str,
        each: impl FnMut(T) -> I + 'static,
    ) -> Self {
        self.staged(name, each, true)
    }

    fn staged<T: Value, I: IntoIterator<Item: Value> + 'static>(
        self,
        name: &str,
        each: impl FnMut(T) -> I + 'static,
        flat: bool,
    ) -> Self {
        // An entry is run once in a process.
        let each = RefCell::new(each);
        let run = move |work: Work<Nothing>| {
            let mut each = each.borrow_mut();
            at_work(work.place, |line| pass(work.place, line, &mut *each))
        };
        self.entry(name, run).passing(Part {
            input: Some(Type::of::<T>()),
            output: Some(Type::of::<I::Item>()),
            flat,
            arguments: None,
        })
    }

    /// One more source of [pipelines](crate::process::Pipeline): a process that sends the items of the iterator which `items` makes from the arguments.
    #[must_use]
    pub fn source<A: Value, I: IntoIterator<Item: Value> + 'static>(
        self,
        name: &str,
        items: impl Fn(A) -> I + 'static,
    ) -> Self {
        let run = move |work: Work<A>| {
            let Work { place, arguments } = work;
            at_work(place, |line| send_all(place, line, items(arguments)))
        };
        self.entry(name, run).passing(Part {
            input: None,
            output: Some(Type::of::<I::Item>()),
            flat: false,
            arguments: Some(Type::of::<A>()),
        })
    }

    /// One more sink of [pipelines](crate::process::Pipeline): a process that does with the items that come what `take` does. What it returns ends the process as
    /// for an [entry](Self::entry); if that is before the items end, the stages before it end too.
    #[must_use]
    pub fn sink<A: Value, T: Value, R: Termination>(
        self,
        name: &str,
        take: impl Fn(A, Items<T>) -> R + 'static,
    ) -> Self {
        let run = move |work: Work<A>| {
            let Work { place, arguments } = work;
            match items(place) {
                Ok((items, line)) => {
                    let code = take(arguments, items).report();
                    line.done();
                    if line.is_done() {
                        code
                    } else {
                        ExitCode::FAILURE
                    }
                }
                Err(_) => ExitCode::from(UNPREPARED),
            }
        };
        self.entry(name, run).passing(Part {
            input: Some(Type::of::<T>()),
            output: None,
            flat: false,
            arguments: Some(Type::of::<A>()),
        })
    }
}

/// Does the work of a process, and says how it ended.
fn at_work(place: Place, work: impl FnOnce(&Line) -> Result<Ended, OpenError>) -> ExitCode {
    let Ok(line) = place.take_line() else {
        return ExitCode::from(UNPREPARED);
    };
    match work(&line) {
        Ok(Ok(())) => {
            line.done();
            ExitCode::SUCCESS
        }
        Ok(Err(fault)) => {
            line.fail(&fault);
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::from(UNPREPARED),
    }
}

/// Who wants no more items is no fault: if it died, that is told of itself.
fn unless_gone(sent: Result<(), SendError>) -> Result<bool, Fault> {
    match sent {
        Ok(()) => Ok(true),
        Err(SendError::Disconnected) => Ok(false),
        Err(error) => Err(Fault::Send(error)),
    }
}

/// Passes on what `each` makes of the items that come, until none can come, or nobody wants one.
fn pass<T: Value, I: IntoIterator<Item: Value>>(
    place: Place,
    line: &Line,
    each: &mut impl FnMut(T) -> I,
) -> Result<Ended, OpenError> {
    let mut input = Input::new(place.take_input()?, place.input_turns())?;
    let mut output = Output::new(place.take_output()?, place.output_turns())?;
    let mut work = || {
        loop {
            let next = match input.next(line, Deadline::NEVER) {
                Ok(next) => next,
                Err(RecvError::Disconnected) => return Ok(()),
                Err(error) => return Err(Fault::Recv(error)),
            };
            for made in next.item.into_iter().flat_map(&mut *each) {
                if !unless_gone(output.send(&made, line, Deadline::NEVER))? {
                    return Ok(());
                }
            }
            if next.over && !unless_gone(output.turn(line, Deadline::NEVER))? {
                return Ok(());
            }
        }
    };
    Ok(work())
}

/// Sends all items, each as a turn, unless nobody wants one.
fn send_all<I: IntoIterator<Item: Value>>(
    place: Place,
    line: &Line,
    items: I,
) -> Result<Ended, OpenError> {
    let mut output = Output::new(place.take_output()?, place.output_turns())?;
    let work = || {
        for item in items {
            let sent = output.send(&item, line, Deadline::NEVER);
            let turned = sent.and_then(|()| output.turn(line, Deadline::NEVER));
            if !unless_gone(turned)? {
                return Ok(());
            }
        }
        Ok(())
    };
    Ok(work())
}

/// The items that come to a sink, and its line once more.
fn items<T: Value>(place: Place) -> Result<(Items<T>, Line), OpenError> {
    let line = place.take_line()?;
    let input = Input::new(place.take_input()?, place.input_turns())?;
    let again = line.another()?;
    Ok((
        Items {
            input: Some(input),
            line,
        },
        again,
    ))
}

/// The items that come to a sink of a [`Pipeline`](crate::process::Pipeline) that is a process.
///
/// It ends when no more can come. It ends too if one comes that is no `T`, or its channel breaks: then the sink has failed, whatever it returns, and the
/// [error](super::PipelineError::Failed) tells why.
#[derive(Debug)]
pub struct Items<T> {
    /// `None` after the last.
    input: Option<Input<T>>,
    line: Line,
}

impl<T: Value> Iterator for Items<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self.input.as_mut()?.item(&self.line, Deadline::NEVER) {
            Ok(item) => return Some(item),
            Err(RecvError::Disconnected) => {}
            Err(error) => self.line.fail(&Fault::Recv(error)),
        }
        self.input = None;
        None
    }
}

impl<T: Value> iter::FusedIterator for Items<T> {}
