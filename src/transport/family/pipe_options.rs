//! What pipes and FIFOs have in common: keys, modes, sizes.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileTypeExt,
    },
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
};

use crate::{
    Address, AddressError, AddressProblem, Capabilities, End, Fan, Handoff, Key, Limits, OpenError,
    OpenErrorKind, SystemLimit,
};

/// Bytes in front of each message.
pub(crate) const HEADER: usize = 4;
/// Bytes behind the message in a frame longer than [`PIPE_BUF`].
pub(crate) const TRAILER: usize = 4;
/// Writes up to this are atomic. Also the most that a packet holds.
pub(crate) const PIPE_BUF: usize = libc::PIPE_BUF;
/// Below this the kernel rounds up anyway.
const LEAST: usize = 4096;
/// More than any kernel gives.
const MOST: usize = 1 << 31;
/// What the capacity key takes.
const CAPACITY_FORM: &str = "a size from 4KiB to 2GiB, such as 64KiB or 1MiB";

/// The keys that pipes and FIFOs share.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "mode",
        form: "stream|packet",
        summary: "packet: many senders and receivers, messages up to 4092 bytes (stream)",
    },
    Key {
        name: "capacity",
        form: "SIZE",
        summary: "bytes in the kernel, up to fs.pipe-max-size (64KiB)",
    },
];

/// Whether frames may join and split on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PipeMode {
    /// A stream of bytes: one sender, one receiver, messages up to the capacity.
    #[default]
    Stream,
    /// One packet a message (`O_DIRECT`): many senders and receivers, messages up to PIPE_BUF (4096) less the header.
    Packet,
}

impl PipeMode {
    /// The longest message in a pipe of so many bytes.
    fn max_message(self, capacity: usize) -> usize {
        match self {
            Self::Stream => capacity - (HEADER + TRAILER).min(capacity),
            Self::Packet => PIPE_BUF - HEADER,
        }
    }

    /// From its word in an address.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "stream" => Some(Self::Stream),
            "packet" => Some(Self::Packet),
            _ => None,
        }
    }
}

/// The descriptors of a handoff, if it is for this end of a pipe.
pub(crate) fn adopted(handoff: Handoff, end: End) -> Option<Vec<OwnedFd>> {
    let fd = handoff.fds.first()?;
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).ok()?);
    let access = match end {
        End::Sender => OFlag::O_WRONLY,
        End::Receiver => OFlag::O_RDONLY,
    };
    let file = File::from(fd.try_clone().ok()?);
    let is_pipe = file.metadata().ok()?.file_type().is_fifo();
    let fits = handoff.end == end && is_pipe && flags & OFlag::O_ACCMODE == access;
    fits.then_some(handoff.fds)
}

/// Reads the keys that pipes and FIFOs share.
pub(crate) fn read(address: &Address) -> Result<(PipeMode, Option<usize>), AddressError> {
    let mode = address.parse_with("mode", "stream or packet", PipeMode::from_word)?;
    let capacity = address.size("capacity")?;
    if capacity.is_some_and(|bytes| !(LEAST..=MOST).contains(&bytes)) {
        return Err(address.error_at("capacity", AddressProblem::BadValue(CAPACITY_FORM)));
    }
    Ok((mode.unwrap_or_default(), capacity))
}

/// Writes the keys that pipes and FIFOs share.
pub(crate) fn write(address: Address, mode: PipeMode, capacity: Option<usize>) -> Address {
    let address = match mode {
        PipeMode::Stream => address,
        PipeMode::Packet => address.with("mode", "packet"),
    };
    match capacity {
        Some(bytes) => address.with("capacity", bytes),
        None => address,
    }
}

/// What pipes and FIFOs can do in a mode.
pub(crate) fn capabilities(mode: PipeMode) -> Capabilities {
    let fan = match mode {
        PipeMode::Stream => Fan::One,
        PipeMode::Packet => Fan::Many,
    };
    Capabilities {
        senders: fan,
        receivers: fan,
        pollable: true,
        awaitable: true,
        kernel_buffered: true,
        ..Capabilities::LEAST
    }
}

/// Makes the pipe hold `bytes`.
pub(crate) fn resize(fd: impl AsFd, bytes: usize, address: &Address) -> Result<(), OpenError> {
    let error = |kind| OpenError::new(address.clone(), kind);
    let wanted = match i32::try_from(bytes) {
        Ok(wanted) if bytes >= LEAST => wanted,
        _ => return Err(error(OpenErrorKind::Refused(CAPACITY_FORM))),
    };
    match fcntl(fd, FcntlArg::F_SETPIPE_SZ(wanted)) {
        Ok(_) => Ok(()),
        // Too much for an unprivileged process, or something larger is already in it.
        Err(errno) => {
            let kind = match (errno, SystemLimit::read("fs.pipe-max-size")) {
                (Errno::EPERM | Errno::EINVAL, Some(limit)) => OpenErrorKind::Limit(limit),
                (Errno::ENOMEM, _) => OpenErrorKind::NoSpace {
                    needed: bytes as u64,
                },
                _ => OpenErrorKind::Os,
            };
            let mut failed = error(kind);
            failed.source = Some(errno.into());
            Err(failed)
        }
    }
}

/// The numbers of an open pipe.
pub(crate) fn limits(fd: impl AsFd, mode: PipeMode) -> io::Result<Limits> {
    let bytes = fcntl(fd, FcntlArg::F_GETPIPE_SZ)?;
    let capacity = usize::try_from(bytes).unwrap_or(0);
    let limits = Limits::new(mode.max_message(capacity), capacity, 1);
    let limits = limits.with_settings([Some("fs.pipe-max-size"), None, None]);
    Ok(match limits.settings {
        [Some(limit), ..] => limits.bounded_by(limit),
        _ => limits,
    })
}
