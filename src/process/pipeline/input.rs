//! Where the items of a process come from: one channel, or a lane from each worker of the stage before.

use std::marker::PhantomData;

use crate::{
    BoxReceiver, Deadline, OpenError, Receiver, RecvError,
    process::pipeline::{
        counters::{For, Line},
        turns::{ITEM, OVER, Turns},
    },
    typed::Value,
};

/// What came.
pub(super) struct Next<T> {
    /// The item; none if only the end of a turn came.
    pub(super) item: Option<T>,
    /// Whether the turn is over.
    pub(super) over: bool,
}

/// The items that come to a process.
#[derive(Debug)]
pub(super) struct Input<T> {
    lanes: Vec<BoxReceiver>,
    turns: Turns,
    _items: PhantomData<fn() -> T>,
}

impl<T: Value> Input<T> {
    pub(super) fn new(mut lanes: Vec<BoxReceiver>, turns: Turns) -> Result<Self, OpenError> {
        for lane in &mut lanes {
            T::declare(lane)?;
        }
        Ok(Self {
            lanes,
            turns,
            _items: PhantomData,
        })
    }

    /// What comes next, waited for up to the deadline.
    #[inline]
    pub(super) fn next(&mut self, line: &Line, deadline: Deadline) -> Result<Next<T>, RecvError> {
        let lane = self.lanes.get_mut(self.turns.lane);
        let lane = lane.ok_or(RecvError::Disconnected)?;
        peek(lane, line, deadline)?;
        let message = lane.peeked();
        let found = message.len();
        let next = if self.turns.marked {
            match message.split_last() {
                Some((&ITEM, item)) => Next {
                    item: Some(T::read(item).ok_or(RecvError::Mistyped { found })?),
                    over: false,
                },
                Some((&OVER, [])) => Next {
                    item: None,
                    over: true,
                },
                _ => return Err(RecvError::Corrupt),
            }
        } else {
            Next {
                item: Some(T::read(message).ok_or(RecvError::Mistyped { found })?),
                over: true,
            }
        };
        if next.item.is_some() {
            line.received();
        }
        lane.consume();
        if next.over {
            self.turns.step();
        }
        Ok(next)
    }

    /// The next item, waited for up to the deadline, whichever turn it is of.
    #[inline]
    pub(super) fn item(&mut self, line: &Line, deadline: Deadline) -> Result<T, RecvError> {
        loop {
            if let Some(item) = self.next(line, deadline)?.item {
                return Ok(item);
            }
        }
    }
}

/// Waits for a message up to the deadline. The clock is read only if there is none at once.
#[inline]
fn peek(lane: &mut BoxReceiver, line: &Line, deadline: Deadline) -> Result<(), RecvError> {
    match lane.peek(Deadline::NOW) {
        Ok(_) => Ok(()),
        Err(RecvError::Empty) if deadline != Deadline::NOW => {
            line.waiting(For::Item, || lane.peek(deadline).map(drop))
        }
        Err(error) => Err(error),
    }
}

/// Takes out all that comes, until nothing can any more, whatever it is.
pub(super) fn discard(lanes: &mut [BoxReceiver], mut turns: Turns, line: &Line) {
    while let Some(lane) = lanes.get_mut(turns.lane) {
        if peek(lane, line, Deadline::NEVER).is_err() {
            return;
        }
        let is_mark = turns.marked && lane.peeked() == [OVER];
        if !is_mark {
            line.received();
        }
        lane.consume();
        if is_mark || !turns.marked {
            turns.step();
        }
    }
}
