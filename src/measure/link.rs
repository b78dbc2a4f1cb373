//! What the first producer and the first consumer share besides the channel, to measure what lies below any.

use std::{
    env,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    process::Command,
};

use nix::{fcntl::OFlag, unistd::pipe2};

use crate::sys::{
    inherit::{Object, keep_open, take},
    words::Words,
};

/// Tells a peer which descriptors are its side.
const VARIABLE: &str = "LANEWAY_MEASURE_LINK";

/// The descriptors of one side, before it runs: the words, the pipe to read, the pipe to write.
#[derive(Debug)]
pub(super) struct Side([OwnedFd; 3]);

/// One side, in its process.
#[derive(Debug)]
pub(super) struct Link {
    /// Words that both have mapped.
    pub(super) words: Words,
    /// What the other side writes.
    pub(super) from: File,
    /// What the other side reads.
    pub(super) to: File,
}

impl Side {
    /// Both sides.
    pub(super) fn pair() -> io::Result<[Self; 2]> {
        let words = Words::create()?;
        let again = words.try_clone()?;
        let (read_there, write_there) = pipe2(OFlag::O_CLOEXEC)?;
        let (read_back, write_back) = pipe2(OFlag::O_CLOEXEC)?;
        Ok([
            Self([words, read_back, write_there]),
            Self([again, read_there, write_back]),
        ])
    }

    /// Gives it to the program that `command` will run. Open here until `command` is dropped.
    pub(super) fn give(self, command: &mut Command) -> io::Result<()> {
        let mut words = Vec::new();
        for fd in &self.0 {
            let Object { fd, dev, ino } = Object::of(fd.as_fd())?;
            words.push(format!("{fd}:{dev}:{ino}"));
        }
        command.env(VARIABLE, words.join(" "));
        keep_open(command, self.0.into());
        Ok(())
    }
}

impl Link {
    /// The side that was given to this process, if one was.
    pub(super) fn take() -> Option<Self> {
        let text = env::var(VARIABLE).ok()?;
        let mut fds = text.split(' ').map(|word| {
            let mut numbers = word.split(':');
            let object = Object {
                fd: numbers.next()?.parse().ok()?,
                dev: numbers.next()?.parse().ok()?,
                ino: numbers.next()?.parse().ok()?,
            };
            take(object).ok()
        });
        let mut next = || fds.next().flatten();
        Some(Self {
            words: Words::open(next()?.as_fd()).ok()?,
            from: next()?.into(),
            to: next()?.into(),
        })
    }
}
