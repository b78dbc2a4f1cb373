//! The sending end of a channel over sockets.

mod endpoint;
mod put;

use std::{
    cell::Cell,
    io,
    os::fd::{AsFd, OwnedFd},
};

use nix::errno::Errno;

use crate::{
    Deadline, End, Fingerprint, Handoff, Limits, OpenError, OpenErrorKind, SendError, Sender,
    crash::{self, Point},
    shm::{
        board::{self, Described},
        meter::Meter,
        reading,
    },
    sys::fd::Block,
    trace,
    transport::family::{
        ends::NAP,
        frame::Pledged,
        pipe_options::{HEADER, PIPE_BUF},
        scratch::{Scratch, reserve_in_scratch},
        socket::{
            calls,
            form::Form,
            name,
            note::{self, Note, Refusal},
            place::Place,
            sender::put::nap,
        },
    },
};

/// What one call takes in one piece; a longer message goes in parts of its own.
const PIECE: usize = PIPE_BUF;

/// The sending end of a channel over sockets, `unix+seqpacket:` or `unix+stream:`.
#[derive(Debug)]
pub struct SocketSender {
    socket: OwnedFd,
    meter: Meter,
    place: Place,
    /// The file that the ends of a socket pair agree on types by.
    card: Option<OwnedFd>,
    state: State,
    limits: Limits,
    max_message: usize,
    scratch: Scratch,
    /// What the next call sends.
    piece: Vec<u8>,
    pledged: Pledged,
    /// Of what type the messages are.
    declared: Fingerprint,
    /// Whether the receiver has not been told of it.
    owes_type: bool,
    /// Whether another process may have the same connection.
    shared: Cell<bool>,
    /// Whether the receiver has gone with something unread, as far as was asked: the kernel tells it once.
    reset: Cell<bool>,
}

/// How a sender stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No receiver has been there.
    Early,
    /// It is connected, as far as it knows.
    Joined,
    /// The receiver is gone.
    Lost,
    /// The receiver does not take its messages.
    Refused(OpenErrorKind),
}

/// Where a sender with this socket counts.
fn meter(place: &Place, socket: &OwnedFd, limits: &Limits) -> Meter {
    board::meter(&Described {
        address: &place.address(),
        end: End::Sender,
        object: board::object(socket),
        capacity: limits.capacity,
    })
}

impl SocketSender {
    /// One end of a socket pair.
    pub(crate) fn of_pair(place: Place, socket: OwnedFd, card: OwnedFd) -> io::Result<Self> {
        Self::over(place, socket, Some(card), State::Joined)
    }

    fn over(
        place: Place,
        socket: OwnedFd,
        card: Option<OwnedFd>,
        state: State,
    ) -> io::Result<Self> {
        let limits = place.form.limits(&socket)?;
        trace::opened(&place.address(), End::Sender);
        let meter = meter(&place, &socket, &limits);
        Ok(Self {
            socket,
            meter,
            place,
            card,
            state,
            limits,
            max_message: limits.max_message,
            scratch: Scratch::new(),
            piece: Vec::with_capacity(PIECE + 1),
            pledged: Pledged::NOTHING,
            declared: Fingerprint::UNTYPED,
            owes_type: false,
            shared: Cell::new(false),
            reset: Cell::new(false),
        })
    }

    /// Connects to whoever listens at the place's path. If nobody does, that is done later.
    pub(crate) fn by_name(place: Place) -> Result<Self, OpenError> {
        place.check_named()?;
        let socket = calls::open(place.form.kind()).map_err(|e| place.os(e))?;
        place.make_room(&socket)?;
        let sender = Self::over(place.clone(), socket, None, State::Early);
        let mut sender = sender.map_err(|e| place.os(e))?;
        sender.join()?;
        Ok(sender)
    }

    /// The end that another process handed over.
    pub(crate) fn adopt(place: Place, handoff: Handoff) -> Result<Self, OpenError> {
        let wrong = || place.error(OpenErrorKind::Handoff);
        let is_end = handoff.end == End::Sender;
        let mut fds = handoff.fds.into_iter().filter(|_| is_end);
        let (Some(socket), card, None) = (fds.next(), fds.next(), fds.next()) else {
            return Err(wrong());
        };
        let is_sound = calls::listens(&socket, place.form.kind()) == Some(false);
        if !is_sound || card.is_some() == place.is_named() {
            return Err(wrong());
        }
        let state = if calls::is_joined(socket.as_fd()) {
            State::Joined
        } else {
            State::Early
        };
        let is_stream = place.is_named() && place.form == Form::Stream;
        let end = Self::over(place.clone(), socket, card, state);
        let mut end = end.map_err(|e| place.os(e))?;
        end.shared.set(true);
        end.pledged = Pledged::UNKNOWN;
        if is_stream && state == State::Joined {
            // Frames of two processes would mix in one connection.
            end.branch_off();
        }
        Ok(end)
    }

