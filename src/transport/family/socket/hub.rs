//! All connections of a receiver that listens, and whose turn it is.

mod agreement;

use std::{
    collections::VecDeque,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixListener,
    },
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::PollFlags,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};

use crate::{
    Deadline, Depth, Fingerprint, RecvError,
    crash::{self, Point},
    presence,
    sys::fd::{self, Block},
    transport::family::socket::{
        calls,
        inbox::{Line, Span, Taken},
        name::SocketName,
        note::{Note, Refusal},
        place::Place,
    },
};

/// How many messages one connection may give while others wait.
const BURST: usize = 32;
/// How many connections are taken in at once, so that a flood of them keeps nobody from being heard.
const INTAKE: usize = 64;
/// How long connections are left waiting where there is no descriptor for them.
const DEAF: Duration = Duration::from_millis(20);
/// What the listening socket is called among the connections.
const LISTENER: u64 = u64::MAX;

/// The connections, the socket that listens, and its name.
#[derive(Debug)]
pub(crate) struct Hub {
    place: Place,
    epoll: Epoll,
    listener: UnixListener,
    name: SocketName,
    lines: Vec<Option<Line>>,
    /// Those that may have something, in the order of their turns.
    ready: VecDeque<usize>,
    /// How many messages the first of them may give before the others.
    turns: usize,
    /// The longest message that a sender may have.
    most: usize,
    /// Whether a sender has come, now or earlier.
    met: bool,
    /// Whether there was no descriptor for a connection.
    deaf: bool,
    /// Of what type this end receives.
    own: Fingerprint,
    /// What senders are told of the type.
    published: Fingerprint,
}

impl Hub {
    /// One that listens, with these connections to senders.
    pub(crate) fn new(
        place: Place,
        name: SocketName,
        listener: UnixListener,
        senders: Vec<OwnedFd>,
        most: usize,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        let mut hub = Self {
            place,
            epoll,
            listener,
            name,
            lines: Vec::new(),
            ready: VecDeque::with_capacity(INTAKE),
            turns: BURST,
            most,
            met: false,
            deaf: false,
            own: Fingerprint::UNTYPED,
            published: Fingerprint::UNTYPED,
        };
        for socket in senders {
            hub.met = true;
            hub.add(Line::greeted(socket, hub.place.form, most))?;
        }
        Ok(hub)
    }

    /// Polls as readable when there may be something.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// How soon to look again for those who wait while there is no descriptor for them: the kernel does not tell of them then.
    pub(crate) fn recheck(&self) -> Option<Duration> {
        self.deaf.then_some(DEAF)
    }

    /// The descriptors that another process needs: the lock's, the listening socket's, and those of the connections.
    pub(crate) fn handoff(&self) -> io::Result<Vec<OwnedFd>> {
        let mut fds = vec![
            self.name.another()?,
            self.listener.as_fd().try_clone_to_owned()?,
        ];
        for line in self.senders() {
            fds.push(line.socket.try_clone()?);
        }
        Ok(fds)
    }

    fn senders(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().flatten().filter(|line| line.has_greeted)
    }

    fn line(&mut self, at: usize) -> Option<&mut Line> {
        self.lines.get_mut(at)?.as_mut()
    }

    /// A message that was taken.
    #[inline]
    pub(crate) fn message(&self, at: usize, span: Span) -> &[u8] {
        let line = self.lines.get(at).and_then(Option::as_ref);
        line.map_or(&[], |line| line.message(span))
    }

    /// Finishes it.
    #[inline]
    pub(crate) fn finish(&mut self, at: usize, span: Span) {
        if let Some(line) = self.line(at) {
            line.finish(span);
        }
    }

    /// Takes the next message, waiting for one up to the deadline. It stays until it is finished.
    #[inline]
    pub(crate) fn take(
        &mut self,
        deadline: Deadline,
        wanted: usize,
        waits: &mut dyn FnMut(),
    ) -> Result<(usize, Span), RecvError> {
        loop {
            while let Some(&at) = self.ready.front() {
                if self.turns == 0 {
                    self.pass_on()?;
                    continue;
                }
                let Some(line) = self.line(at) else {
                    self.pop();
                    continue;
                };
                match line.take(Block::No, wanted) {
                    Ok(Taken::Message(span)) if line.has_greeted => {
                        self.turns -= 1;
                        return Ok((at, span));
                    }
                    Ok(Taken::Nothing) => self.pop(),
                    found => self.heed(at, found)?,
                }
            }
            let nobody = self.has_lost();
            if self.look(Deadline::NOW).map_err(RecvError::Io)? {
                continue;
            }
            if nobody {
                return Err(RecvError::Disconnected);
            }
            if deadline.has_passed() {
                return Err(RecvError::Empty);
            }
            waits();
            self.look(deadline).map_err(RecvError::Io)?;
        }
    }

