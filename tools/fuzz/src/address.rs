//! Texts as addresses: parsed, printed and parsed again they are the same, and an error points into the text.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use fastrand::Rng;
use laneway::{Address, AddressError, AddressProblem, Registry};

use crate::{
    corpus,
    target::{Outcome, Target},
};

/// What addresses are made of, and what they must not hold.
const PIECES: &[&str] = &[
    "pipe",
    "fifo",
    "sysv",
    "shm",
    "shm+lock",
    "shm+spsc",
    "shm+mpmc",
    "unix",
    "unix+seqpacket",
    "unix+stream",
    ":",
    "?",
    "&",
    "=",
    "%",
    "%2",
    "%25",
    "%00",
    "%ff",
    "%C3%A9",
    "capacity",
    "allow_uid",
    "max_message",
    "wait",
    "lock",
    "mode",
    "id",
    "mtype",
    "select",
    "64KiB",
    "1GiB",
    "18446744073709551615",
    "99999999999GiB",
    "0",
    "-1",
    "3s",
    "5ms",
    "20us",
    "/tmp/x",
    "..",
    " ",
    "\0",
    "é",
    "\u{202e}",
    "packet",
    "robust",
    "raw_sync",
    "spin",
    "\n",
];

/// Parses texts.
#[derive(Debug)]
pub(crate) struct Addresses {
    seeds: Vec<&'static str>,
}

impl Addresses {
    pub(crate) fn new() -> Self {
        Self {
            seeds: corpus::addresses(),
        }
    }

    fn text(&self, random: &mut Rng) -> String {
        if random.u8(0..4) == 0 {
            let count = random.usize(0..8);
            return (0..count).map(|_| corpus::any(random, PIECES)).collect();
        }
        let mut bytes = corpus::any(random, &self.seeds).as_bytes().to_vec();
        corpus::mutate(random, &mut bytes, |random| {
            let mostly = b"%?&=:/+-._ 0aAzZ\xc3\xa9\0\x7f";
            match random.u8(0..4) {
                0 => random.u8(..),
                _ => corpus::any(random, mostly),
            }
        });
        if random.bool() {
            let at = random.usize(0..=bytes.len());
            let piece = corpus::any(random, PIECES).bytes();
            bytes.splice(at..at, piece);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Target for Addresses {
    fn begin(&mut self, _: &mut Rng) {}

    fn input(&mut self, random: &mut Rng) -> Outcome {
        if random.u8(0..8) == 0 {
            return named(random);
        }
        let text = self.text(random);
        match text.parse::<Address>() {
            Ok(address) => sound(&address),
            Err(error) => {
                assert_eq!(error.input, text);
                refused(&error)
            }
        }
    }
}

/// An error that people can read, and that points into the text.
fn refused(error: &AddressError) -> Outcome {
    assert!(error.input.is_char_boundary(error.at), "{error:?}");
    assert!(error.to_string().lines().count() >= 3, "{error:?}");
    match error.problem {
        AddressProblem::NoScheme => "no scheme",
        AddressProblem::BadScheme => "bad scheme",
        AddressProblem::BadEscape => "bad escape",
        AddressProblem::Nul => "nul",
        AddressProblem::NotText => "not text",
        AddressProblem::NotKeyValue => "not key=value",
        AddressProblem::DoubledKey => "doubled key",
        AddressProblem::UnknownScheme(_) => "unknown scheme",
        AddressProblem::UnknownKey(_) => "unknown key",
        AddressProblem::BadValue(_) => "bad value",
        AddressProblem::BadName(_) => "bad name",
        _ => "another",
    }
}

/// Printed and parsed again it is the same, whatever a transport says about it.
fn sound(address: &Address) -> Outcome {
    let printed = address.to_string();
    let again: Address = printed.parse().expect("what was printed parses");
    assert_eq!(*address, again);
    assert_eq!(again.to_string(), printed);
    let _ = (address.size("capacity"), address.duration("wait"));
    match Registry::BUILTIN.channel(address) {
        Err(error) => refused(&error),
        Ok(channel) => {
            let canonical = channel.address();
            let text = canonical.to_string();
            assert_eq!(text.parse::<Address>().as_ref(), Ok(&canonical));
            let same = Registry::BUILTIN.channel(&canonical);
            assert_eq!(same.expect("its own address").address(), canonical);
            "a channel"
        }
    }
}

/// Any bytes but NUL are a name.
fn named(random: &mut Rng) -> Outcome {
    let len = random.usize(0..12);
    let name: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
    match Address::new("fifo", OsStr::from_bytes(&name)) {
        Ok(address) => {
            let address = address.with("capacity", random.char(..));
            let again: Address = address.to_string().parse().unwrap_or_else(|error| {
                assert!(address.value("capacity") == Some("\0"), "{error}");
                address.clone()
            });
            assert_eq!(address, again);
            "a name"
        }
        Err(error) => {
            assert!(name.contains(&0), "{error}");
            refused(&error)
        }
    }
}
