//! Files through every transport, at every framing, byte for byte.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{carry::noise, place::Place};

/// A file of its own, removed when dropped.
pub(crate) struct Scrap(pub(crate) PathBuf);

impl Scrap {
    /// One that is not there yet.
    pub(crate) fn none() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);

        // ORDERING: Relaxed; only different numbers are wanted.
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("laneway-cli-scrap-{}-{number}", process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// One with this in it.
    pub(crate) fn with(bytes: &[u8]) -> Self {
        let scrap = Self::none();
        fs::write(&scrap.0, bytes).expect("writes");
        scrap
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_file(&self.0);
    }
}

/// These messages, each with its length in front.
fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        let len = u32::try_from(message.len()).expect("short");
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(message);
    }
    bytes
}

/// Sends a file and tells what comes out, in another file.
fn through(place: &Place, framing: &str, file: &Path) -> Vec<u8> {
    let copy = Scrap::none();
    let receiver = place.start("recv", &[copy.path(), "--framing", framing]);
    receiver.until(|| place.exists());
    let file = file.to_str().expect("text");
    let sender = place.start("send", &[file, "--framing", framing]);
    assert_eq!(receiver.finish().well(), b"", "{}", place.address);
    sender.finish().well();
    place.assert_gone();
    fs::read(&copy.0).expect("it was made")
}

#[test]
fn a_file_arrives_byte_for_byte_at_every_framing() {
    let mut lines = noise(1 << 20);
    lines.push(b'\n');
    let raw = noise((1 << 20) + 13);
    for place in Place::spelled() {
        let max = place.max_message();
        let noise = noise(3 * max);
        let (first, rest) = noise.split_at(max);
        let mut messages = vec![b"".as_slice(), first, b"\n", b"", b"\0\xff"];
        messages.extend(rest.chunks(1000));
        let lengths = framed(&messages);
        // No line may be longer than the place takes.
        let mut lines = lines.clone();
        for end in (0..lines.len()).step_by(max.min(4000)) {
            lines[end] = b'\n';
        }
        for (framing, file) in [("lines", &lines), ("len", &lengths), ("raw", &raw)] {
            let scrap = Scrap::with(file);
            let copy = through(&place, framing, &scrap.0);
            assert!(copy == *file, "{} {framing}: other bytes", place.address);
        }
    }
}

#[test]
fn a_last_line_without_a_newline_gets_one() {
    let scrap = Scrap::with(b"\none\n\n\0\xffthree");
    for place in Place::plain() {
        let copy = through(&place, "lines", &scrap.0);
        assert_eq!(copy, b"\none\n\n\0\xffthree\n", "{}", place.address);
    }
}

#[test]
fn an_empty_file_is_an_empty_file() {
    let scrap = Scrap::with(b"");
    for framing in ["lines", "len", "raw"] {
        for place in Place::plain() {
            assert_eq!(through(&place, framing, &scrap.0), b"");
        }
    }
}

#[test]
fn framings_meet_message_by_message() {
    for place in Place::plain() {
        let mut sender = place.start("send", &["--framing", "len"]);
        let receiver = place.start("recv", &["--framing", "lines"]);
        sender.type_in(&framed(&[b"", b"one", b"two\nhalves"]));
        sender.finish().well();
        assert_eq!(receiver.finish().well(), b"\none\ntwo\nhalves\n");
        let mut sender = place.start("send", &[]);
        let receiver = place.start("recv", &["--framing", "len"]);
        sender.type_in(b"\none\n");
        sender.finish().well();
        assert_eq!(receiver.finish().well(), framed(&[b"", b"one"]));
    }
}

#[test]
fn a_torn_input_is_told_once_the_rest_was_sent() {
    for (torn, says) in [
        (&b"\x05\0"[..], "2 of its 4"),
        (b"\x05\0\0\0abc", "7 of its 9"),
    ] {
        for place in Place::plain() {
            let (mut sender, receiver) = place.start_both(true, &["--framing", "len"]);
            let whole = framed(&[b"whole", b""]);
            sender.type_in(&[&whole, torn].concat());
            let says = ["within message 3", says, "--framing len", "were sent"];
            sender.finish().badly(1, &says);
            assert_eq!(receiver.finish().well(), whole, "{}", place.address);
            place.assert_gone();
        }
    }
}

#[test]
fn a_message_that_is_too_long_is_told_with_the_remedy() {
    for place in Place::plain() {
        let max = place.max_message();
        let (mut sender, receiver) = place.start_both(true, &["--framing", "len"]);
        let whole = framed(&[&vec![7; max], b""]);
        let len = u32::try_from(max + 1).expect("short");
        // Its length alone: nobody waits for what cannot be sent.
        sender.feed([&whole[..], &len.to_le_bytes()].concat());
        let received = receiver.finish().well();
        assert!(received == whole, "{}: other bytes", place.address);
        let (max, len) = (max.to_string(), len.to_string());
        sender
            .finish()
            .badly(1, &["message 3", &len, &max, "make it shorter, or "]);
        place.assert_gone();
    }
}

#[test]
fn raw_goes_out_as_it_comes() {
    for place in Place::plain() {
        let (mut sender, receiver) = place.start_both(true, &["--raw"]);
        let mut receiver = receiver;
        for word in ["one\n", "two\n"] {
            sender.type_in(word.as_bytes());
            // Neither block nor input is at its end.
            assert_eq!(receiver.line(), word);
        }
        sender.finish().well();
        receiver.finish().well();
    }
}

#[test]
fn files_that_cannot_be_are_told_before_anything_is_opened() {
    let place = Place::at("shm+spsc");
    let absent = Scrap::none();
    let path = absent.path();
    let send = place.start("send", &[path]).finish();
    send.badly(1, &[path, "No such file"]);
    place.start("send", &["/"]).finish().badly(1, &["/: "]);
    let nowhere = format!("{path}/below");
    let recv = place.start("recv", &[&nowhere]).finish();
    recv.badly(1, &[&nowhere, "No such file"]);
    place.assert_gone();
}

#[test]
fn a_full_disk_is_told() {
    let place = Place::at("shm+spsc");
    let receiver = place.start("recv", &["/dev/full", "--raw"]);
    receiver.until(|| place.exists());
    let mut sender = place.start("send", &["--raw"]);
    sender.feed(noise(1 << 20));
    receiver.finish().badly(1, &["/dev/full", "No space left"]);
    drop(sender);
}
