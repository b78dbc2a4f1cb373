//! The receiving end of `shm+mpmc:`.

use std::io;

use crate::{
    Channel, Deadline, Depth, End, Endpoint, Limits, OpenError, Receiver, RecvError,
    ring::{
        copy::copy,
        mpmc::{Stuck, Taken},
        pace::Pace,
        state::NOBODY,
    },
    shm::segment::Segment,
    trace::Recovery,
    transport::family::{
        copied::Copied,
        member::{Member, Seat, endpoint_by_member},
        number::Graves,
    },
    wait::Look,
};

use super::{ShmMpmc, depth, limits, line, ring, take_number};

/// How many messages a receiver finishes before it wakes senders, in [`Receiver::drain_by`].
const BATCH: usize = 64;

/// The receiving end of a [`ShmMpmc`].
#[derive(Debug)]
pub struct MpmcReceiver {
    member: Member,
    me: u16,
    taken: Option<Taken>,
    pace: Pace,
    /// For what is peeked, if the peers are not trusted.
    copied: Option<Copied>,
}

impl MpmcReceiver {
    pub(super) fn new(channel: &ShmMpmc, segment: Segment) -> Result<Self, OpenError> {
        let me = take_number(channel, &segment)?;
        let meter = line(channel, &segment, me, End::Receiver)?;
        Ok(Self {
            me,
            member: Member::new(
                segment,
                End::Receiver,
                channel.address(),
                channel.options.wait,
            )
            .counting_at(meter),
            taken: None,
            pace: Pace::default(),
            copied: Copied::from(channel.options.peer),
        })
    }

    /// Takes the next message, waiting for it.
    #[inline(always)]
    fn find(&mut self, deadline: Deadline) -> Result<Taken, RecvError> {
        if let Some(taken) = self.taken {
            return Ok(taken);
        }
        let taken = match ring(self.member.segment()).take(self.me, &mut self.pace) {
            Ok(taken) => taken,
            Err(_) => self.wait_for_message(deadline)?,
        };
        self.taken = Some(taken);
        Ok(taken)
    }

    #[cold]
    fn wait_for_message(&mut self, deadline: Deadline) -> Result<Taken, RecvError> {
        let (me, pace) = (self.me, &mut self.pace);
        let found = self.member.wait(deadline, |seat, look| {
            match ring(seat.segment()).take(me, pace) {
                Ok(taken) => Some(Ok(taken)),
                Err(Stuck::NotNow) => look_deeper(seat, me, look),
                Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
            }
        });
        found.unwrap_or(Err(RecvError::Empty))
    }

    /// The message that was taken.
    #[inline]
    fn show(&mut self, taken: &Taken) -> &[u8] {
        let ring = ring(self.member.segment());
        match &mut self.copied {
            None => ring.message(taken),
            Some(copied) => copied.fetch(taken.len(), |room| ring.copy(taken, room)),
        }
    }

    /// Receives what was taken.
    #[cold]
    fn recv_copy(&mut self, taken: &Taken, buf: &mut [u8]) -> Result<usize, RecvError> {
        let needed = taken.len();
        let Some(room) = buf.get_mut(..needed) else {
            return Err(RecvError::TooSmall { needed });
        };
        // If it was peeked, it is what was seen then.
        room.copy_from_slice(self.show(taken));
        self.finish();
        Ok(needed)
    }

    /// Gives what is there to `each`, `max` messages at most and the one that was found first, and tells how many that was.
    #[cold]
    fn drain_copies(&mut self, max: usize, first: Taken, each: &mut dyn FnMut(&[u8])) -> usize {
        let mut next = Ok(first);
        for drained in 0..max {
            let Ok(taken) = next else {
                return drained;
            };
            // Ours, should `each` unwind.
            self.taken = Some(taken);
            each(self.show(&taken));
            self.finish();
            if drained + 1 < max {
                next = ring(self.member.segment()).take(self.me, &mut self.pace);
            }
        }
        max
    }