    /// Gives the turn to the next.
    fn pass_on(&mut self) -> Result<(), RecvError> {
        self.turns = BURST;
        if let Some(at) = self.ready.pop_front() {
            self.look(Deadline::NOW).map_err(RecvError::Io)?;
            self.ready.push_back(at);
        }
        Ok(())
    }

    /// The first has nothing.
    fn pop(&mut self) {
        self.turns = BURST;
        if let Some(at) = self.ready.pop_front()
            && let Some(line) = self.line(at)
        {
            line.is_ready = false;
        }
    }

    /// What is done about what is no message.
    #[cold]
    fn heed(&mut self, at: usize, found: nix::Result<Taken>) -> Result<(), RecvError> {
        match found {
            Ok(Taken::Note(note)) => self.note(at, note),
            Ok(Taken::Ended) => self.end(at),
            // A message without a greeting, or worse.
            Ok(Taken::Nonsense | Taken::Message(_)) => self.refuse(at, Refusal::Nonsense),
            Ok(Taken::Nothing) => {}
            Err(error) => return Err(RecvError::Io(error.into())),
        }
        Ok(())
    }

    fn note(&mut self, at: usize, note: Note) {
        let most = self.most;
        let Some(line) = self.line(at) else {
            return;
        };
        match note {
            Note::Greeting { max, of } => {
                let Some(max) = usize::try_from(max).ok().filter(|max| *max <= most) else {
                    return self.refuse(at, Refusal::Nonsense);
                };
                line.greet(max);
                self.met = true;
                self.bury();
                self.declare(at, of);
            }
            Note::Type(of) if line.has_greeted => self.declare(at, of),
            Note::Type(_) | Note::Refusal(_) => self.refuse(at, Refusal::Nonsense),
        }
    }

    /// Takes in who has come, and heeds all notes that no message is in front of.
    fn listen_to_notes(&mut self) -> io::Result<()> {
        self.look(Deadline::NOW)?;
        for at in 0..self.lines.len() {
            while let Some(line) = self.line(at)
                && !line.has_ended
                && let Some(found) = line.look_ahead()?
            {
                self.heed(at, Ok(found)).map_err(io::Error::from)?;
            }
            // What it holds now the kernel tells nobody of.
            if let Some(line) = self.line(at)
                && line.is_ahead()
                && !line.is_ready
            {
                line.is_ready = true;
                self.ready.push_back(at);
            }
        }
        Ok(())
    }

    /// Waits until a sender is there, or was; `false` if none is at the deadline.
    pub(crate) fn wait_peer(&mut self, deadline: Deadline) -> io::Result<bool> {
        loop {
            self.listen_to_notes()?;
            if self.met {
                return Ok(true);
            }
            if deadline.has_passed() {
                return Ok(false);
            }
            // Whoever has something by now has not greeted, or would have been met.
            while let Some(at) = self.ready.pop_front() {
                if let Some(line) = self.line(at) {
                    line.is_ready = false;
                }
            }
            self.look(deadline)?;
        }
    }

    /// Takes in who has come, without waiting.
    pub(crate) fn take_in(&mut self) -> io::Result<()> {
        self.listen_to_notes()
    }

