//! The sending end of a System V queue.

use std::io;

use crate::{
    Deadline, Depth, End, Endpoint, Limits, SendError, Sender,
    crash::{self, Point},
    sys::{
        fd::Block,
        msg::{Message, Queue},
    },
    transport::family::{
        member::{Member, endpoint_by_member},
        queue_place::QueuePath,
        scratch::{Scratch, reserve_in_scratch},
    },
};

use super::{
    Sysv,
    opening::{Core, disconnected},
};

/// The sending end of a [`Sysv`].
#[derive(Debug)]
pub struct SysvSender {
    member: Member,
    queue: Queue,
    limits: Limits,
    max_message: usize,
    mtype: i64,
    message: Message,
    scratch: Scratch,
    /// Below the member, so that it goes after the segment.
    _path: QueuePath,
}

impl SysvSender {
    pub(super) fn new(channel: &Sysv, (member, queue, limits, path): Core) -> Self {
        Self {
            member,
            queue,
            limits,
            max_message: limits.max_message,
            // msgsnd takes no other.
            mtype: channel.mtype.max(1),
            message: Message::with_room(limits.max_message),
            scratch: Scratch::new(),
            _path: path,
        }
    }

    /// Sends messages of this type from now on; less than 1 counts as 1.
    #[doc(alias = "msgsnd")]
    pub fn set_mtype(&mut self, mtype: i64) {
        self.mtype = mtype.max(1);
    }
}

impl Endpoint for SysvSender {
    endpoint_by_member!(blocking);
    // The readiness stays `Blocking`: programs without laneway wake nobody.
    endpoint_by_member!(told);

    fn limits(&self) -> Limits {
        self.limits
    }

    fn depth(&self) -> io::Result<Depth> {
        let stat = self.queue.stat()?;
        Ok(Depth::exact(stat.messages, stat.bytes))
    }
}

impl Sender for SysvSender {
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        let max = self.max_message;
        if message.len() > max {
            return Err(SendError::TooLarge { max });
        }
        self.message.set_len(message.len());
        self.message.text_mut().copy_from_slice(message);
        let (queue, mtype) = (self.queue, self.mtype);
        let text = &mut self.message;
        let sent = self.member.wait(deadline, |seat, look| {
            if seat.is_alone(look) {
                return Some(Err(SendError::Disconnected));
            }
            match queue.send(text, mtype, Block::No) {
                Ok(()) => Some(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(error) if disconnected(&error) => Some(Err(SendError::Disconnected)),
                Err(error) => Some(Err(SendError::Io(error))),
            }
        });
        sent.unwrap_or(Err(SendError::Full))?;
        crash::reach(Point::SysvSent);
        let segment = self.member.segment();
        let (tally, items) = (segment.header().tally(End::Sender), segment.items());
        tally.add_among_others(1, message.len());
        items.notify();
        Ok(())
    }
}
