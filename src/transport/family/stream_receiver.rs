//! The receiving end of a kernel pipe, named or not; [`frame`](super::frame) tells how messages lie in it.
//!
//! At the end of the stream the stump of a long frame was never sent: its sender died. If another sender of a FIFO came
//! before the end was seen, the trailer tells, and the receiver gets [`RecvError::Corrupt`].

use std::{
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd},
};

use nix::poll::PollFlags;

use crate::{
    Address, Counters, Deadline, Depth, End, Endpoint, Fingerprint, Handoff, Limits, OpenError,
    Receiver, RecvError,
    crash::{self, Point},
    shm::{
        board::{self, Described},
        meter::{Meter, Wait},
        reading,
    },
    sys::fd::{self, Block},
    tally::Uncounted,
    trace,
    transport::family::{
        ends::Ends,
        frame::{Head, Pledge},
        member::agree,
        pipe_options::{self, HEADER, PIPE_BUF, PipeMode},
    },
};

/// What a receiver has room for from the start.
const CHUNK: usize = 64 << 10;

/// The receiving end of a pipe or a FIFO.
#[derive(Debug)]
pub struct StreamReceiver {
    ends: Ends,
    meter: Meter,
    uncounted: Uncounted,
    address: Address,
    mode: PipeMode,
    limits: Limits,
    max_message: usize,
    buffer: Vec<u8>,
    /// What of `buffer` has been read and not finished.
    start: usize,
    end: usize,
    /// What the last frame told of the next ones.
    pledge: Pledge,
    /// Where the peeked message is.
    peeked: Option<Place>,
}

/// A message in the buffer.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: usize,
    end: usize,
    /// Where its frame ends.
    next: usize,
}

/// What a receiver knows about the first frame.
enum First {
    /// It is in the buffer.
    Whole(Place),
    /// Only its head is.
    Cut(Head),
    /// Not even that.
    Unknown,
}

