//! The receiving end of a channel over sockets.

use std::{
    cell::Cell,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use nix::{fcntl::OFlag, poll::PollFlags};

use crate::{
    Counters, Deadline, Depth, End, Endpoint, Fingerprint, Handoff, Limits, OpenError,
    OpenErrorKind, Receiver, RecvError, presence,
    shm::{
        board::{self, Described},
        meter::{Meter, Wait},
        reading,
    },
    sys::fd::{self, Block},
    trace,
    transport::family::{
        member::agree,
        socket::{
            calls,
            hub::Hub,
            inbox::{Line, Span, Taken},
            name::SocketName,
            place::Place,
        },
    },
};

/// The receiving end of a channel over sockets, `unix+seqpacket:` or `unix+stream:`.
#[derive(Debug)]
pub struct SocketReceiver {
    source: Source,
    meter: Meter,
    place: Place,
    limits: Limits,
    peeked: Option<(usize, Span)>,
    /// Whether another process may have the same connections.
    shared: Cell<bool>,
}

/// Where messages come from.
#[derive(Debug)]
enum Source {
    /// A socket pair, and the file that its ends agree on types by.
    Pair(Box<Line>, OwnedFd),
    /// A path.
    Name(Box<Hub>),
}

impl SocketReceiver {
    /// One end of a socket pair.
    pub(crate) fn of_pair(place: Place, socket: OwnedFd, card: OwnedFd) -> io::Result<Self> {
        let limits = place.form.limits(&socket)?;
        let object = board::object(&socket);
        let line = Line::greeted(socket, place.form, limits.max_message);
        let source = Source::Pair(Box::new(line), card);
        Ok(Self::over(source, object, place, limits, false))
    }

    fn over(
        source: Source,
        object: (u64, u64),
        place: Place,
        limits: Limits,
        shared: bool,
    ) -> Self {
        let address = place.address();
        trace::opened(&address, End::Receiver);
        let meter = board::meter(&Described {
            address: &address,
            end: End::Receiver,
            object,
            capacity: limits.capacity,
        });
        Self {
            source,
            meter,
            place,
            limits,
            peeked: None,
            shared: Cell::new(shared),
        }
    }

    /// Listens at the place's path.
    pub(crate) fn by_name(place: Place) -> Result<Self, OpenError> {
        place.check_named()?;
        let (name, listener) = SocketName::listen(&place)?;
        let failed = |error: io::Error| place.os(error);
        let socket: OwnedFd = listener.into();
        let limits = place.form.limits(&socket).map_err(failed)?;
        let most = place.form.most(&limits);
        let object = board::object(&socket);
        let hub = Hub::new(place.clone(), name, socket.into(), Vec::new(), most);
        let hub = hub.map_err(failed)?;
        Ok(Self::over(
            Source::Name(Box::new(hub)),
            object,
            place,
            limits,
            false,
        ))
    }

    /// The end that another process handed over.
    pub(crate) fn adopt(place: Place, handoff: Handoff) -> Result<Self, OpenError> {
        let wrong = || place.error(OpenErrorKind::Handoff);
        let failed = |error: io::Error| place.os(error);
        let kind = place.form.kind();
        let is_end = handoff.end == End::Receiver;
        let mut fds = handoff.fds.into_iter().filter(|_| is_end);
        if !place.is_named() {
            let (Some(socket), Some(card), None) = (fds.next(), fds.next(), fds.next()) else {
                return Err(wrong());
            };
            if calls::listens(&socket, kind) != Some(false) {
                return Err(wrong());
            }
            let mut end = Self::of_pair(place.clone(), socket, card).map_err(failed)?;
            end.shared = Cell::new(true);
            return Ok(end);
        }
        let (Some(lock), Some(socket)) = (fds.next(), fds.next()) else {
            return Err(wrong());
        };
        let senders: Vec<OwnedFd> = fds.collect();
        let listens = |fd: &OwnedFd| calls::listens(fd, kind);
        let is_sound = listens(&socket) == Some(true) && listens(&lock).is_none();
        if !is_sound || !senders.iter().all(|fd| listens(fd) == Some(false)) {
            return Err(wrong());
        }
        let name = SocketName::adopt(&place, lock, &socket)?;
        let limits = place.form.limits(&socket).map_err(failed)?;
        let most = place.form.most(&limits);
        let object = board::object(&socket);
        let hub = Hub::new(place.clone(), name, socket.into(), senders, most);
        let hub = hub.map_err(failed)?;
        Ok(Self::over(
            Source::Name(Box::new(hub)),
            object,
            place,
            limits,
            true,
        ))
    }

    /// Takes in who has come by now.
    pub(crate) fn take_in(&mut self) -> io::Result<()> {
        match &mut self.source {
            Source::Pair(..) => Ok(()),
            Source::Name(hub) => hub.take_in(),
        }
    }

    #[inline]
    fn take(&mut self, deadline: Deadline, wanted: usize) -> Result<(usize, Span), RecvError> {
        if let Some(peeked) = self.peeked {
            return Ok(peeked);
        }
        let mut wait = Wait::default();
        let mut waits = || {
            wait.begin(self.meter.waits());
        };
        let taken = match &mut self.source {
            Source::Pair(line, _) => {
                take_from(line, deadline, wanted, &mut waits).map(|span| (0, span))
            }
            Source::Name(hub) => hub.take(deadline, wanted, &mut waits),
        };
        wait.end(self.meter.waits());
        let taken = taken?;
        self.peeked = Some(taken);
        Ok(taken)
    }

    #[inline]
    fn message(&self, (at, span): (usize, Span)) -> &[u8] {
        match &self.source {
            Source::Pair(line, _) => line.message(span),
            Source::Name(hub) => hub.message(at, span),
        }
    }
}

/// Takes the next message from the one connection that there is, and says when it `waits`.
#[inline]
fn take_from(
    line: &mut Line,
    deadline: Deadline,
    wanted: usize,
    waits: &mut dyn FnMut(),
) -> Result<Span, RecvError> {
    let block = if deadline == Deadline::NEVER {
        Block::Yes
    } else {
        Block::No
    };
    let mut last = false;
    loop {
        match line.take(block, wanted) {
            Ok(Taken::Message(span)) => return Ok(span),
            Ok(Taken::Ended) => return Err(RecvError::Disconnected),
            // In a pair nobody writes notes.
            Ok(Taken::Nonsense | Taken::Note(_)) => return Err(RecvError::Corrupt),
            Ok(Taken::Nothing) => {}
            Err(error) => return Err(RecvError::Io(error.into())),
        }
        if last || deadline.has_passed() {
            return Err(RecvError::Empty);
        }
        waits();
        let ready = fd::wait(line.socket.as_fd(), PollFlags::POLLIN, deadline);
        last = ready.map_err(RecvError::Io)?.is_empty();
    }
}

impl Endpoint for SocketReceiver {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn depth(&self) -> io::Result<Depth> {
        match &self.source {
            Source::Pair(line, _) => line.depth().map(Depth::of_bytes),
            Source::Name(hub) => hub.depth(),
        }
    }

    fn is_disconnected(&self) -> bool {
        match &self.source {
            Source::Pair(line, _) => line.is_hung_up(),
            Source::Name(hub) => hub.is_disconnected(),
        }
    }

    fn counters(&self) -> Option<Counters> {
        Some(reading::of_end(End::Receiver, self.meter.tally()))
    }

    fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool> {
        match &mut self.source {
            // It was there from the start.
            Source::Pair(..) => Ok(true),
            Source::Name(hub) => hub.wait_peer(deadline),
        }
    }

    fn agree(&mut self, fingerprint: Fingerprint) -> Result<(), OpenError> {
        let address = self.place.address();
        match &mut self.source {
            Source::Pair(_, card) => agree(card.as_fd(), fingerprint, &address),
            Source::Name(hub) => match hub.agree(fingerprint) {
                Ok(None) => Ok(()),
                Ok(Some(found)) => Err(self.place.error(OpenErrorKind::Incompatible {
                    expected: fingerprint,
                    found,
                })),
                Err(error) => Err(self.place.os(error)),
            },
        }
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(match &self.source {
            Source::Pair(line, _) => line.socket.as_fd(),
            Source::Name(hub) => hub.as_fd(),
        })
    }

    fn recheck(&self) -> Option<Duration> {
        match &self.source {
            Source::Pair(..) => None,
            Source::Name(hub) => hub.recheck(),
        }
    }

    fn handoff(&self) -> io::Result<Handoff> {
        let fds = match &self.source {
            Source::Pair(line, card) => {
                vec![
                    line.socket.try_clone()?,
                    presence::reopen(card, OFlag::O_RDWR)?,
                ]
            }
            Source::Name(hub) => hub.handoff()?,
        };
        self.shared.set(true);
        Ok(Handoff {
            address: self.place.address(),
            end: End::Receiver,
            fds,
        })
    }
}

impl Receiver for SocketReceiver {
    #[inline]
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], RecvError> {
        let taken = self.take(deadline, 1)?;
        Ok(self.message(taken))
    }

    fn peeked(&self) -> &[u8] {
        self.peeked.map_or(&[], |taken| self.message(taken))
    }

    #[inline]
    fn consume(&mut self) {
        if let Some((at, span)) = self.peeked.take() {
            let len = self.message((at, span)).len();
            self.meter.tally().add(1, len);
            match &mut self.source {
                Source::Pair(line, _) => line.finish(span),
                Source::Name(hub) => hub.finish(at, span),
            }
        }
    }

    /// Of a stream, many messages are read at once.
    fn drain_by(
        &mut self,
        max: usize,
        deadline: Deadline,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, RecvError> {
        let mut deadline = deadline;
        for drained in 0..max {
            match self.take(deadline, max - drained) {
                Ok(taken) => each(self.message(taken)),
                Err(error) if drained == 0 => return Err(error),
                Err(_) => return Ok(drained),
            }
            self.consume();
            deadline = Deadline::NOW;
        }
        Ok(max)
    }
}

impl Drop for SocketReceiver {
    /// What nobody else has ends at once, for whoever is across.
    fn drop(&mut self) {
        if self.shared.get() {
            return;
        }
        match &mut self.source {
            Source::Pair(line, _) => calls::end(&line.socket),
            Source::Name(hub) => hub.hang_up(),
        }
    }
}
