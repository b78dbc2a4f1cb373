//! Names that something else has: refused with the reason, and left as they are.

use std::{
    fs,
    os::unix::{
        fs::{FileExt, chown, symlink},
        net::UnixListener,
    },
    path::Path,
};

use laneway::{
    Channel, OpenErrorKind,
    transport::{Fifo, ShmLocked, ShmMpmc, Sysv},
};
use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::{
    attempt::{assert_says, refused},
    world::{Case, NOBODY, path, segment, set_mode},
};

pub(crate) const CASES: &[Case] = &[
    Case::anywhere("fifo_path_is_something_else", fifo_path_is_something_else),
    Case::private("fifo_belongs_to_another", fifo_belongs_to_another),
    Case::anywhere(
        "segment_name_is_something_else",
        segment_name_is_something_else,
    ),
    Case::anywhere(
        "segment_made_by_another_program",
        segment_made_by_another_program,
    ),
    Case::anywhere(
        "living_segment_without_all_its_state_words",
        living_segment_without_all_its_state_words,
    ),
    Case::private("segment_belongs_to_another", segment_belongs_to_another),
    Case::anywhere("queue_path_is_something_else", queue_path_is_something_else),
    Case::anywhere("queue_path_is_a_fifo", queue_path_is_a_fifo),
    Case::anywhere(
        "queue_path_is_a_link_to_nothing",
        queue_path_is_a_link_to_nothing,
    ),
    Case::anywhere("queue_path_is_a_socket", queue_path_is_a_socket),
    Case::anywhere("no_such_folder", no_such_folder),
];

/// Panics unless opening is refused with a reason that has `word`.
fn assert_not_ours<C: Channel>(channel: &C, word: &str) {
    for error in refused(channel) {
        assert!(matches!(error.kind, OpenErrorKind::Refused(_)), "{error}");
        assert_says(
            &error.to_string(),
            &[word, "choose another name, or remove it"],
        );
    }
}

/// Makes a FIFO with this mode.
fn make_fifo(path: &Path, mode: u32) {
    mkfifo(path, Mode::from_bits_truncate(mode)).expect("makes");
    set_mode(path, mode);
}

/// Makes what is not a regular file at `path`, one thing after the other.
fn each_thing(path: &Path, mut check: impl FnMut(&str)) {
    fs::create_dir(path).expect("makes");
    check("directory");
    fs::remove_dir(path).expect("is ours");

    symlink("nowhere", path).expect("makes");
    check("link to nothing");
    fs::remove_file(path).expect("is ours");

    let target = crate::world::path("target");
    make_fifo(&target, 0o600);
    symlink(&target, path).expect("makes");
    check("link to a FIFO");
    fs::remove_file(path).expect("is ours");
    fs::remove_file(&target).expect("is ours");

    fs::write(&target, "text").expect("writes");
    symlink(&target, path).expect("makes");
    check("link to a file");
    fs::remove_file(path).expect("is ours");
    fs::remove_file(&target).expect("is ours");

    drop(UnixListener::bind(path).expect("makes"));
    check("socket");
    fs::remove_file(path).expect("is ours");
}

fn fifo_path_is_something_else() {
    let path = path("fifo");
    let fifo = Fifo::new(&path);
    for text in ["", "text"] {
        fs::write(&path, text).expect("writes");
        assert_not_ours(&fifo, "not a FIFO");
        fs::remove_file(&path).expect("is ours");
    }
    each_thing(&path, |thing| {
        let word = if thing.starts_with("link") {
            "symbolic link"
        } else {
            "not a FIFO"
        };
        assert_not_ours(&fifo, word);
    });
    // One that we did not make is used, and left.
    make_fifo(&path, 0o600);
    drop(fifo.pair().expect("opens"));
    fs::remove_file(&path).expect("was left");
}

fn fifo_belongs_to_another() {
    let path = path("fifo");
    for mode in [0o600, 0o666, 0o1600] {
        make_fifo(&path, mode);
        chown(&path, Some(NOBODY), Some(NOBODY)).expect("gives away");
        assert_not_ours(&Fifo::new(&path), "another user");
        fs::remove_file(&path).expect("was left");
    }
}

fn segment_name_is_something_else() {
    let (name, file) = segment("thing");
    let channel = ShmLocked::new(&name);
    each_thing(&file, |thing| {
        let word = match thing {
            "directory" => "directory",
            "socket" => "not a segment",
            _ => "symbolic link",
        };
        assert_not_ours(&channel, word);
    });
    make_fifo(&file, 0o600);
    assert_not_ours(&channel, "not a segment");
    fs::remove_file(&file).expect("was left");
}

/// The bytes of a sound segment.
fn sound() -> Vec<u8> {
    let (name, file) = segment("sound");
    let open = ShmLocked::new(&name).capacity(4096).pair().expect("opens");
    let bytes = fs::read(file).expect("there");
    drop(open);
    bytes
}

