//! Who has a channel open, told by locks that the kernel holds for the living.
//!
//! Each open end holds a lock of its open file description (`F_OFD_SETLK`) on a byte of the channel's
//! object: a segment, a FIFO, even an anonymous pipe. Which byte tells which end. The lock goes when the end
//! gives it up, or with the death of its last holder, by whatever cause. So there is no count to repair, no pid
//! to be reused, no daemon to ask. It passes through exec, which is how an end that is handed over stays taken.
//!
//! A second kind of lock, `flock`, is the gate: held only while an end opens or closes, so that
//! looking at who is there and acting on it are one step.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, Flock, FlockArg, Flockable, OFlag, fcntl, open},
    sys::{
        socket::{UnixAddr, getsockname},
        stat::Mode,
    },
};

use crate::{Deadline, End, sys};

/// Where the bytes of the ends start, far behind any data.
const ENDS: i64 = 1 << 45;
/// Where the bytes of the numbers start.
const NUMBERS: i64 = ENDS + (1 << 20);
/// Bytes for each end and for each type: the first is shared by those who may read the object, the others
/// are taken singly by those who may only write it, since their kind of lock excludes.
const PLACES: i64 = 1 << 12;
/// Where the descriptors that hold places start: above those of most programs, or if there may not be as many, of small ones.
const ASIDE: [i32; 2] = [256, 32];
/// How often the kernel is asked who is there. More than a thousand are not told apart; each question takes the longer the more there are.
const QUESTIONS: u32 = 2048;
/// How long an opener waits at the gate.
const GATE: Duration = Duration::from_secs(10);

fn base(end: End) -> i64 {
    match end {
        End::Sender => ENDS,
        End::Receiver => ENDS + PLACES,
    }
}

fn lock(kind: i32, start: i64, len: i64) -> libc::flock {
    libc::flock {
        // The kinds are 0, 1 and 2.
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: 0,
        l_start: start,
        l_len: len,
        l_pid: 0,
    }
}

/// Which end a lock that starts at this byte tells of.
pub(crate) fn end_at(start: i64) -> Option<End> {
    let is_of = |end: &End| (base(*end)..base(*end) + PLACES).contains(&start);
    [End::Sender, End::Receiver].into_iter().find(is_of)
}