    #[inline]
    fn finish(&mut self) {
        if let Some(copied) = &mut self.copied {
            copied.finish();
        }
        if let Some(taken) = self.taken.take() {
            ring(self.member.segment()).finish(taken);
            self.count(1);
            self.notify();
        }
    }

    /// Counts what was received.
    #[inline(always)]
    fn count(&self, messages: usize) {
        self.member.seat().tally().add_messages(messages);
    }

    /// Wakes senders.
    #[inline]
    fn notify(&self) {
        self.member.segment().room().notify();
    }
}

/// Nothing is ready: perhaps because of the dead, perhaps because everybody is gone.
#[inline]
fn look_deeper(seat: &Seat, me: u16, look: Look) -> Option<Result<Taken, RecvError>> {
    let alone = seat.is_alone(look);
    if look == Look::Memory && !alone {
        return None;
    }
    let ring = ring(seat.segment());
    // Room that is given back is news to senders, also if it is the dead who had it.
    let mut graves = Graves::new(seat);
    let recovered = ring.recover(me, |owner| {
        owner != me && (owner == NOBODY || graves.has(owner))
    });
    drop(graves);
    seat.segment().room().notify();
    let found = match recovered {
        Ok(Some(taken)) => {
            seat.recovered(Recovery::Message);
            Ok(taken)
        }
        Ok(None) => ring.take(me, &mut Pace::default()),
        Err(stuck) => Err(stuck),
    };
    match found {
        Ok(taken) => Some(Ok(taken)),
        Err(Stuck::NotNow) if alone => Some(Err(RecvError::Disconnected)),
        Err(Stuck::NotNow) => None,
        Err(Stuck::Corrupt) => Some(Err(RecvError::Corrupt)),
    }
}

impl Endpoint for MpmcReceiver {
    endpoint_by_member!();

    fn limits(&self) -> Limits {
        limits(self.member.segment())
    }

    fn depth(&self) -> io::Result<Depth> {
        Ok(depth(self.member.segment()))
    }
}

impl Receiver for MpmcReceiver {
    #[inline]
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        let taken = self.find(deadline)?;
        Ok(self.show(&taken))
    }

    #[inline]
    fn peeked(&self) -> &[u8] {
        if let Some(copied) = &self.copied {
            return copied.bytes();
        }
        match &self.taken {
            Some(taken) => ring(self.member.segment()).message(taken),
            None => &[],
        }
    }

    #[inline]
    fn consume(&mut self) {
        self.finish();
    }

    #[inline]
    fn recv_by(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        let taken = self.find(deadline)?;
        if self.copied.is_some() {
            return self.recv_copy(&taken, buf);
        }
        let ring = ring(self.member.segment());
        let message = ring.message(&taken);
        let needed = message.len();
        let Some(room) = buf.get_mut(..needed) else {
            return Err(RecvError::TooSmall { needed });
        };
        copy(room, message);
        self.taken = None;
        ring.finish(taken);
        self.count(1);
        self.notify();
        Ok(needed)
    }

    /// Wakes senders once for many messages.
    #[inline(always)]
    fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        if max == 0 {
            return Ok(0);
        }
        let mut taken = self.find(deadline)?;
        if self.copied.is_some() {
            return Ok(self.drain_copies(max, taken, each));
        }
        let mut drained = 0;
        loop {
            let ring = ring(self.member.segment());
            each(ring.message(&taken));
            self.taken = None;
            ring.finish(taken);
            drained += 1;
            if drained % BATCH == 0 {
                self.notify();
            }
            if drained == max {
                break;
            }
            match ring.take(self.me, &mut self.pace) {
                Ok(next) => taken = next,
                Err(_) => break,
            }
            // Ours, should `each` unwind.
            self.taken = Some(taken);
        }
        self.count(drained);
        self.notify();
        Ok(drained)
    }
}