    /// Waits until a connection has something, or somebody comes; `false` at the deadline. It may be early for reasons of its own.
    fn look(&mut self, deadline: Deadline) -> io::Result<bool> {
        let mut events = [EpollEvent::empty(); INTAKE];
        let left = match deadline.remaining() {
            left if self.deaf => Some(left.unwrap_or(DEAF).min(DEAF)),
            left => left,
        };
        // Rounded up: nobody may wake early.
        let timeout = left.map_or(EpollTimeout::NONE, |left| {
            let millis = left.as_nanos().div_ceil(1_000_000);
            EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX)
        });
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        if self.deaf {
            self.deaf = false;
            self.hear(EpollFlags::EPOLLIN)?;
        }
        let mut found = false;
        for event in events.iter().take(count) {
            if event.data() == LISTENER {
                found |= self.accept()?;
            } else if let Ok(at) = usize::try_from(event.data())
                && let Some(line) = self.line(at)
                && !line.has_ended
                && !line.is_ready
            {
                line.is_ready = true;
                self.ready.push_back(at);
                found = true;
            }
        }
        Ok(found)
    }

    fn hear(&self, events: EpollFlags) -> io::Result<()> {
        let mut event = EpollEvent::new(events, LISTENER);
        Ok(self.epoll.modify(&self.listener, &mut event)?)
    }

    /// Takes in those who have connected; whether there were any who may be senders.
    fn accept(&mut self) -> io::Result<bool> {
        let mut found = false;
        for _ in 0..INTAKE {
            let socket: OwnedFd = match self.listener.accept() {
                Ok((stream, _)) => stream.into(),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                        // They wait, and those who are in are heard meanwhile.
                        self.deaf = true;
                        self.hear(EpollFlags::empty())?;
                        break;
                    }
                    // None is left, or one has gone again.
                    _ => break,
                },
            };
            crash::reach(Point::SocketAccepted);
            presence::mark(&socket)?;
            let uid = calls::user_of(&socket)?;
            let mut line = Line::new(socket, self.place.form);
            if self.place.allows(uid) {
                line.is_ready = true;
                let at = self.add(line)?;
                self.ready.push_back(at);
                found = true;
            } else {
                turn_away(&line, Refusal::User(uid));
            }
        }
        Ok(found)
    }

    fn add(&mut self, line: Line) -> io::Result<usize> {
        let free = self.lines.iter().position(Option::is_none);
        let at = free.unwrap_or(self.lines.len());
        let event = EpollEvent::new(EpollFlags::EPOLLIN, at as u64);
        self.epoll.add(&line.socket, event)?;
        match self.lines.get_mut(at) {
            Some(place) => *place = Some(line),
            None => self.lines.push(Some(line)),
        }
        Ok(at)
    }

    /// Closes a connection, and tells whoever is across why.
    fn refuse(&mut self, at: usize, why: Refusal) {
        if let Some(line) = self.line(at) {
            turn_away(line, why);
        }
        self.end(at);
    }

    /// A connection is over. The last one of a sender stays, so that who polls sees that it is.
    fn end(&mut self, at: usize) {
        if let Some(line) = self.line(at) {
            line.has_ended = true;
            line.is_ready = false;
            line.declared = Fingerprint::UNTYPED;
        }
        self.ready.retain(|ready| *ready != at);
        self.turns = BURST;
        self.bury();
        self.publish();
    }

    /// Lets go of connections that are over, but of a last one.
    fn bury(&mut self) {
        let alone = self.has_lost();
        let mut kept = false;
        for place in &mut self.lines {
            let over = place.as_ref().filter(|line| line.has_ended);
            let Some(line) = over else {
                continue;
            };
            if alone && line.has_greeted && !kept {
                kept = true;
            } else {
                // Fails only for one that is not there.
                let _ = self.epoll.delete(&line.socket);
                *place = None;
            }
        }
    }

    /// Whether senders have come and all are over.
    fn has_lost(&self) -> bool {
        self.met && self.senders().all(|line| line.has_ended)
    }

    /// Whether senders have come and all are gone, and none is about to come in.
    pub(crate) fn is_disconnected(&self) -> bool {
        self.met && self.senders().all(Line::is_hung_up) && !self.has_visitors()
    }

    fn has_visitors(&self) -> bool {
        let now = fd::wait(self.listener.as_fd(), PollFlags::POLLIN, Deadline::NOW);
        now.is_ok_and(|flags| flags.contains(PollFlags::POLLIN))
    }

    /// What waits in all connections. Unknown as long as somebody waits to come in.
    pub(crate) fn depth(&self) -> io::Result<Depth> {
        if self.has_visitors() {
            return Ok(Depth::default());
        }
        let mut bytes = 0;
        for line in self.senders() {
            bytes += line.depth()?;
        }
        Ok(Depth::of_bytes(bytes))
    }

    /// Ends all connections, also where copies are open for a moment in a child that has not run its program yet.
    pub(crate) fn hang_up(&mut self) {
        for line in self.lines.iter().flatten() {
            calls::end(&line.socket);
        }
        // Those who wait to come in see it too.
        while let Ok((visitor, _)) = self.listener.accept() {
            calls::end(&visitor);
        }
        calls::end(&self.listener);
    }
}

/// Tells whoever is across why it is turned away, as far as it listens, and closes.
fn turn_away(line: &Line, why: Refusal) {
    // It is a courtesy: whoever does not read it sees the end.
    let _ = calls::put(line.socket.as_fd(), &Note::Refusal(why).bytes(), Block::No);
    calls::end(&line.socket);
}