/// Takes a place among the `PLACES` from `start`.
fn hold(fd: impl AsFd, start: i64) -> io::Result<()> {
    match fcntl(&fd, FcntlArg::F_OFD_SETLK(&lock(libc::F_RDLCK, start, 1))) {
        Ok(_) => return Ok(()),
        Err(Errno::EBADF) => {}
        Err(error) => return Err(error.into()),
    }
    for place in 1..PLACES {
        let wanted = lock(libc::F_WRLCK, start + place, 1);
        match fcntl(&fd, FcntlArg::F_OFD_SETLK(&wanted)) {
            Ok(_) => return Ok(()),
            Err(Errno::EAGAIN | Errno::EACCES) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::EUSERS.into())
}

/// The first byte of a range that another description holds.
fn held(fd: impl AsFd, start: i64, len: i64) -> io::Result<Option<i64>> {
    if len == 0 {
        return Ok(None);
    }
    let mut found = lock(libc::F_WRLCK, start, len);
    fcntl(fd, FcntlArg::F_OFD_GETLK(&mut found))?;
    Ok((i32::from(found.l_type) != libc::F_UNLCK).then_some(found.l_start))
}

/// Counts `fd`'s description among the open ends.
pub(crate) fn join(fd: impl AsFd, end: End) -> io::Result<()> {
    hold(fd, base(end))
}

/// Gives up all that `fd`'s description holds. Closing alone does not do that while another thread has just forked to
/// run a program: until it runs, the copy of this process holds every description too.
pub(crate) fn leave(fd: impl AsFd) {
    let all = lock(libc::F_UNLCK, ENDS, 0);
    // Unlocking what is open does not fail; closing follows in any case.
    let _ = fcntl(fd, FcntlArg::F_OFD_SETLK(&all));
}

/// Another description of `fd`'s object, for reading and writing as `fd` is, that never blocks to be opened.
pub(crate) fn reopen(fd: impl AsFd, access: OFlag) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let flags = access | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let again = open(path.as_str(), flags, Mode::empty())?;
    fcntl(&again, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(again)
}

/// A descriptor of the same description, which goes sooner than others when this process dies: the kernel closes the highest first.
/// The thread that watches has a file of inotify, and to close one takes the kernel milliseconds, on a busy machine a second. Whatever
/// holds a place must not wait for that, or this death is heard of late.
pub(crate) fn aside(fd: impl AsFd) -> io::Result<OwnedFd> {
    let [high, low] = ASIDE;
    let fd = fd.as_fd();
    sys::fd::copy_from(fd, high).or_else(|_| sys::fd::copy_from(fd, low))
}

/// Where the locks of a description start, by what the kernel tells of it in `fdinfo`.
fn starts(info: &str) -> impl Iterator<Item = i64> {
    let locks = info
        .lines()
        .filter(|line| line.starts_with("lock:") && line.contains("OFDLCK"));
    locks.filter_map(|line| line.split_whitespace().rev().nth(1)?.parse().ok())
}

/// Whether a description is an open end, or was, by what the kernel tells of it in `/proc/self/fdinfo`.
pub(crate) fn is_end(info: &str) -> bool {
    starts(info).any(|start| start >= ENDS)
}

/// Whether a description is this end, by the same.
pub(crate) fn is_this_end(info: &str, end: End) -> bool {
    starts(info).any(|start| end_at(start) == Some(end))
}

/// The priority of the sockets of channels. On a Unix socket it changes nothing, so it marks those that take no locks.
const PRIORITY: i32 = 5;

/// Marks a socket as an end.
pub(crate) fn mark(socket: impl AsFd) -> io::Result<()> {
    sys::fd::set_priority(socket.as_fd(), PRIORITY)
}

/// Whether a descriptor is a socket that was marked.
pub(crate) fn is_marked(fd: BorrowedFd<'_>) -> bool {
    sys::fd::priority(fd) == Some(PRIORITY) && getsockname::<UnixAddr>(fd.as_raw_fd()).is_ok()
}

/// Whether another description is an open end of this kind.
pub(crate) fn has(fd: impl AsFd, end: End) -> io::Result<bool> {
    Ok(held(fd, base(end), PLACES)?.is_some())
}

/// Whether another description is an open end of any kind.
pub(crate) fn has_any(fd: impl AsFd) -> io::Result<bool> {
    Ok(held(fd, ENDS, 2 * PLACES)?.is_some())
}

/// The bytes that other descriptions hold: who is there, to be compared with another time.
pub(crate) fn places(fd: impl AsFd) -> io::Result<Vec<i64>> {
    let mut places = Vec::new();
    let mut asked = 0;
    let mut ranges = vec![(ENDS, NUMBERS + i64::from(u16::MAX))];
    while let Some((start, end)) = ranges.pop() {
        // Of several locks the kernel tells not the lowest but that of whoever took its first one first, so there may be others
        // on either side.
        asked += 1;
        if asked > QUESTIONS {
            return Err(Errno::EUSERS.into());
        }
        if let Some(at) = held(&fd, start, end - start)? {
            // What overlaps the range from before is told by its own start.
            let at = at.max(start);
            places.push(at);
            ranges.extend([(start, at), (at + 1, end)]);
        }
    }
    places.sort_unstable();
    Ok(places)
}

/// Takes the first number below `end` that no other description has.
pub(crate) fn take_number(fd: impl AsFd, end: u16) -> io::Result<u16> {
    for number in 0..end {
        if take_this_number(&fd, number)? {
            return Ok(number);
        }
    }
    Err(Errno::EUSERS.into())
}

/// Takes this number, unless another description has it.
pub(crate) fn take_this_number(fd: impl AsFd, number: u16) -> io::Result<bool> {
    let wanted = lock(libc::F_WRLCK, NUMBERS + i64::from(number), 1);
    match fcntl(&fd, FcntlArg::F_OFD_SETLK(&wanted)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives a number back.
pub(crate) fn give_number_back(fd: impl AsFd, number: u16) -> io::Result<()> {
    let free = lock(libc::F_UNLCK, NUMBERS + i64::from(number), 1);
    fcntl(&fd, FcntlArg::F_OFD_SETLK(&free))?;
    Ok(())
}

/// Whether another description has this number.
pub(crate) fn has_number(fd: impl AsFd, number: u16) -> io::Result<bool> {
    Ok(held(fd, NUMBERS + i64::from(number), 1)?.is_some())
}

/// Something that all open ends must agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// The type of the messages.
    Type,
    /// How messages are framed.
    Mode,
}

impl Topic {
    /// Where its bytes start: room for 2^32 values with their places.
    const fn start(self) -> i64 {
        match self {
            Self::Type => 1 << 46,
            Self::Mode => 1 << 47,
        }
    }
}

/// Declares a value, unless another description declared another: then that is returned.
pub(crate) fn declare(fd: impl AsFd, topic: Topic, ours: u32) -> io::Result<Option<u32>> {
    let place = |value: u32| topic.start() + i64::from(value) * PLACES;
    let start = place(ours);
    let end = place(u32::MAX) + PLACES;
    // First hold, then look: of two who come at once at least one sees the other.
    hold(&fd, start)?;
    let other = match held(&fd, topic.start(), start - topic.start())? {
        Some(at) => Some(at),
        None => held(&fd, start + PLACES, end - start - PLACES)?,
    };
    if other.is_some() {
        let all = lock(libc::F_UNLCK, start, PLACES);
        fcntl(&fd, FcntlArg::F_OFD_SETLK(&all))?;
    }
    let value = |at: i64| u32::try_from((at - topic.start()) / PLACES).unwrap_or_default();
    Ok(other.map(value))
}

/// The gate of a channel, ours while this lives.
#[derive(Debug)]
pub(crate) struct Gate<T: Flockable>(Flock<T>);

impl<T: Flockable> Gate<T> {
    /// Waits until nobody else opens or closes this object. `WouldBlock` if somebody keeps at it, stopped perhaps.
    pub(crate) fn enter(object: T) -> io::Result<Self> {
        let mut object = object;
        let deadline = Deadline::after(GATE);
        loop {
            match Flock::lock(object, FlockArg::LockExclusiveNonblock) {
                Ok(held) => return Ok(Self(held)),
                Err((back, Errno::EAGAIN)) if !deadline.has_passed() => object = back,
                Err((_, error)) => return Err(error.into()),
            }
            pause();
        }
    }

    /// The same at once. `WouldBlock` if somebody opens or closes this object.
    pub(crate) fn try_enter(object: T) -> io::Result<Self> {
        let held = Flock::lock(object, FlockArg::LockExclusiveNonblock);
        held.map(Self).map_err(|(_, error)| error.into())
    }

    /// The object.
    pub(crate) fn object(&self) -> &T {
        &self.0
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lock of a file wakes nobody when it goes"
)]
fn pause() {
    std::thread::sleep(Duration::from_micros(200));
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};

    #[test]
    fn more_than_can_be_told_apart_are_an_error_and_not_endless() {
        let fd = memfd_create("many", MFdFlags::MFD_CLOEXEC).expect("makes");
        let other = reopen(&fd, OFlag::O_RDWR).expect("opens");
        for place in 0..i64::from(QUESTIONS) {
            // Not side by side, or the kernel makes one of them.
            let wanted = lock(libc::F_RDLCK, NUMBERS + 2 * place, 1);
            fcntl(&other, FcntlArg::F_OFD_SETLK(&wanted)).expect("takes");
        }
        assert!(places(&fd).is_err());
    }

    #[test]
    fn everybody_is_told_of_whoever_came_first() {
        let fd = memfd_create("places", MFdFlags::MFD_CLOEXEC).expect("makes");
        let open = || reopen(&fd, OFlag::O_RDWR).expect("opens");
        let (first, second) = (open(), open());
        // The higher places of both kinds are those of the one that came first.
        join(&first, End::Receiver).expect("joins");
        assert!(take_this_number(&first, 5).expect("takes"));
        join(&second, End::Sender).expect("joins");
        assert!(take_this_number(&second, 0).expect("takes"));
        let all = [ENDS, ENDS + PLACES, NUMBERS, NUMBERS + 5];
        assert_eq!(places(&fd).expect("tells"), all);
        drop(second);
        assert_eq!(places(&fd).expect("tells"), [ENDS + PLACES, NUMBERS + 5]);
        assert!(
            places(&first).expect("tells").is_empty(),
            "its own are not told"
        );
    }
}