    /// Changes to a connection of its own, to the same receiver, if there is one to be had.
    fn branch_off(&mut self) {
        let listener = calls::process_of(&self.socket).ok();
        if !self.leads_to(listener) {
            return;
        }
        let Ok(mut own) = Self::by_name(self.place.clone()) else {
            return;
        };
        if own.state == State::Joined && calls::process_of(&own.socket).ok() == listener {
            std::mem::swap(self, &mut own);
            // The other one may be its giver's still.
            own.shared.set(true);
        }
    }

    /// Whether this process listens at the path. Another receiver there, which may have been named by nobody whom it knows, sees no sender
    /// come and go.
    fn leads_to(&self, listener: Option<i32>) -> bool {
        let found = || {
            name::look(&self.place).ok().flatten()?;
            let socket = calls::open(self.place.form.kind()).ok()?;
            calls::join(socket.as_fd(), self.place.path()).ok()?;
            calls::process_of(&socket).ok()
        };
        listener.is_some() && found() == listener
    }

    /// Connects to whoever listens, and greets; `false` if nobody does, or too many wait there already.
    fn join(&mut self) -> Result<bool, OpenError> {
        let place = &self.place;
        if name::look(place)?.is_none() {
            return Ok(false);
        }
        let socket = calls::open(place.form.kind()).map_err(|e| place.os(e))?;
        place.make_room(&socket)?;
        match calls::join(socket.as_fd(), place.path()) {
            Ok(()) => {}
            Err(Errno::ENOENT | Errno::ECONNREFUSED | Errno::EAGAIN) => return Ok(false),
            Err(Errno::EPROTOTYPE) => {
                let why =
                    "the socket is not of this kind; unix+seqpacket: and unix+stream: are two";
                return Err(place.error(OpenErrorKind::Refused(why)));
            }
            Err(error) => return Err(place.os(error)),
        }
        crash::reach(Point::SocketConnected);
        let uid = calls::user_of(&socket).map_err(|e| place.os(e))?;
        if !place.allows(uid) {
            return Err(place.error(OpenErrorKind::Stranger { uid }));
        }
        self.check_type(&socket, self.declared)?;
        let greeting = Note::Greeting {
            max: u32::try_from(self.max_message).unwrap_or(u32::MAX),
            of: self.declared,
        };
        self.socket = socket;
        self.count_on();
        self.pledged = Pledged::NOTHING;
        match self.put_note(greeting) {
            Ok(()) => {}
            Err(Errno::EPIPE | Errno::ECONNRESET) => return Ok(false),
            Err(error) => return Err(self.place.os(error)),
        }
        (self.state, self.owes_type) = (State::Joined, false);
        self.shared.set(false);
        self.reset.set(false);
        Ok(true)
    }

    /// Goes on counting where others look for the socket that this end has now.
    fn count_on(&mut self) {
        let sent = reading::of_end(End::Sender, self.meter.tally()).sent;
        self.meter = meter(&self.place, &self.socket, &self.limits);
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let bytes = whole(sent.bytes.unwrap_or(0));
        self.meter.tally().add(whole(sent.messages), bytes);
    }

    /// Tells the receiver of what type the messages are, if there is one, and looks whether its own is the same.
    fn declare(&mut self) -> Result<(), OpenError> {
        match self.state {
            State::Joined => {
                self.owes_type = self.put_note(Note::Type(self.declared)).is_err();
            }
            // Whoever listens by now is greeted with it.
            State::Early | State::Lost => {
                self.join()?;
            }
            State::Refused(_) => {}
        }
        // Told first, then looked: of two who come at once at least one sees the other.
        match self.state {
            State::Joined => self.check_type(&self.socket, self.declared),
            _ => Ok(()),
        }
    }

    /// Whether this is the type that the receiver across this connection has published, if both have any.
    fn check_type(&self, socket: &OwnedFd, ours: Fingerprint) -> Result<(), OpenError> {
        let found = name::look(&self.place)?.unwrap_or(Fingerprint::UNTYPED);
        if ours == Fingerprint::UNTYPED || found == Fingerprint::UNTYPED || ours == found {
            return Ok(());
        }
        // What one has left that is gone says nothing of who comes next.
        if calls::is_hung_up(socket) {
            return Ok(());
        }
        let expected = ours;
        Err(self
            .place
            .error(OpenErrorKind::Incompatible { expected, found }))
    }

    /// Sends a note if there is room now.
    fn put_note(&mut self, note: Note) -> nix::Result<()> {
        self.piece.clear();
        let mut pledged = self.pledged;
        match self.place.form {
            Form::Packet => self.piece.extend_from_slice(&note.bytes()),
            Form::Stream => pledged.put_note(&mut self.piece, &note.bytes()),
        }
        calls::put(self.socket.as_fd(), &self.piece, Block::No)?;
        self.pledged = pledged;
        Ok(())
    }

