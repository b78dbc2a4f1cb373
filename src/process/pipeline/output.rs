//! Where the items of a process go: one channel, or a lane to each worker of the stage behind.

use std::marker::PhantomData;

use crate::{
    BoxSender, Deadline, OpenError, SendError, Sender,
    process::pipeline::{
        counters::{For, Line},
        turns::{ITEM, OVER, Turns},
    },
    typed::Value,
};

/// The items that go from a process.
#[derive(Debug)]
pub(super) struct Output<T> {
    lanes: Vec<BoxSender>,
    turns: Turns,
    scratch: Vec<u8>,
    _items: PhantomData<fn(T)>,
}

impl<T: Value> Output<T> {
    pub(super) fn new(mut lanes: Vec<BoxSender>, turns: Turns) -> Result<Self, OpenError> {
        for lane in &mut lanes {
            T::declare(lane)?;
        }
        Ok(Self {
            lanes,
            turns,
            scratch: Vec::new(),
            _items: PhantomData,
        })
    }

    /// Sends an item of this turn, waiting for room up to the deadline.
    #[inline]
    pub(super) fn send(
        &mut self,
        item: &T,
        line: &Line,
        deadline: Deadline,
    ) -> Result<(), SendError> {
        let Self {
            lanes,
            turns,
            scratch,
            ..
        } = self;
        let lane = lanes.get_mut(turns.lane).ok_or(SendError::Disconnected)?;
        match item.plain() {
            Some(bytes) if !turns.marked => send(lane, bytes, line, deadline)?,
            _ => {
                scratch.clear();
                item.write(scratch)?;
                if turns.marked {
                    scratch.push(ITEM);
                }
                send(lane, scratch, line, deadline)?;
            }
        }
        line.sent();
        Ok(())
    }

    /// Ends this turn, waiting for room for the mark up to the deadline.
    #[inline]
    pub(super) fn turn(&mut self, line: &Line, deadline: Deadline) -> Result<(), SendError> {
        if self.turns.marked {
            let lane = self.lanes.get_mut(self.turns.lane);
            send(
                lane.ok_or(SendError::Disconnected)?,
                &[OVER],
                line,
                deadline,
            )?;
        }
        self.turns.step();
        Ok(())
    }
}

/// Sends a message, waiting for room up to the deadline. The clock is read only if there is none at once.
#[inline]
fn send(
    lane: &mut BoxSender,
    message: &[u8],
    line: &Line,
    deadline: Deadline,
) -> Result<(), SendError> {
    match lane.send_by(message, Deadline::NOW) {
        Err(SendError::Full) if deadline != Deadline::NOW => {
            line.waiting(For::Room, || lane.send_by(message, deadline))
        }
        sent => sent,
    }
}
