//! The receiving side of one connection.

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
};

use nix::errno::Errno;

use crate::{
    Fingerprint,
    crash::{self, Point},
    sys::fd::{self, Block},
    transport::family::{
        frame::{Head, Pledge},
        pipe_options::{HEADER, PipeMode},
        socket::{
            calls,
            form::Form,
            note::{self, Note},
        },
    },
};

/// What holds a greeting, and little more: memory is for those who have greeted.
const GREETING: usize = 64;

/// A message in the buffer of its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    start: usize,
    end: usize,
    /// Where its frame ends.
    next: usize,
}

/// What was found in a connection.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A message, which stays until it is finished.
    Message(Span),
    /// A note.
    Note(Note),
    /// Nothing yet.
    Nothing,
    /// The sender is gone, and nothing is left.
    Ended,
    /// What no sender writes.
    Nonsense,
}

/// A connection to a sender.
pub(crate) struct Line {
    /// The connection.
    pub(crate) socket: OwnedFd,
    form: Form,
    buffer: Vec<u8>,
    /// What of a stream has been read and not finished.
    start: usize,
    end: usize,
    /// What its last frame told of the next ones.
    pledge: Pledge,
    /// The longest message.
    most: usize,
    /// A message that was found while notes were looked for.
    ahead: Option<Span>,
    /// Whether whoever is across is a sender.
    pub(crate) has_greeted: bool,
    /// Of what type its messages are.
    pub(crate) declared: Fingerprint,
    /// Whether it is gone and nothing is left.
    pub(crate) has_ended: bool,
    /// Whether it is among those that have something.
    pub(crate) is_ready: bool,
}

impl fmt::Debug for Line {
    /// Without the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("socket", &self.socket)
            .field("has_greeted", &self.has_greeted)
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}

impl Line {
    /// One that somebody has just made, who may be no sender.
    pub(crate) fn new(socket: OwnedFd, form: Form) -> Self {
        Self {
            socket,
            form,
            buffer: vec![0; GREETING],
            start: 0,
            end: 0,
            pledge: Pledge::default(),
            most: GREETING / 2,
            ahead: None,
            has_greeted: false,
            declared: Fingerprint::UNTYPED,
            has_ended: false,
            is_ready: false,
        }
    }

    /// One to a sender whose messages have `most` bytes at most.
    pub(crate) fn greeted(socket: OwnedFd, form: Form, most: usize) -> Self {
        let mut line = Self::new(socket, form);
        line.greet(most);
        line
    }

    /// Whoever is across is a sender.
    pub(crate) fn greet(&mut self, most: usize) {
        self.has_greeted = true;
        self.most = most;
        let needed = self.form.whole(most);
        if self.buffer.len() < needed {
            // Pages that no message reaches are never touched.
            let mut buffer = vec![0; needed];
            let unread = self.unread();
            let len = unread.len();
            if let Some(room) = buffer.get_mut(..len) {
                room.copy_from_slice(unread);
            }
            (self.buffer, self.start, self.end) = (buffer, 0, len);
        }
    }

    /// A message.
    pub(crate) fn message(&self, span: Span) -> &[u8] {
        self.buffer.get(span.start..span.end).unwrap_or_default()
    }

    /// Finishes it.
    pub(crate) fn finish(&mut self, span: Span) {
        self.ahead = None;
        if self.form == Form::Stream {
            self.start = span.next;
        }
    }

    /// The bytes that were taken from the kernel and not finished, and those that were not taken.
    pub(crate) fn depth(&self) -> std::io::Result<usize> {
        let ahead = self.ahead.filter(|_| self.form == Form::Packet);
        let ahead = ahead.map_or(0, |span| span.end);
        let waiting = if self.has_ended {
            0
        } else {
            fd::unread(self.socket.as_fd())?
        };
        Ok(waiting + ahead + self.end - self.start)
    }

