//! What each process of a pipeline has done, in a small segment of their own.
//!
//! Every worker, and the parent for each end that it has, has a line that it alone writes, by plain stores. Nothing is decided by what
//! the lines count. What [`END`] says is believed only beside how the process ended.

use std::{io, time::Duration};

use crate::{
    Handoff, OpenError, RecvError, SendError, clock,
    process::{
        give::{self, Give},
        lines::{Kind, Lines},
    },
    sync::Ordering,
};

const KIND: Kind = Kind {
    number: 8,
    word: "pipeline",
};

/// Items that came in.
const RECEIVED: usize = 0;
/// Items that went out.
const SENT: usize = 1;
/// Nanoseconds that it waited, for an item and for room.
const WAITED: [usize; 2] = [2, 3];
/// When the wait that still lasts began, in nanoseconds of the monotonic clock; 0 if none does.
const SINCE: [usize; 2] = [4, 5];
/// How its work ended; 0 while it has not.
const END: usize = 6;
/// The number that goes with that.
const NUMBER: usize = 7;

/// The work is done.
const DONE: u64 = 1;
const TOO_LARGE: u64 = 2;
const UNENCODABLE: u64 = 3;
const SEND_POISONED: u64 = 4;
const SEND_IO: u64 = 5;
const MISTYPED: u64 = 6;
const CORRUPT: u64 = 7;
const RECV_POISONED: u64 = 8;
const RECV_IO: u64 = 9;

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// An item to come.
    Item,
    /// Room for one to go.
    Room,
}

impl For {
    /// Where its words are among such words.
    const fn of(self, words: [usize; 2]) -> usize {
        let [item, room] = words;
        match self {
            Self::Item => item,
            Self::Room => room,
        }
    }
}

/// Why the work of a process ended before its input did.
#[derive(Debug)]
pub(super) enum Fault {
    /// An item did not go.
    Send(SendError),
    /// An item did not come.
    Recv(RecvError),
}

/// What a line says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) waited_for_items: Duration,
    pub(super) waited_for_room: Duration,
}

/// A hold on the lines of a pipeline.
#[derive(Debug)]
pub(super) struct Counters(Lines);

impl Counters {
    /// So many new lines.
    pub(super) fn new(lines: usize) -> Result<Self, OpenError> {
        Lines::new(KIND, lines).map(Self)
    }

    /// Another hold on the same, for another thread.
    pub(super) fn another(&self) -> Result<Self, OpenError> {
        self.0.another().map(Self)
    }

    /// Takes the hold that the parent gave by this key.
    pub(super) fn inherited(key: &str) -> Result<Self, OpenError> {
        Lines::adopt(KIND, 0, give::take(key)?).map(Self)
    }

    /// The line with this index, for the one who writes it.
    pub(super) fn line(self, index: usize) -> Line {
        Line {
            counters: self,
            index,
        }
    }

    #[inline]
    fn load(&self, line: usize, word: usize) -> u64 {
        // ORDERING: Relaxed; a number for people, or read after the death of its writer.
        self.0
            .word(line, word)
            .map_or(0, |word| word.load(Ordering::Relaxed))
    }

    #[inline]
    fn store(&self, line: usize, word: usize, number: u64) {
        if let Some(word) = self.0.word(line, word) {
            // ORDERING: Relaxed; as in `load`.
            word.store(number, Ordering::Relaxed);
        }
    }

    /// What a line says now.
    pub(super) fn tally(&self, line: usize) -> Tally {
        let waited = |what: For| {
            let past = self.load(line, what.of(WAITED));
            let now = match self.load(line, what.of(SINCE)) {
                0 => 0,
                since => clock::now().saturating_sub(since),
            };
            Duration::from_nanos(past.saturating_add(now))
        };
        Tally {
            received: self.load(line, RECEIVED),
            sent: self.load(line, SENT),
            waited_for_items: waited(For::Item),
            waited_for_room: waited(For::Room),
        }
    }