impl StreamReceiver {
    pub(crate) fn new(ends: Ends, address: Address, mode: PipeMode) -> Result<Self, OpenError> {
        let limits =
            pipe_options::limits(&ends.fd, mode).map_err(|e| OpenError::os(address.clone(), e))?;
        let room = match mode {
            PipeMode::Stream => limits.capacity.max(CHUNK),
            PipeMode::Packet => PIPE_BUF,
        };
        trace::opened(&address, End::Receiver);
        let meter = board::meter(&Described {
            address: &address,
            end: End::Receiver,
            object: board::object(&ends.fd),
            capacity: limits.capacity,
        });
        Ok(Self {
            ends,
            meter,
            uncounted: Uncounted::default(),
            address,
            mode,
            limits,
            max_message: limits.max_message,
            buffer: vec![0; room],
            start: 0,
            end: 0,
            pledge: Pledge::default(),
            peeked: None,
        })
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn message(&self, place: Place) -> &[u8] {
        self.buffer.get(place.start..place.end).unwrap_or_default()
    }

    /// The first frame in the buffer.
    #[inline]
    fn parse(&mut self) -> Result<First, RecvError> {
        if let Some(place) = self.peeked {
            return Ok(First::Whole(place));
        }
        let Some(bytes) = self.unread().first_chunk() else {
            return Ok(First::Unknown);
        };
        let head = Head::read(*bytes, self.mode).ok_or(RecvError::Corrupt)?;
        if head.len > self.max_message && !self.has_grown(head.len) {
            return Err(RecvError::Corrupt);
        }
        let unread = self.unread();
        let Some(frame) = unread.get(..head.total) else {
            return Ok(First::Cut(head));
        };
        let behind = frame.get(HEADER + head.len..).unwrap_or_default();
        let is_packet = self.mode == PipeMode::Packet;
        if !head.is_closed_by(behind) || is_packet && unread.len() != head.total {
            return Err(RecvError::Corrupt);
        }
        self.pledge = head.pledge;
        let start = self.start + HEADER;
        Ok(First::Whole(Place {
            start,
            end: start + head.len,
            next: self.start + head.total,
        }))
    }

    /// Whether the pipe holds such a message by now: its sender may have enlarged it since we opened.
    #[cold]
    fn has_grown(&mut self, len: usize) -> bool {
        if let Ok(limits) = pipe_options::limits(&self.ends.fd, self.mode) {
            self.limits = limits;
            self.max_message = limits.max_message;
        }
        len <= self.max_message
    }

    /// Reads until the first message is in the buffer, and takes no more from the kernel than can belong to `wanted`
    /// messages: what is not asked for stays for the next receiver, if this one closes.
    #[inline]
    fn fetch(&mut self, deadline: Deadline, wanted: usize) -> Result<Place, RecvError> {
        loop {
            let (first, all) = match self.parse()? {
                First::Whole(place) => {
                    self.peeked = Some(place);
                    return Ok(place);
                }
                First::Cut(head) => {
                    let others = head.pledge.least(wanted - 1);
                    (head.total, head.total.saturating_add(others))
                }
                First::Unknown => (HEADER, self.pledge.least(wanted)),
            };
            let there = self.end - self.start;
            if self.mode == PipeMode::Packet && there > 0 {
                // A packet holds its whole frame.
                return Err(RecvError::Corrupt);
            }
            self.make_room(first);
            self.fill(deadline, all - there)?;
        }
    }

    /// What is left of a frame at the end of the stream: of a long one whose sender died, which was never sent, or what
    /// no sender writes. Either is dropped.
    #[cold]
    fn end_of_stream(&mut self) -> RecvError {
        let head = self.unread().first_chunk();
        let head = head.and_then(|bytes| Head::read(*bytes, self.mode));
        let is_ours = self.start == self.end || head.is_some_and(|head| !head.is_short());
        (self.start, self.end) = (0, 0);
        self.pledge = Pledge::default();
        if is_ours {
            RecvError::Disconnected
        } else {
            RecvError::Corrupt
        }
    }

    #[inline]
    fn make_room(&mut self, needed: usize) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.start + needed > self.buffer.len() {
            self.make_more_room(needed);
        }
    }

    #[cold]
    fn make_more_room(&mut self, needed: usize) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if needed > self.buffer.len() {
            self.buffer.resize(needed, 0);
        }
    }

    /// Reads once what is there, `limit` bytes of a stream at most, waiting for something.
    #[inline]
    fn fill(&mut self, deadline: Deadline, limit: usize) -> Result<(), RecvError> {
        let limit = match self.mode {
            PipeMode::Stream => self.end.saturating_add(limit).min(self.buffer.len()),
            PipeMode::Packet => self.buffer.len(),
        };
        if deadline == Deadline::NEVER {
            self.read(deadline, limit, Block::Yes)
        } else {
            self.try_read(deadline, limit)
        }
    }

    /// The same for who would not sleep for long.
    #[inline(never)]
    fn try_read(&mut self, deadline: Deadline, limit: usize) -> Result<(), RecvError> {
        self.read(deadline, limit, Block::No)
    }

    /// The same, up to `limit` in the buffer.
    #[inline(always)]
    fn read(&mut self, deadline: Deadline, limit: usize, block: Block) -> Result<(), RecvError> {
        let room = self.buffer.get_mut(self.end..limit).unwrap_or_default();
        match self.ends.read(room, block) {
            Ok(read @ 1..) => {
                self.end += read;
                crash::reach(Point::StreamRead);
                Ok(())
            }
            first => self.wait_and_fill(deadline, limit, block, first),
        }
    }

    /// The same, after a first try.
    #[inline(never)]
    fn wait_and_fill(
        &mut self,
        deadline: Deadline,
        limit: usize,
        block: Block,
        first: io::Result<usize>,
    ) -> Result<(), RecvError> {
        let mut wait = Wait::default();
        let filled = self.fill_until(deadline, limit, block, first, &mut wait);
        wait.end(self.meter.waits());
        filled
    }

    fn fill_until(
        &mut self,
        deadline: Deadline,
        limit: usize,
        block: Block,
        first: io::Result<usize>,
        wait: &mut Wait,
    ) -> Result<(), RecvError> {
        let mut tried = first;
        let mut looked = false;
        loop {
            match tried {
                // No writer: gone, or, at a FIFO, not there yet.
                Ok(0) => {}
                Ok(read) => {
                    self.end += read;
                    crash::reach(Point::StreamRead);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(RecvError::Io(error)),
            }
            if deadline != Deadline::NOW {
                wait.begin(self.meter.waits());
            }
            let ready = self
                .ends
                .wait(PollFlags::POLLIN, deadline)
                .map_err(RecvError::Io)?;
            if ready.contains(PollFlags::POLLIN) && !(looked && deadline.has_passed()) {
                // Another receiver may be faster.
                looked = true;
            } else if ready.contains(PollFlags::POLLHUP) {
                return Err(self.end_of_stream());
            } else if deadline.has_passed() {
                return Err(RecvError::Empty);
            }
            let room = self.buffer.get_mut(self.end..limit).unwrap_or_default();
            tried = self.ends.read(room, block);
        }
    }
}

