//! What goes in comes out.

use nix::sys::signal::Signal;

use crate::place::Place;

/// Bytes of every value, newlines among them, the same each time.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn a_line_arrives_whichever_side_starts_first() {
    for sender_first in [true, false] {
        for place in Place::spelled() {
            let (mut sender, receiver) = place.start_both(sender_first, &[]);
            sender.type_in(b"hello\n");
            sender.finish().well();
            assert_eq!(receiver.finish().well(), b"hello\n", "{}", place.address);
            place.assert_gone();
        }
    }
}

#[test]
fn a_file_goes_through_whole() {
    let file = noise((4 << 20) + 13);
    for place in Place::spelled() {
        let (mut sender, receiver) = place.start_both(true, &["--raw"]);
        sender.feed(file.clone());
        let received = receiver.finish().well();
        assert!(received == file, "{}: other bytes", place.address);
        sender.finish().well();
        place.assert_gone();
    }
}

#[test]
fn blocks_have_the_size_that_was_asked_for() {
    let file = noise(100_005);
    for place in Place::plain() {
        let mut sender = place.start("send", &["--raw", "--size", "1KiB"]);
        let receiver = place.start("recv", &["--raw", "--count", "3"]);
        sender.feed(file.clone());
        assert!(receiver.finish().well() == file[..3 << 10]);
        drop(sender);
    }
}

#[test]
fn lines_keep_every_byte() {
    let lines = b"\n\n\0\xff\xfe\r\n \t\nlast, without a newline";
    for place in Place::plain() {
        let (mut sender, receiver) = place.start_both(false, &[]);
        sender.type_in(lines);
        sender.finish().well();
        let expected = [&lines[..], b"\n"].concat();
        assert_eq!(receiver.finish().well(), expected, "{}", place.address);
    }
}

#[test]
fn no_input_is_no_message() {
    for options in [&[][..], &["--raw"]] {
        for place in Place::plain() {
            let (sender, receiver) = place.start_both(true, options);
            sender.finish().well();
            assert_eq!(receiver.finish().well(), b"");
            place.assert_gone();
        }
    }
}

#[test]
fn many_lines_stay_in_order() {
    let lines: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    for place in Place::plain() {
        let (mut sender, receiver) = place.start_both(false, &[]);
        sender.feed(lines.clone().into_bytes());
        let received = receiver.finish().well();
        assert!(
            received == lines.as_bytes(),
            "{}: other lines",
            place.address
        );
        sender.finish().well();
    }
}

#[test]
fn a_lone_line_goes_out_at_once() {
    for place in Place::plain() {
        let (mut sender, mut receiver) = place.start_both(true, &[]);
        for line in ["one\n", "two\n", "three\n"] {
            sender.type_in(line.as_bytes());
            // The input stays open, so nothing but the line itself makes it come.
            assert_eq!(receiver.line(), line);
        }
        sender.finish().well();
        assert_eq!(receiver.finish().well(), b"");
    }
}

#[test]
fn the_receiver_stops_after_the_count() {
    for place in Place::plain() {
        let mut sender = place.start("send", &[]);
        let receiver = place.start("recv", &["--count", "3"]);
        sender.type_in(b"1\n2\n3\n4\n5\n");
        assert_eq!(receiver.finish().well(), b"1\n2\n3\n");
    }
}

#[test]
fn many_senders_share_a_channel_that_can_be_shared() {
    for place in [Place::at("sysv"), Place::at("shm+lock")] {
        let receiver = place.start("recv", &[]);
        receiver.until(|| place.exists());
        let mut senders = [0, 1, 2].map(|_| place.start("send", &[]));
        let mut expected = Vec::new();
        // All are there before the first may go: each has sent, and none has ended.
        let mut receiver = receiver;
        for (number, sender) in senders.iter_mut().enumerate() {
            let line = format!("from {number}\n");
            sender.type_in(line.as_bytes());
            assert_eq!(receiver.line(), line);
            expected.push(format!("bye {number}"));
        }
        for (number, mut sender) in senders.into_iter().enumerate() {
            sender.type_in(format!("bye {number}\n").as_bytes());
            sender.finish().well();
        }
        let rest = String::from_utf8(receiver.finish().well()).expect("text");
        let mut rest: Vec<_> = rest.lines().collect();
        rest.sort_unstable();
        assert_eq!(rest, expected);
        place.assert_gone();
    }
}

#[test]
fn a_receiver_that_was_too_slow_is_told_how_much_it_missed() {
    for framing in ["lines", "raw"] {
        let place = Place::broadcast();
        let mut receiver = place.start("recv", &["--framing", framing]);
        receiver.until(|| place.exists());
        let mut sender = place.start("send", &["--framing", framing]);
        sender.type_in(b"1\n");
        // Whatever was missed before it has met the sender.
        assert_eq!(receiver.line(), "1\n");
        receiver.signal(Signal::SIGSTOP);
        let rest: Vec<String> = (2..=400_000).map(|number| format!("{number}\n")).collect();
        sender.type_in(rest.concat().as_bytes());
        sender.finish().well();
        receiver.signal(Signal::SIGCONT);
        let ended = receiver.finish();
        let came = String::from_utf8(ended.out.clone()).expect("digits");
        ended.badly(6, &["the sender was faster", "went by", "capacity=SIZE"]);
        let numbers: Vec<u32> = came.lines().filter_map(|line| line.parse().ok()).collect();
        match framing {
            "lines" => {
                assert_eq!(numbers.last(), Some(&400_000), "the newest is kept");
                assert!(numbers.is_sorted() && numbers.len() < 399_999);
            }
            // Nothing behind the hole.
            _ => assert!(rest.concat().starts_with(&came)),
        }
    }
}
