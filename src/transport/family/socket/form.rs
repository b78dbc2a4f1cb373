//! How messages lie in a socket, and what it holds.

use std::{io, os::fd::OwnedFd};

use nix::sys::socket::SockType;

use crate::{
    Limits, SystemLimit,
    transport::family::{
        pipe_options::{HEADER, TRAILER},
        socket::calls,
    },
};

/// What the kernel takes of the room beside the bytes of a packet.
const PACKET_LOSS: usize = 32;
/// What it adds to each part that it cuts a stream into, at most.
const PART_LOSS: usize = 5 << 10;
/// The most that it puts into one part, or a little less.
const PART: usize = 32 << 10;
/// The setting that bounds the room.
pub(crate) const SETTING: &str = "net.core.wmem_max";

/// Whether the kernel keeps the bounds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// It does: one packet a message, with a byte in front that tells what it is.
    Packet,
    /// It does not: frames, as in a pipe.
    Stream,
}

impl Form {
    /// The kind of socket.
    pub(crate) const fn kind(self) -> SockType {
        match self {
            Self::Packet => SockType::SeqPacket,
            Self::Stream => SockType::Stream,
        }
    }

    /// The longest message where so many bytes may be under way.
    pub(crate) const fn max_message(self, room: usize) -> usize {
        match self {
            Self::Packet => room.saturating_sub(PACKET_LOSS + 1),
            Self::Stream => {
                // All parts but the last must be in before the room is used up.
                let part = part(room);
                let parts = room.div_ceil(cost(part));
                (part * parts).saturating_sub(HEADER + TRAILER + HEADER)
            }
        }
    }

    /// The bytes of a message and all that may be around it.
    pub(crate) const fn whole(self, len: usize) -> usize {
        match self {
            Self::Packet => 1 + len,
            Self::Stream => HEADER + len + TRAILER + HEADER,
        }
    }

    /// The longest message that any sender may have: that of the most room which the system gives.
    pub(crate) fn most(self, limits: &Limits) -> usize {
        let setting = SystemLimit::read(SETTING).map_or(0, |limit| limit.value);
        let room = usize::try_from(setting).unwrap_or(0).saturating_mul(2);
        self.max_message(room).max(limits.max_message)
    }

    /// The numbers of a channel over this socket.
    pub(crate) fn limits(self, socket: &OwnedFd) -> io::Result<Limits> {
        let room = calls::room(socket)?;
        let limits = Limits::new(self.max_message(room), room, 1);
        let limits = limits.with_settings([Some(SETTING), Some("net.core.wmem_default"), None]);
        Ok(match limits.settings {
            [Some(limit), ..] => limits.bounded_by(limit),
            _ => limits,
        })
    }
}

/// The bytes of a stream that the kernel keeps together.
pub(crate) const fn part(room: usize) -> usize {
    let half = (room / 2).saturating_sub(64);
    if half < PART { half } else { PART }
}

/// What a part takes of the room, at most: the kernel rounds up what lies in one piece to a power of two.
const fn cost(part: usize) -> usize {
    if part < PART_LOSS - 1024 {
        2 * part + 1024
    } else {
        part + PART_LOSS
    }
}

/// Whether a stream takes `total` bytes at once where `used` bytes of the room are taken. Not surely if it says no.
pub(crate) const fn fits(total: usize, room: usize, used: usize) -> bool {
    let part = part(room);
    let others = total.div_ceil(part).saturating_sub(1);
    used + others * cost(part) < room
}