    /// Whether the work of a line was done to its end.
    pub(super) fn is_done(&self, line: usize) -> bool {
        self.load(line, END) == DONE
    }

    /// What ended the work of a line before that, if its process lived to tell.
    pub(super) fn fault(&self, line: usize) -> Option<Fault> {
        let number = self.load(line, NUMBER);
        let length = usize::try_from(number).unwrap_or(usize::MAX);
        let io = || io::Error::from_raw_os_error(i32::try_from(number).unwrap_or(0));
        Some(match self.load(line, END) {
            TOO_LARGE => Fault::Send(SendError::TooLarge { max: length }),
            UNENCODABLE => Fault::Send(SendError::Unencodable),
            SEND_POISONED => Fault::Send(SendError::Poisoned),
            SEND_IO => Fault::Send(SendError::Io(io())),
            MISTYPED => Fault::Recv(RecvError::Mistyped { found: length }),
            CORRUPT => Fault::Recv(RecvError::Corrupt),
            RECV_POISONED => Fault::Recv(RecvError::Poisoned),
            RECV_IO => Fault::Recv(RecvError::Io(io())),
            _ => return None,
        })
    }
}

impl Give for Counters {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        Ok(vec![("", self.0.handoff()?)])
    }
}

/// A line, for the one who writes it.
#[derive(Debug)]
pub(super) struct Line {
    counters: Counters,
    index: usize,
}

impl Line {
    #[inline]
    fn add(&self, word: usize, more: u64) {
        // Nobody else writes it, so no addition is lost.
        let count = self.counters.load(self.index, word);
        self.counters
            .store(self.index, word, count.wrapping_add(more));
    }

    /// An item came.
    #[inline]
    pub(super) fn received(&self) {
        self.add(RECEIVED, 1);
    }

    /// An item went.
    #[inline]
    pub(super) fn sent(&self) {
        self.add(SENT, 1);
    }

    /// Does what has to wait, and counts for how long.
    #[cold]
    pub(super) fn waiting<T>(&self, what: For, wait: impl FnOnce() -> T) -> T {
        let since = clock::now();
        self.counters.store(self.index, what.of(SINCE), since);
        let found = wait();
        self.counters.store(self.index, what.of(SINCE), 0);
        self.add(what.of(WAITED), clock::now().saturating_sub(since));
        found
    }

    /// Another writer of the same line, who writes what this one does not.
    pub(super) fn another(&self) -> Result<Self, OpenError> {
        Ok(self.counters.another()?.line(self.index))
    }

    /// The work is done, unless something was said before.
    pub(super) fn done(&self) {
        if self.counters.load(self.index, END) == 0 {
            self.counters.store(self.index, END, DONE);
        }
    }

    /// Whether the work is done.
    pub(super) fn is_done(&self) -> bool {
        self.counters.is_done(self.index)
    }

    /// The work ends because of this.
    pub(super) fn fail(&self, fault: &Fault) {
        let length = |length: usize| length as u64;
        let code = |error: &io::Error| error.raw_os_error().unwrap_or(0).unsigned_abs().into();
        let (end, number) = match fault {
            Fault::Send(SendError::TooLarge { max }) => (TOO_LARGE, length(*max)),
            Fault::Send(SendError::Unencodable) => (UNENCODABLE, 0),
            Fault::Send(SendError::Io(error)) => (SEND_IO, code(error)),
            Fault::Recv(RecvError::Mistyped { found }) => (MISTYPED, length(*found)),
            Fault::Recv(RecvError::Corrupt) => (CORRUPT, 0),
            Fault::Recv(RecvError::Io(error)) => (RECV_IO, code(error)),
            // Who waits for ever is told nothing else.
            Fault::Send(_) => (SEND_POISONED, 0),
            Fault::Recv(_) => (RECV_POISONED, 0),
        };
        self.counters.store(self.index, NUMBER, number);
        self.counters.store(self.index, END, end);
    }
}
