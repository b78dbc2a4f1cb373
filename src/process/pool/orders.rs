//! What a worker is told when it is started.

use std::{io, mem};

use crate::{
    BoxReceiver, BoxSender, Endpoint, Handoff, OpenError,
    process::{
        give::{self, Give},
        pool::cells::Cells,
    },
};

/// The key by which it takes its ends, and their words.
const KEY: &str = "pool";
const JOBS: &str = "jobs";
const ANSWERS: &str = "answers";
const CELLS: &str = "cells";

/// What a worker is told: which of how many it is, and what its functions are called, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) worker: u32,
    pub(super) workers: u32,
    pub(super) functions: Vec<String>,
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

impl Orders {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.worker.to_le_bytes());
        bytes.extend_from_slice(&self.workers.to_le_bytes());
        for name in &self.functions {
            // No program has names that long; one that had would not find its function.
            let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes
    }

    pub(super) fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut orders = Self {
            worker: take_u32(&mut bytes)?,
            workers: take_u32(&mut bytes)?,
            functions: Vec::new(),
        };
        while !bytes.is_empty() {
            let len = usize::try_from(take_u32(&mut bytes)?).ok()?;
            let (name, rest) = mem::take(&mut bytes).split_at_checked(len)?;
            orders
                .functions
                .push(String::from_utf8(name.to_vec()).ok()?);
            bytes = rest;
        }
        Some(orders)
    }
}

/// The ends that the parent keeps to give to workers, old and new.
#[derive(Debug)]
pub(super) struct Outfit {
    pub(super) jobs: BoxReceiver,
    pub(super) answers: BoxSender,
    pub(super) cells: Cells,
}

impl Give for Outfit {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        Ok(vec![
            (JOBS, self.jobs.handoff()?),
            (ANSWERS, self.answers.handoff()?),
            (CELLS, self.cells.handoff()?),
        ])
    }
}

impl Outfit {
    /// The key for [`Give`].
    pub(super) const KEY: &'static str = KEY;

    /// Takes what the parent gave.
    pub(super) fn inherited(workers: u32) -> Result<Self, OpenError> {
        Ok(Self {
            jobs: give::part_receiver(KEY, JOBS)?,
            answers: give::part_sender(KEY, ANSWERS)?,
            cells: Cells::adopt(give::part(KEY, CELLS)?, workers)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_come_back_as_they_were() {
        let functions = ["square", "", "a name with spaces"].map(str::to_owned);
        let orders = Orders {
            worker: 3,
            workers: 4,
            functions: functions.into(),
        };
        let bytes = orders.write();
        assert_eq!(Orders::read(&bytes), Some(orders));
        assert_eq!(Orders::read(&bytes[..bytes.len() - 1]), None);
    }
}
