//! A worker: takes jobs, runs them, answers, until there will be no more.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{self, ExitCode},
};

use crate::{
    Deadline, Receiver, RecvError, SendError, Sender,
    process::pool::{
        Function,
        cells::Hands,
        orders::{Orders, Outfit},
        wire::{self, HEADER, Kind},
    },
};

/// The code of a worker that could not do as it was told.
const UNABLE: u8 = 125;

/// Works as the parent orders.
pub(in crate::process) fn work(functions: &[Function], orders: &[u8]) -> ExitCode {
    let Some(orders) = Orders::read(orders) else {
        return ExitCode::from(UNABLE);
    };
    let named = |name: &String| functions.iter().find(|function| function.name == *name);
    // In the order that the parent has, whatever ours is.
    let functions: Option<Vec<&Function>> = orders.functions.iter().map(named).collect();
    match (functions, Outfit::inherited(orders.workers)) {
        (Some(functions), Ok(outfit)) => serve(&functions, orders.worker, outfit),
        _ => ExitCode::from(UNABLE),
    }
}

fn serve(functions: &[&Function], worker: u32, outfit: Outfit) -> ExitCode {
    let Outfit {
        mut jobs,
        mut answers,
        cells,
    } = outfit;
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    cells.say(worker, Hands::Empty);
    loop {
        let (id, function) = match jobs.peek(Deadline::NEVER) {
            Ok(message) => {
                let Some((id, function, bytes)) = wire::parts(message) else {
                    return ExitCode::from(UNABLE);
                };
                request.clear();
                request.extend_from_slice(bytes);
                (id, function)
            }
            Err(RecvError::Disconnected) => {
                cells.say(worker, Hands::Left);
                return ExitCode::SUCCESS;
            }
            Err(_) => return ExitCode::from(UNABLE),
        };
        // By C1. From here on it is ours: if it ends us, nobody else is given it.
        cells.say(worker, Hands::Job(id));
        jobs.consume();
        let function = usize::try_from(function)
            .ok()
            .and_then(|at| functions.get(at));
        run(function.copied(), id, &request, &mut answer);
        match answers.send(&answer) {
            Ok(()) => {}
            Err(SendError::TooLarge { .. }) => {
                let len = answer.len().saturating_sub(HEADER) as u64;
                wire::answer(&mut answer, id, Kind::TooLarge);
                answer.extend_from_slice(&len.to_le_bytes());
                if answers.send(&answer).is_err() {
                    return ExitCode::from(UNABLE);
                }
            }
            Err(_) => return ExitCode::from(UNABLE),
        }
    }
}

/// Runs a function, and has its answer in `answer`.
#[inline]
fn run(function: Option<&Function>, id: u64, request: &[u8], answer: &mut Vec<u8>) {
    wire::answer(answer, id, Kind::Done);
    let called = catch_unwind(AssertUnwindSafe(|| {
        function.map_or(Kind::Unreadable, |function| {
            (function.call)(request, answer)
        })
    }));
    match called {
        Ok(Kind::Done) => {}
        Ok(kind) => wire::answer(answer, id, kind),
        Err(panic) => {
            wire::answer(answer, id, Kind::Panicked);
            answer.extend_from_slice(&process::id().to_le_bytes());
            answer.extend_from_slice(message(panic.as_ref()).as_bytes());
        }
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("something that is no text")
}