impl Endpoint for StreamReceiver {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn depth(&self) -> io::Result<Depth> {
        let unread = fd::unread(self.ends.fd.as_fd())?;
        Ok(Depth::of_bytes(unread + self.end - self.start))
    }

    fn counters(&self) -> Option<Counters> {
        Some(reading::of_end(End::Receiver, self.meter.tally()))
    }

    fn is_disconnected(&self) -> bool {
        let now = self.ends.wait(PollFlags::POLLIN, Deadline::NOW);
        now.is_ok_and(|flags| flags.contains(PollFlags::POLLHUP))
    }

    fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool> {
        self.ends.wait_for(End::Sender, deadline)
    }

    fn agree(&mut self, fingerprint: Fingerprint) -> Result<(), OpenError> {
        agree(self.ends.fd.as_fd(), fingerprint, &self.address)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.ends.fd.as_fd())
    }

    fn handoff(&self) -> io::Result<Handoff> {
        self.ends.handoff(&self.address, End::Receiver)
    }
}

impl Receiver for StreamReceiver {
    #[inline]
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        let place = match self.peeked {
            Some(place) => place,
            None => self.fetch(deadline, 1)?,
        };
        Ok(self.message(place))
    }

    fn peeked(&self) -> &[u8] {
        self.message(self.peeked.unwrap_or_default())
    }

    #[inline]
    fn consume(&mut self) {
        if let Some(place) = self.peeked.take() {
            self.start = place.next;
            self.meter.tally().add(1, place.end - place.start);
        }
    }

    /// Reads many messages at once, and again only to complete one.
    fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        let mut drained = 0;
        let packets = self.mode == PipeMode::Packet;
        while drained < max && (drained == 0 || packets || self.start != self.end) {
            let deadline = if drained == 0 {
                deadline
            } else {
                Deadline::NOW
            };
            match self.fetch(deadline, max - drained) {
                Ok(place) => {
                    each(self.message(place));
                    self.peeked = None;
                    self.start = place.next;
                    self.uncounted.add(place.end - place.start);
                }
                Err(error) if drained == 0 => return Err(error),
                Err(_) => break,
            }
            drained += 1;
        }
        self.meter.tally().add_batch(drained, &mut self.uncounted);
        Ok(drained)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write};

    use super::*;
    use crate::{
        Channel, Sender,
        transport::{Pipe, StreamSender},
    };

    fn pair() -> (StreamSender, StreamReceiver) {
        Pipe::new().pair().expect("opens")
    }

    /// Numbers that look like chance, the same each time.
    fn chance(state: &mut u64) -> usize {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 40).expect("24 bits")
    }

    /// The calls of this thread that read and that write; `None` if this kernel does not count.
    fn calls() -> Option<(u64, u64)> {
        let text = std::fs::read_to_string("/proc/thread-self/io").ok()?;
        let number = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        Some((number("syscr:")?, number("syscw:")?))
    }

    #[test]
    fn nothing_is_taken_that_was_not_asked_for() {
        let channel = Pipe::new();
        let (mut tx, mut rx) = pair();
        let mut state = 7;
        let sizes = [0, 1, 9, 64, 64, 64, 500, 4092, 4093, 9000];
        for round in 0..4000 {
            if chance(&mut state).is_multiple_of(50) {
                let handoff = tx.handoff().expect("hands over");
                tx = channel.adopt_sender(handoff).expect("adopts");
            }
            let mut messages = Vec::new();
            let one_size = chance(&mut state).is_multiple_of(2);
            let first = sizes[chance(&mut state) % sizes.len()];
            while messages.iter().map(Vec::len).sum::<usize>() < 2000 && messages.len() < 70 {
                let size = sizes[chance(&mut state) % sizes.len()];
                let len = if one_size { first } else { size };
                messages.push(vec![u8::try_from(round % 251).expect("a byte"); len]);
            }
            let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            assert_eq!(
                tx.send_batch_by(&slices, Deadline::NEVER).expect("sends"),
                slices.len()
            );
            let mut due = slices.iter();
            while due.len() > 0 {
                let wanted = chance(&mut state) % due.len() + 1;
                let drained = rx.drain_by(wanted, Deadline::NOW, &mut |message| {
                    assert!(Some(&message) == due.next(), "in order");
                });
                assert!((1..=wanted).contains(&drained.expect("drains")));
                assert_eq!(rx.start, rx.end, "taken and not delivered");
            }
            assert_eq!(rx.depth().expect("asks").bytes, Some(0));
        }
    }

    #[test]
    fn a_message_of_the_same_size_is_one_call() {
        let (mut tx, mut rx) = pair();
        if calls().is_none() {
            return;
        }
        let mut buf = [0; 64];
        tx.send(&buf).expect("sends");
        rx.recv(&mut buf).expect("receives");
        let before = calls().expect("counts");
        for _ in 0..100 {
            tx.send(&buf).expect("sends");
            rx.recv(&mut buf).expect("receives");
        }
        let after = calls().expect("counts");
        // Asking takes two or three reads.
        assert!(
            (100..110).contains(&(after.0 - before.0)),
            "{before:?} {after:?}"
        );
        assert_eq!(after.1 - before.1, 100);
    }

    /// What a receiver makes of these bytes and the end behind them.
    fn told(bytes: &[u8]) -> [Result<usize, RecvError>; 2] {
        let (tx, mut rx) = pair();
        let mut writer = File::from(
            tx.as_fd()
                .expect("a pipe")
                .try_clone_to_owned()
                .expect("another"),
        );
        writer.write_all(bytes).expect("writes");
        drop((writer, tx));
        let mut buf = [0; 64];
        [rx.recv(&mut buf), rx.recv(&mut buf)]
    }

    #[test]
    fn junk_at_the_end_is_told_and_a_stump_is_not() {
        use RecvError::{Corrupt, Disconnected};

        for junk in [
            &b"\x01"[..],
            b"\x01\0\0",
            b"\x05\0\0\0hell",
            &[7, 0, 0, 0x81, 1],
        ] {
            let told = told(junk);
            assert!(
                matches!(told, [Err(Corrupt), Err(Disconnected)]),
                "{told:?}"
            );
        }
        let told = told(&[&9000_u32.to_le_bytes()[..], &[0; 5000]].concat());
        assert!(
            matches!(told, [Err(Disconnected), Err(Disconnected)]),
            "{told:?}"
        );
    }

    #[test]
    fn a_foreign_frame_is_a_message() {
        let told = told(b"\x05\0\0\0hello\x02\0\0\0ho");
        assert!(matches!(told, [Ok(5), Ok(2)]), "{told:?}");
    }
}
