//! The receiving end of `sysv:`.

use std::io;

use nix::errno::Errno;

use crate::{
    Deadline, Depth, End, Endpoint, Limits, Receiver, RecvError,
    crash::{self, Point},
    sys::{
        fd::Block,
        msg::{Message, Queue},
    },
    transport::family::{
        member::{Member, endpoint_by_member},
        queue_place::QueuePath,
    },
};

use super::{
    Select, Sysv,
    opening::{Core, disconnected},
};

/// The receiving end of a [`Sysv`].
#[derive(Debug)]
pub struct SysvReceiver {
    member: Member,
    queue: Queue,
    limits: Limits,
    select: Select,
    message: Message,
    /// Whether `message` was taken and not finished.
    holds: bool,
    /// Below the member, so that it goes after the segment.
    _path: QueuePath,
}

impl SysvReceiver {
    pub(super) fn new(channel: &Sysv, (member, queue, limits, path): Core) -> Self {
        Self {
            member,
            queue,
            limits,
            select: channel.select,
            // A foreign sender may use what the system allows, whatever this queue held when it was opened.
            message: Message::with_room(longest(&limits)),
            holds: false,
            _path: path,
        }
    }

    /// Receives these messages from now on. A message that is peeked stays so.
    #[doc(alias = "msgrcv")]
    pub fn set_select(&mut self, select: Select) {
        self.select = select;
    }

    /// The type of the message that was last peeked or received.
    #[must_use]
    pub fn mtype(&self) -> i64 {
        self.message.kind()
    }

    fn fetch(&mut self, deadline: Deadline) -> Result<(), RecvError> {
        if self.holds {
            return Ok(());
        }
        let (queue, select) = (self.queue, self.select.number());
        let message = &mut self.message;
        let taken = self.member.wait(deadline, |seat, look| {
            let error = match queue.receive(message, select, Block::No) {
                Ok(()) => return Some(Ok(())),
                Err(error) => error,
            };
            match error.raw_os_error().map(Errno::from_raw) {
                // In this order: a sender that is gone has sent all that it will.
                Some(Errno::ENOMSG) if !seat.is_alone(look) => None,
                Some(Errno::ENOMSG) => Some(match queue.receive(message, select, Block::No) {
                    Ok(()) => Ok(()),
                    Err(_) => Err(RecvError::Disconnected),
                }),
                Some(Errno::E2BIG) => {
                    // The system's limit was raised since.
                    *message = Message::with_room(2 * message.room());
                    None
                }
                _ if disconnected(&error) => Some(Err(RecvError::Disconnected)),
                _ => Some(Err(RecvError::Io(error))),
            }
        });
        taken.unwrap_or(Err(RecvError::Empty))?;
        self.holds = true;
        crash::reach(Point::SysvReceived);
        let segment = self.member.segment();
        let (tally, room) = (segment.header().tally(End::Receiver), segment.room());
        tally.add_among_others(1, self.message.len());
        room.notify();
        Ok(())
    }
}

/// The longest message that anybody may send.
fn longest(limits: &Limits) -> usize {
    let system = limits.system.map_or(0, |limit| limit.value);
    limits.max_message.max(usize::try_from(system).unwrap_or(0))
}

impl Endpoint for SysvReceiver {
    endpoint_by_member!(blocking);
    // The readiness stays `Blocking`: programs without laneway wake nobody.
    endpoint_by_member!(told);

    fn limits(&self) -> Limits {
        self.limits
    }

    fn depth(&self) -> io::Result<Depth> {
        let stat = self.queue.stat()?;
        let held = self.peeked().len();
        Ok(Depth::exact(
            stat.messages + usize::from(self.holds),
            stat.bytes + held,
        ))
    }
}

impl Receiver for SysvReceiver {
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        self.fetch(deadline)?;
        Ok(self.message.text())
    }

    fn peeked(&self) -> &[u8] {
        if self.holds { self.message.text() } else { &[] }
    }

    fn consume(&mut self) {
        self.holds = false;
    }
}
