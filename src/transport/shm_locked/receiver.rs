//! The receiving end of `shm+lock:`.

use std::io;

use crate::{
    Channel, Deadline, Depth, End, Endpoint, Limits, OpenError, Receiver, RecvError,
    ring::{
        hold_off,
        locked::{Moved, Sink, Stuck},
    },
    shm::segment::Segment,
    transport::family::{
        holder::Holder,
        member::{Member, endpoint_by_member},
        stash::{Direct, Stash},
    },
};

use super::{ShmLocked, ring};

/// The receiving end of a [`ShmLocked`].
#[derive(Debug)]
pub struct LockedReceiver {
    holder: Holder,
    member: Member,
    max_message: usize,
    stash: Stash,
    /// Whether messages came one after another when it last looked.
    streams: bool,
}

impl LockedReceiver {
    pub(super) fn new(channel: &ShmLocked, segment: Segment) -> Result<Self, OpenError> {
        let (address, wait) = (channel.address(), channel.options.wait);
        Ok(Self {
            holder: channel.holder(&segment, End::Receiver)?,
            max_message: segment.max_message(),
            member: Member::new(segment, End::Receiver, address, wait),
            stash: Stash::new(),
            streams: false,
        })
    }
}

/// Takes what there is into `sink`, waiting for the first message.
#[inline(always)]
fn take(
    member: &mut Member,
    holder: &Holder,
    streams: &mut bool,
    deadline: Deadline,
    sink: &mut impl Sink,
) -> Result<Moved, RecvError> {
    let ring = ring(member.seat(), End::Receiver, holder);
    if *streams && !ring.knows_message() {
        hold_off();
    }
    if ring.may_have_message()
        && let Ok(moved) = ring.pop(deadline, sink)
    {
        *streams = moved.messages > 1 || moved.left > 0;
        member.segment().room().notify();
        return Ok(moved);
    }
    *streams = false;
    take_slowly(member, holder, deadline, sink)
}

#[cold]
fn take_slowly(
    member: &mut Member,
    holder: &Holder,
    deadline: Deadline,
    sink: &mut impl Sink,
) -> Result<Moved, RecvError> {
    let mut contended = false;
    let taken = member.wait(deadline, |seat, look| {
        contended = false;
        let ring = ring(seat, End::Receiver, holder);
        if !ring.may_have_message() {
            // In this order: a sender that is gone has sent all that it will.
            if !seat.is_alone(look) {
                return None;
            }
            if !ring.may_have_message() {
                return Some(Err(RecvError::Disconnected));
            }
        }
        match ring.pop(deadline, sink) {
            Ok(moved) => Some(Ok(moved)),
            Err(Stuck::NotNow) => {
                contended = true;
                None
            }
            Err(Stuck::TooSmall(needed)) => Some(Err(RecvError::TooSmall { needed })),
            Err(Stuck::Poisoned) => Some(Err(RecvError::Poisoned)),
            Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
        }
    });
    member.contended = contended;
    let moved = taken.unwrap_or(Err(RecvError::Empty))?;
    member.segment().room().notify();
    Ok(moved)
}

impl Endpoint for LockedReceiver {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        Limits::new(self.max_message, self.member.segment().data().capacity(), 1)
    }

    fn depth(&self) -> io::Result<Depth> {
        let ring = ring(self.member.seat(), End::Receiver, &self.holder);
        Ok(Depth::of_bytes(ring.used() + self.stash.bytes()))
    }
}

impl Receiver for LockedReceiver {
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        if self.stash.is_empty() {
            let sink = self.stash.want(1);
            let streams = &mut self.streams;
            take(&mut self.member, &self.holder, streams, deadline, sink)?;
        }
        Ok(self.stash.front().unwrap_or_default())
    }

    fn peeked(&self) -> &[u8] {
        self.stash.front().unwrap_or_default()
    }

    fn consume(&mut self) {
        self.stash.finish();
    }

    #[inline]
    fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        if let Some(taken) = self.stash.take(buf) {
            return taken;
        }
        let sink = &mut Direct(Some(buf));
        let streams = &mut self.streams;
        let moved = take(&mut self.member, &self.holder, streams, deadline, sink)?;
        Ok(moved.last)
    }

    /// Takes the lock once for many messages.
    #[inline(always)]
    fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        let mut deadline = deadline;
        let mut drained = 0;
        while drained < max {
            if self.stash.is_empty() {
                let sink = self.stash.want(max - drained);
                let streams = &mut self.streams;
                match take(&mut self.member, &self.holder, streams, deadline, sink) {
                    Ok(_) => {}
                    Err(error) if drained == 0 => return Err(error),
                    Err(_) => break,
                }
            }
            while let Some(message) = self.stash.front() {
                each(message);
                self.stash.finish();
                drained += 1;
            }
            deadline = Deadline::NOW;
        }
        Ok(drained)
    }
}