    /// Whether whoever is across is gone.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.has_ended || calls::is_hung_up(&self.socket)
    }

    /// Looks for notes in front of the next message, and finds one at most; the message stays to be taken.
    pub(crate) fn look_ahead(&mut self) -> nix::Result<Option<Taken>> {
        if self.ahead.is_some() {
            return Ok(None);
        }
        Ok(match self.take(Block::No, 1)? {
            Taken::Message(span) => {
                self.ahead = Some(span);
                None
            }
            Taken::Nothing => None,
            other => Some(other),
        })
    }

    /// Whether a message was found while notes were looked for.
    pub(crate) const fn is_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// Takes the next message or note. Of a stream, no more is taken from the kernel than can belong to `wanted` messages.
    #[inline]
    pub(crate) fn take(&mut self, block: Block, wanted: usize) -> nix::Result<Taken> {
        if let Some(span) = self.ahead {
            return Ok(Taken::Message(span));
        }
        match self.form {
            Form::Packet => self.take_packet(block),
            Form::Stream => self.take_frame(block, wanted),
        }
    }

    fn take_packet(&mut self, block: Block) -> nix::Result<Taken> {
        let len = match calls::take(self.socket.as_fd(), &mut self.buffer, block) {
            Ok(0) => return Ok(Taken::Ended),
            Ok(len) => len,
            Err(Errno::EAGAIN) => return Ok(Taken::Nothing),
            Err(error) => return Err(error),
        };
        crash::reach(Point::SocketTaken);
        let (start, end, next) = (1, len, 0);
        Ok(match self.buffer.get(..len) {
            Some([note::MESSAGE, ..]) => Taken::Message(Span { start, end, next }),
            Some(bytes) => Note::read(bytes).map_or(Taken::Nonsense, Taken::Note),
            None => Taken::Nonsense,
        })
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn take_frame(&mut self, block: Block, wanted: usize) -> nix::Result<Taken> {
        loop {
            let there = self.end - self.start;
            let (first, all) = match self.unread().first_chunk() {
                None => (HEADER, self.pledge.least(wanted)),
                Some(bytes) => {
                    let head = Head::read(*bytes, PipeMode::Stream);
                    let Some(head) = head.filter(|head| head.len <= self.most) else {
                        return Ok(Taken::Nonsense);
                    };
                    if there >= head.total {
                        return Ok(self.frame(head));
                    }
                    let others = head.pledge.least(wanted - 1);
                    (head.total, head.total.saturating_add(others))
                }
            };
            self.make_room(first);
            let limit = self.end.saturating_add(all - there).min(self.buffer.len());
            let room = self.buffer.get_mut(self.end..limit).unwrap_or_default();
            match calls::read(self.socket.as_fd(), room, block) {
                Ok(0) => return Ok(self.end_of_stream()),
                Ok(read) => self.end += read,
                Err(Errno::EAGAIN) => return Ok(Taken::Nothing),
                Err(error) => return Err(error),
            }
            crash::reach(Point::SocketTaken);
        }
    }

    /// The first frame, which is whole.
    fn frame(&mut self, head: Head) -> Taken {
        let start = self.start + HEADER;
        let span = Span {
            start,
            end: start + head.len,
            next: self.start + head.total,
        };
        let behind = self.buffer.get(span.end..span.next).unwrap_or_default();
        if !head.is_closed_by(behind) {
            return Taken::Nonsense;
        }
        self.pledge = head.pledge;
        if !head.is_note() {
            return Taken::Message(span);
        }
        self.start = span.next;
        Note::read(self.message(span)).map_or(Taken::Nonsense, Taken::Note)
    }

    /// What is left is of a long frame whose sender died, which was never sent, or what no sender writes.
    fn end_of_stream(&mut self) -> Taken {
        let head = self.unread().first_chunk();
        let head = head.and_then(|bytes| Head::read(*bytes, PipeMode::Stream));
        let is_ours = self.start == self.end || head.is_some_and(|head| !head.is_short());
        (self.start, self.end) = (0, 0);
        if is_ours {
            Taken::Ended
        } else {
            Taken::Nonsense
        }
    }

    fn make_room(&mut self, needed: usize) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.start + needed > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}
