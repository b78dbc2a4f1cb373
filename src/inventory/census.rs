//! Who has what open, read from the kernel's list of locks: nothing needs to be opened for it, also what belongs to others.

use std::{
    collections::{HashMap, HashSet},
    fs,
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use nix::sys::stat::{major, minor};

use crate::{End, presence};

/// Where the kernel lists all locks.
const LOCKS: &str = "/proc/locks";
/// Where it lists the Unix sockets.
const SOCKETS: &str = "/proc/net/unix";
/// How often it is read: it comes in pages, and where something changes between two of them, others may be missed or come twice.
const READINGS: usize = 5;

/// How many ends have an object open, in whatever process. One that was given to a child and not yet taken counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// Sending ends.
    pub senders: usize,
    /// Receiving ends.
    pub receivers: usize,
}

impl Users {
    /// Whether nobody has it open.
    #[must_use]
    pub const fn is_nobody(self) -> bool {
        self.senders == 0 && self.receivers == 0
    }

    fn count(&mut self, end: End) {
        match end {
            End::Sender => self.senders += 1,
            End::Receiver => self.receivers += 1,
        }
    }

    /// At least the others.
    pub(super) fn at_least(self, other: Self) -> Self {
        Self {
            senders: self.senders.max(other.senders),
            receivers: self.receivers.max(other.receivers),
        }
    }
}

/// Device and inode, as the kernel's list has them.
type Place = (u64, u64, u64);

/// The users of all objects.
#[derive(Debug, Default)]
pub(super) struct Census(HashMap<Place, Users>);

/// How many connections a socket's path has by the kernel's list of them. One whose sender has gone counts until its receiver has seen
/// that. What is in another network namespace is not in the list.
pub(super) fn connections(path: &Path) -> usize {
    let list = fs::read_to_string(SOCKETS).unwrap_or_default();
    let path = path.as_os_str().to_string_lossy();
    list.lines()
        .filter(|line| is_connection(line, &path))
        .count()
}

/// Whether a line tells of a connection: `0000000000000000: 00000003 00000000 00000000 0005 03 4711 /tmp/x`.
fn is_connection(line: &str, path: &str) -> bool {
    let mut words = line.split_whitespace();
    // Connected, or waiting to be taken in.
    let is_one = matches!(words.nth(5), Some("02" | "03"));
    is_one
        && line
            .split_once('/')
            .is_some_and(|(_, rest)| path.strip_prefix('/') == Some(rest))
}

impl Census {
    /// Reads the list.
    pub(super) fn take() -> io::Result<Self> {
        let mut readings = Vec::new();
        for _ in 0..READINGS {
            readings.push(Self::parse(&fs::read_to_string(LOCKS)?));
        }
        Ok(Self::agreed(&readings))
    }

    /// What most readings say. Whom only some have seen is there.
    fn agreed(readings: &[Self]) -> Self {
        let seen = readings.iter().flat_map(|reading| reading.0.keys());
        let places: HashSet<&Place> = seen.collect();
        let middle = |place: &Place, of: fn(&Users) -> usize| {
            let counts = readings.iter().map(|r| r.0.get(place).map_or(0, of));
            let mut counts: Vec<usize> = counts.collect();
            counts.sort_unstable();
            let middle = counts.get(counts.len() / 2).copied().unwrap_or(0);
            middle.max(counts.last().copied().unwrap_or(0).min(1))
        };
        let users = |place| Users {
            senders: middle(place, |users| users.senders),
            receivers: middle(place, |users| users.receivers),
        };
        Self(
            places
                .into_iter()
                .map(|place| (*place, users(place)))
                .collect(),
        )
    }

    fn parse(text: &str) -> Self {
        let mut census = Self::default();
        for line in text.lines() {
            if let Some((place, end)) = parse_line(line) {
                census.0.entry(place).or_default().count(end);
            }
        }
        census
    }

    /// The users of the object with this metadata.
    pub(super) fn of(&self, meta: &Metadata) -> Users {
        let place = (major(meta.dev()), minor(meta.dev()), meta.ino());
        self.0.get(&place).copied().unwrap_or_default()
    }
}

/// An end that a line tells of: `1: OFDLCK ADVISORY  READ -1 00:1b:42 35184372088832 35184372088832`.
fn parse_line(line: &str) -> Option<(Place, End)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "OFDLCK", _, _, _, object, start, _] = words.as_slice() else {
        return None;
    };
    let end = presence::end_at(start.parse().ok()?)?;
    let mut parts = object.split(':');
    let hex = |part: Option<&str>| u64::from_str_radix(part?, 16).ok();
    let (major, minor) = (hex(parts.next())?, hex(parts.next())?);
    let inode = parts.next()?.parse().ok()?;
    Some(((major, minor, inode), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_from_other_locks() {
        let text = "\
1: OFDLCK ADVISORY  READ -1 00:1b:42 35184372088832 35184372088832
1: -> OFDLCK ADVISORY  READ -1 00:1b:42 35184372088832 35184372088832
2: OFDLCK ADVISORY  WRITE -1 00:1b:42 35184372092927 35184372092927
3: OFDLCK ADVISORY  READ -1 00:1b:42 35184372092928 35184372092928
4: OFDLCK ADVISORY  READ -1 fe:0a:42 35184372092928 EOF
5: OFDLCK ADVISORY  READ -1 00:1b:42 35184373137408 35184373137408
6: POSIX  ADVISORY  WRITE 1 00:1b:42 35184372088832 35184372088832
7: FLOCK  ADVISORY  WRITE 1 00:1b:42 0 EOF
8: OFDLCK ADVISORY  READ -1 00:1b x 1
9: OFDLCK";
        let census = Census::parse(text);
        let at = |place| census.0.get(&place).copied();
        let users = |senders, receivers| Some(Users { senders, receivers });
        assert_eq!(at((0, 0x1b, 42)), users(2, 1));
        assert_eq!(at((0xfe, 0x0a, 42)), users(0, 1));
        assert_eq!(census.0.len(), 2);
    }

    #[test]
    fn connections_are_told_from_listeners_and_from_other_paths() {
        let connected = "0000000000000000: 00000003 00000000 00000000 0005 03 4711 /tmp/a b";
        assert!(is_connection(connected, "/tmp/a b"));
        assert!(is_connection(
            &connected.replace(" 03 ", " 02 "),
            "/tmp/a b"
        ));
        assert!(!is_connection(
            &connected.replace(" 03 ", " 01 "),
            "/tmp/a b"
        ));
        assert!(!is_connection(connected, "/tmp/a"));
        assert!(!is_connection(
            "Num RefCount Protocol Flags Type St Inode Path",
            "/tmp/a"
        ));
    }

    #[test]
    fn readings_that_missed_one_or_have_it_twice_are_outvoted() {
        let place = (0, 0x1b, 42);
        let reading = |senders| {
            Census(
                [(
                    place,
                    Users {
                        senders,
                        receivers: 1,
                    },
                )]
                .into(),
            )
        };
        let agreed = |counts: &[usize]| {
            let readings: Vec<Census> = counts.iter().map(|&count| reading(count)).collect();
            Census::agreed(&readings)
                .0
                .get(&place)
                .map(|users| users.senders)
        };
        assert_eq!(agreed(&[2, 2, 1, 2, 3]), Some(2));
        assert_eq!(agreed(&[0, 0, 1, 0, 0]), Some(1), "seen is there");
        assert_eq!(agreed(&[0; 5]), Some(0));
    }
}