    /// Sees to it that there is somebody to send to, who knows of what type the messages are.
    #[cold]
    fn prepare(&mut self, deadline: Deadline) -> Result<(), SendError> {
        loop {
            match self.state {
                State::Joined if !self.owes_type => return Ok(()),
                State::Joined => match self.put_note(Note::Type(self.declared)) {
                    Ok(()) => self.owes_type = false,
                    Err(Errno::EAGAIN) => self.wait_for_room(deadline)?,
                    Err(error) => return Err(self.failed(error)),
                },
                State::Refused(kind) => return Err(self.refused(kind)),
                State::Early | State::Lost => {
                    let joined = self.join().map_err(|error| SendError::Io(error.into()))?;
                    if joined {
                        continue;
                    }
                    if self.state == State::Lost {
                        return Err(SendError::Disconnected);
                    }
                    if deadline.has_passed() {
                        return Err(SendError::Full);
                    }
                    nap(deadline, NAP);
                }
            }
        }
    }

    /// What an error of the system means.
    #[cold]
    fn failed(&mut self, error: Errno) -> SendError {
        if !matches!(error, Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) {
            return SendError::Io(error.into());
        }
        if error == Errno::ECONNRESET {
            self.reset.set(true);
        }
        if !self.place.is_named() {
            return SendError::Disconnected;
        }
        self.state = match self.told() {
            Some(Refusal::User(uid)) => State::Refused(OpenErrorKind::Stranger { uid }),
            Some(Refusal::Type(found)) => State::Refused(OpenErrorKind::Incompatible {
                expected: self.declared,
                found,
            }),
            Some(Refusal::Nonsense) | None => State::Lost,
        };
        match self.state {
            State::Refused(kind) => self.refused(kind),
            _ => SendError::Disconnected,
        }
    }

    /// Why the receiver turned this end away, if it did.
    fn told(&self) -> Option<Refusal> {
        let mut buf = [0; note::LEN];
        let len = calls::read(self.socket.as_fd(), &mut buf, Block::No).ok()?;
        match Note::read(buf.get(..len)?)? {
            Note::Refusal(why) => Some(why),
            _ => None,
        }
    }

    fn refused(&self, kind: OpenErrorKind) -> SendError {
        SendError::Io(self.place.error(kind).into())
    }

    fn is_hung_up(&self) -> bool {
        calls::is_hung_up(&self.socket)
    }
}

impl Sender for SocketSender {
    reserve_in_scratch!();

    #[inline]
    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        if message.len() > self.max_message {
            return Err(SendError::TooLarge {
                max: self.max_message,
            });
        }
        if self.state != State::Joined || self.owes_type {
            self.prepare(deadline)?;
        }
        if HEADER + message.len() > PIECE {
            self.put_long(message, deadline)?;
            crash::reach(Point::SocketSent);
            self.meter.tally().add(1, message.len());
            return Ok(());
        }
        // One copy here costs less than a second part there.
        let mut pledged = self.pledged;
        self.piece.clear();
        match self.place.form {
            Form::Packet => {
                self.piece.push(note::MESSAGE);
                self.piece.extend_from_slice(message);
            }
            Form::Stream => pledged.put(&mut self.piece, message),
        }
        self.put_piece(pledged, deadline)?;
        self.meter.tally().add(1, message.len());
        Ok(())
    }

    /// Of a stream, small messages share calls.
    fn send_batch_by(
        &mut self,
        messages: &[&[u8]],
        deadline: Deadline,
    ) -> Result<usize, SendError> {
        let mut sent = 0;
        while let Some((first, _)) = messages.get(sent..).and_then(<[_]>::split_first) {
            let mut pledged = self.pledged;
            let (mut gathered, mut bytes) = (0, 0);
            let joined = self.state == State::Joined && !self.owes_type;
            if joined && self.place.form == Form::Stream {
                let rest = messages.get(sent..).unwrap_or_default();
                self.piece.clear();
                (gathered, bytes) = pledged.gather(&mut self.piece, rest, self.max_message);
            }
            let result = if gathered > 0 {
                let put = self.put_piece(pledged, deadline);
                if put.is_ok() {
                    self.meter.tally().add(gathered, bytes);
                }
                put
            } else {
                self.send_by(first, deadline)
            };
            match result {
                Ok(()) => sent += gathered.max(1),
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
            }
        }
        Ok(sent)
    }
}

impl Drop for SocketSender {
    /// A connection that nobody else has ends at once, for whoever is across. What a receiver that was killed has left goes.
    fn drop(&mut self) {
        let lost = self.state == State::Lost || self.state == State::Joined && self.is_hung_up();
        if self.place.is_named() && lost {
            // Nothing can be done about an error here, and the next to listen heals what is left.
            let _ = name::remove_stale(self.place.path());
        }
        if !self.shared.get() {
            calls::end(&self.socket);
        }
    }
}
