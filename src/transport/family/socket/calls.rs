//! The calls on sockets: without signals, and begun anew where a signal came in between.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::PollFlags,
    sys::socket::{
        self, AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, connect,
        getpeername, getsockopt, recv, send, sendmsg, setsockopt, sockopt,
    },
};

use crate::{
    Deadline, presence,
    sys::fd::{self, Block},
};

fn flags(block: Block) -> MsgFlags {
    match block {
        Block::Yes => MsgFlags::MSG_NOSIGNAL,
        Block::No => MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT,
    }
}

/// Calls again as long as signals interrupt.
#[inline]
fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Sends `bytes`, and tells how many of a stream went; of packets all or none.
#[inline]
pub(crate) fn put(fd: BorrowedFd<'_>, bytes: &[u8], block: Block) -> nix::Result<usize> {
    retry(|| send(fd.as_raw_fd(), bytes, flags(block)))
}

/// The same for what lies in several places.
pub(crate) fn put_parts(
    fd: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    block: Block,
) -> nix::Result<usize> {
    retry(|| sendmsg::<UnixAddr>(fd.as_raw_fd(), parts, &[], flags(block), None))
}

/// Receives what is there into `buf`. Tells the length of a packet, also of one that is longer than `buf`, the rest of which is lost. 0
/// means that no sender is left.
#[inline]
pub(crate) fn take(fd: BorrowedFd<'_>, buf: &mut [u8], block: Block) -> nix::Result<usize> {
    let flags = flags(block) | MsgFlags::MSG_TRUNC;
    loop {
        match recv(fd.as_raw_fd(), buf, flags) {
            // A peer that went with something unread of ours leaves this once, in front of what it had sent.
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            result => return result,
        }
    }
}

/// The same, of a stream, whose bytes MSG_TRUNC would throw away.
#[inline]
pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8], block: Block) -> nix::Result<usize> {
    loop {
        match recv(fd.as_raw_fd(), buf, flags(block)) {
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            result => return result,
        }
    }
}

/// A new socket that does not block.
pub(crate) fn open(kind: SockType) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket::socket(AddressFamily::Unix, kind, flags, None)?;
    presence::mark(&socket)?;
    Ok(socket)
}

/// Two sockets, connected.
pub(crate) fn pair(kind: SockType) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (one, other) = socket::socketpair(AddressFamily::Unix, kind, None, flags)?;
    presence::mark(&one)?;
    presence::mark(&other)?;
    Ok((one, other))
}

/// Connects, and has the socket block from now on.
pub(crate) fn join(fd: BorrowedFd<'_>, path: &Path) -> nix::Result<()> {
    let address = UnixAddr::new(path)?;
    retry(|| connect(fd.as_raw_fd(), &address))?;
    fcntl(fd, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(())
}

/// Whether it is connected, or was before the other side went.
pub(crate) fn is_joined(fd: BorrowedFd<'_>) -> bool {
    getpeername::<UnixAddr>(fd.as_raw_fd()).is_ok()
}

/// Has everybody who holds the connection see it end, also where a copy is open for a moment in a child that has not run its program yet.
pub(crate) fn end(fd: impl AsFd) {
    // One that is not connected has nothing to end.
    let _ = socket::shutdown(fd.as_fd().as_raw_fd(), Shutdown::Both);
}

/// Whether the other side is gone.
pub(crate) fn is_hung_up(fd: &OwnedFd) -> bool {
    let now = fd::wait(fd.as_fd(), PollFlags::empty(), Deadline::NOW);
    now.is_ok_and(|flags| flags.contains(PollFlags::POLLHUP))
}

/// Whether the other side has gone with something unread, since it was last asked or a call said so.
pub(crate) fn was_reset(fd: &OwnedFd) -> bool {
    let error = getsockopt(fd, sockopt::SocketError);
    error.is_ok_and(|error| error == libc::ECONNRESET)
}

/// The path that a socket is bound to.
pub(crate) fn path_of(fd: &OwnedFd) -> Option<PathBuf> {
    let name: UnixAddr = socket::getsockname(fd.as_raw_fd()).ok()?;
    name.path().map(Path::to_owned)
}

/// The user that connected, or that listens.
pub(crate) fn user_of(fd: &OwnedFd) -> io::Result<u32> {
    Ok(getsockopt(fd, sockopt::PeerCredentials)?.uid())
}

/// The process that connected, or that listens, as it was then: to be compared, not to be reached.
pub(crate) fn process_of(fd: &OwnedFd) -> io::Result<i32> {
    Ok(getsockopt(fd, sockopt::PeerCredentials)?.pid())
}

/// The bytes that may be under way from this socket, with the kernel's own.
pub(crate) fn room(fd: &OwnedFd) -> io::Result<usize> {
    Ok(getsockopt(fd, sockopt::SndBuf)?)
}

/// Sets them; the kernel doubles what it is asked for, and cuts it without a word.
pub(crate) fn set_room(fd: &OwnedFd, bytes: usize) -> io::Result<()> {
    Ok(setsockopt(fd, sockopt::SndBuf, &bytes.div_ceil(2))?)
}

/// Whether a descriptor is a Unix socket of this kind, and whether it listens.
pub(crate) fn listens(fd: &OwnedFd, kind: SockType) -> Option<bool> {
    let is_ours = getsockopt(fd, sockopt::SockType).ok()? == kind;
    let listens = getsockopt(fd, sockopt::AcceptConn).ok()?;
    let name: Result<UnixAddr, _> = socket::getsockname(fd.as_raw_fd());
    (is_ours && name.is_ok()).then_some(listens)
}
