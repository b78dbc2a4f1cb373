//! The reservation of a sender that cannot lend in place: a buffer that is sent at commit.

use crate::{Deadline, SendError};

/// A reserved message in a buffer of ours, which is made once and grows only for a longer message.
#[derive(Debug)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    len: Option<usize>,
    deadline: Deadline,
}

impl Scratch {
    /// Without a reservation.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            len: None,
            deadline: Deadline::NEVER,
        }
    }

    /// Reserves `len` bytes, `max` at most.
    pub(crate) fn reserve(
        &mut self,
        len: usize,
        max: usize,
        deadline: Deadline,
    ) -> Result<&mut [u8], SendError> {
        self.len = None;
        if len > max {
            return Err(SendError::TooLarge { max });
        }
        if self.bytes.len() < len {
            self.bytes.resize(len, 0);
        }
        self.len = Some(len);
        self.deadline = deadline;
        Ok(self.reserved())
    }

    /// The reservation.
    pub(crate) fn reserved(&mut self) -> &mut [u8] {
        let len = self.len.unwrap_or(0);
        self.bytes.get_mut(..len).unwrap_or_default()
    }

    /// Gives it back.
    pub(crate) fn abort(&mut self) {
        self.len = None;
    }

    /// Has `send` send the first `len` bytes by the deadline of the reservation, which ends if that succeeds.
    pub(crate) fn commit(
        &mut self,
        len: usize,
        send: impl FnOnce(&[u8], Deadline) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        let max = self.len.unwrap_or(0);
        let too_large = SendError::TooLarge { max };
        if self.len.is_none() || len > max {
            return Err(too_large);
        }
        send(self.bytes.get(..len).ok_or(too_large)?, self.deadline)?;
        self.len = None;
        Ok(())
    }
}

/// Implements reserve, reserved, commit and abort of a sender that has a `scratch` and a `max_message`.
macro_rules! reserve_in_scratch {
    () => {
        fn reserve(
            &mut self,
            len: usize,
            deadline: $crate::Deadline,
        ) -> Result<&mut [u8], $crate::SendError> {
            self.scratch.reserve(len, self.max_message, deadline)
        }

        fn reserved(&mut self) -> &mut [u8] {
            self.scratch.reserved()
        }

        fn commit(&mut self, len: usize) -> Result<(), $crate::SendError> {
            // Out of the way, so that `self` can send.
            let mut scratch = std::mem::replace(&mut self.scratch, Scratch::new());
            let sent = scratch.commit(len, |message, deadline| self.send_by(message, deadline));
            self.scratch = scratch;
            sent
        }

        fn abort(&mut self) {
            self.scratch.abort();
        }
    };
}

pub(crate) use reserve_in_scratch;