fn segment_made_by_another_program() {
    let (name, file) = segment("bytes");
    let channel = ShmLocked::new(&name);
    let sound = sound();
    let with = |at: usize, new: &[u8]| {
        let mut bytes = sound.clone();
        let place = bytes.get_mut(at..at + new.len()).expect("within");
        place.copy_from_slice(new);
        bytes
    };
    let cases = [
        ("nothing", Vec::new()),
        ("a text", b"hello\n".to_vec()),
        ("noise", (0..=255).cycle().take(5120).collect()),
        ("zeroes", vec![0; 5120]),
        ("another magic", with(7, b"!")),
        ("the other byte order", with(0, b"\x1aYAWENAL")),
        (
            "cut short",
            sound.get(..1024 + 4095).expect("longer").to_vec(),
        ),
        ("only a header", sound.get(..1024).expect("longer").to_vec()),
        ("one byte more", [sound.as_slice(), &[0]].concat()),
        ("no power of two", with(16, &5000_u64.to_le_bytes())),
        (
            "a capacity beyond the end",
            with(16, &8192_u64.to_le_bytes()),
        ),
        ("an absurd capacity", with(16, &u64::MAX.to_le_bytes())),
        (
            "an absurd longest message",
            with(24, &u64::MAX.to_le_bytes()),
        ),
    ];
    for (what, bytes) in cases {
        fs::write(&file, bytes).expect("writes");
        set_mode(&file, 0o600);
        assert_not_ours(&channel, "another program");
        fs::remove_file(&file).expect(what);
    }
    fs::write(&file, &sound).expect("writes");
    set_mode(&file, 0o622);
    assert_not_ours(&channel, "other users may write");
    set_mode(&file, 0o600);
    // Sound and nobody there: stale, so it is made anew.
    drop(channel.pair().expect("opens"));
    assert!(!file.exists());
}

/// What a living peer does to its ring is refused by who comes later.
fn living_segment_without_all_its_state_words() {
    let (name, file) = segment("words");
    let channel = ShmMpmc::new(&name);
    let there = channel.clone().capacity(4096).sender().expect("opens");
    let raw = fs::OpenOptions::new().write(true).open(&file);
    let raw = raw.expect("there");
    // Behind the words are the counters of its ends.
    let counters = 1023 * 128;
    let sound = 512 + counters;
    for trailer in [0, 64, 448, 512, sound - 64, sound + 8, sound + 32_768] {
        raw.set_len(1024 + 4096 + trailer).expect("resizes");
        raw.write_all_at(&trailer.to_le_bytes(), 48)
            .expect("writes");
        for error in refused(&channel) {
            assert_eq!(error.kind, OpenErrorKind::Corrupt, "{trailer}: {error}");
        }
    }
    raw.set_len(1024 + 4096 + sound).expect("resizes");
    raw.write_all_at(&u64::to_le_bytes(sound), 48)
        .expect("writes");
    drop(channel.receiver().expect("sound again"));
    drop(there);
    assert!(!file.exists());
}

fn segment_belongs_to_another() {
    let (name, file) = segment("owner");
    for bytes in [Vec::new(), sound()] {
        fs::write(&file, bytes).expect("writes");
        set_mode(&file, 0o666);
        chown(&file, Some(NOBODY), Some(NOBODY)).expect("gives away");
        assert_not_ours(&ShmLocked::new(&name), "another user");
        fs::remove_file(&file).expect("was left");
    }
}

/// A queue's path may be any file or folder, as with ftok.
fn queue_path_is_something_else() {
    let path = path("queue");
    let queue = Sysv::new(&path);
    fs::create_dir(&path).expect("makes");
    drop(queue.pair().expect("a folder has a key too"));
    fs::remove_dir(&path).expect("was left");
    fs::write(&path, "text").expect("writes");
    set_mode(&path, 0o1600);
    drop(queue.pair().expect("a file has a key"));
    assert_eq!(fs::read_to_string(&path).expect("was left"), "text");
    fs::remove_file(&path).expect("is ours");
}

fn queue_path_is_a_fifo() {
    let path = path("queue");
    make_fifo(&path, 0o600);
    drop(Sysv::new(&path).pair().expect("a FIFO has a key too"));
    fs::remove_file(&path).expect("was left");
}

fn queue_path_is_a_link_to_nothing() {
    let path = path("queue");
    symlink("nowhere", &path).expect("makes");
    assert_not_ours(&Sysv::new(&path), "symbolic link");
    fs::remove_file(&path).expect("was left");
}

fn queue_path_is_a_socket() {
    let path = path("queue");
    drop(UnixListener::bind(&path).expect("makes"));
    assert_not_ours(&Sysv::new(&path), "not a file");
    fs::remove_file(&path).expect("was left");
}

fn no_such_folder() {
    let path = path("missing/x");
    let errors = refused(&Fifo::new(&path));
    for error in errors.into_iter().chain(refused(&Sysv::new(&path))) {
        assert_eq!(error.kind, OpenErrorKind::NotFound, "{error}");
        assert_says(&error.to_string(), &["missing/x", "check the name"]);
    }
}
