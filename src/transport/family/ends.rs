//! The descriptors of one end of a kernel pipe, named or not.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::PollFlags,
};

use crate::{
    Address, Deadline, End, Handoff, presence,
    sys::fd::{self, Block, Sigpipe},
    trace,
    transport::family::{fifo_name::FifoName, keeper::Keeper},
};

/// How long to sleep before looking again where the kernel has nothing to wake us with.
pub(crate) const NAP: Duration = Duration::from_millis(2);

/// The descriptors of one end.
#[derive(Debug)]
pub(crate) struct Ends {
    /// Blocks. Holds the place among the open ends.
    pub(crate) fd: OwnedFd,
    /// Another description of the same FIFO that does not block: a FIFO, unlike a pipe, knows no
    /// RWF_NOWAIT, and the flag on `fd` would be shared with those who inherit it.
    pub(crate) trying: Option<OwnedFd>,
    /// Keeps a FIFO readable while no receiver has come yet, so that what is sent waits for it.
    pub(crate) keeper: Option<Keeper>,
    /// Removed at the last close. Below the descriptors, so that it goes after them.
    pub(crate) name: Option<FifoName>,
    /// Of what is told when it goes.
    pub(crate) place: trace::Place,
}

impl Ends {
    /// Reads once; a try does not sleep.
    #[inline]
    pub(crate) fn read(&self, buf: &mut [u8], block: Block) -> io::Result<usize> {
        match (block, &self.trying) {
            (Block::No, Some(trying)) => fd::read(trying.as_fd(), buf, Block::Yes),
            _ => fd::read(self.fd.as_fd(), buf, block),
        }
    }

    /// Writes once; a try does not sleep.
    #[inline]
    pub(crate) fn write(
        &self,
        parts: &[IoSlice<'_>],
        block: Block,
        sigpipe: Sigpipe,
    ) -> io::Result<usize> {
        match (block, &self.trying) {
            (Block::No, Some(trying)) => fd::write(trying.as_fd(), parts, Block::Yes, sigpipe),
            _ => fd::write(self.fd.as_fd(), parts, block, sigpipe),
        }
    }

    /// Sleeps until this end has one of `events`, or the deadline passes.
    pub(crate) fn wait(&self, events: PollFlags, deadline: Deadline) -> io::Result<PollFlags> {
        fd::wait(self.fd.as_fd(), events, deadline)
    }

    /// What opens this end elsewhere.
    pub(crate) fn handoff(&self, address: &Address, end: End) -> io::Result<Handoff> {
        let mut fds = vec![self.another(end)?];
        if let Some(trying) = &self.trying {
            fds.push(trying.try_clone()?);
        }
        if let Some(keeper) = &self.keeper {
            fds.push(keeper.try_clone()?);
        }
        Ok(Handoff {
            address: address.clone(),
            end,
            fds,
        })
    }

    /// Another descriptor of this end. A FIFO's holds a place of its own; an anonymous pipe's needs none, since
    /// the kernel tells all that is asked there.
    fn another(&self, end: End) -> io::Result<OwnedFd> {
        let access = match end {
            _ if self.name.is_none() => return self.fd.try_clone(),
            End::Sender => OFlag::O_WRONLY,
            End::Receiver => OFlag::O_RDONLY,
        };
        let flags = OFlag::from_bits_retain(fcntl(&self.fd, FcntlArg::F_GETFL)?);
        let again = match presence::reopen(&self.fd, access) {
            // No reader is left, and without one a FIFO does not open for writing: there is one until it has.
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                let _reader = presence::reopen(&self.fd, OFlag::O_RDONLY)?;
                presence::reopen(&self.fd, access)
            }
            again => again,
        }?;
        let kept = OFlag::O_DIRECT | OFlag::O_NOATIME;
        fcntl(&again, FcntlArg::F_SETFL(flags & kept))?;
        presence::join(&again, end)?;
        Ok(again)
    }

    /// Waits until an end of this kind is open.
    pub(crate) fn wait_for(&self, end: End, deadline: Deadline) -> io::Result<bool> {
        loop {
            if presence::has(&self.fd, end)? {
                return Ok(true);
            }
            // Also a sender that came and went again was there, and the kernel remembers.
            let traces = PollFlags::POLLIN | PollFlags::POLLHUP;
            if end == End::Sender
                && self
                    .wait(PollFlags::POLLIN, Deadline::NOW)?
                    .intersects(traces)
            {
                return Ok(true);
            }
            if deadline.has_passed() {
                return Ok(false);
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing wakes us when a side comes to a FIFO"
            )]
            std::thread::sleep(deadline.remaining().map_or(NAP, |left| left.min(NAP)));
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _closing = self.place.closing();
        if self.name.is_some() {
            presence::leave(&self.fd);
        }
    }
}
