//! The page, in a terminal of its own.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    process::Child,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    pty::{Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{Termios, tcgetattr},
    },
    unistd::Pid,
};

use laneway::Registry;

use crate::{
    private::{Case, laneway, said},
    traffic::Traffic,
};

pub(crate) const CASES: &[Case] = &[
    ("keys_end_the_page_and_the_terminal_is_as_before", keys_end),
    (
        "a_signal_ends_the_page_and_the_terminal_is_as_before",
        signal_ends,
    ),
    ("without_colours_none_are_shown", no_colours),
    ("where_there_is_no_terminal_it_is_a_table", table),
];

/// A page in a terminal.
struct Shown {
    child: Child,
    terminal: File,
    slave: File,
    before: Termios,
    bytes: mpsc::Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Shown {
    fn start(variables: &[(&str, &str)]) -> Self {
        let size = Winsize {
            ws_row: 30,
            ws_col: 130,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).expect("opens");
        let slave = File::from(pty.slave);
        let end = || slave.try_clone().expect("there is room");
        let before = tcgetattr(&slave).expect("a terminal");
        let mut command = laneway(&["top", "--interval", "0.1"]);
        command.stdin(end()).stdout(end()).stderr(end());
        command.env_remove("NO_COLOR").env("TERM", "xterm-256color");
        command.envs(variables.iter().copied());
        let child = command.spawn().expect("starts");
        let terminal = File::from(pty.master);
        let mut reader = terminal.try_clone().expect("there is room");
        let (send, bytes) = mpsc::channel();
        thread::spawn(move || {
            let mut room = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut room) {
                if send.send(room[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            terminal,
            slave,
            before,
            bytes,
            seen: Vec::new(),
        }
    }

    /// Goes on once this was shown.
    fn until(&mut self, text: &str) {
        while !self.has(text) {
            let more = self.bytes.recv_timeout(Duration::from_secs(60));
            self.seen.extend(more.expect("it shows more"));
        }
    }

    fn has(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.seen).contains(text)
    }

    fn press(&mut self, keys: &[u8]) {
        self.terminal.write_all(keys).expect("it reads");
    }

    /// Waits for its end, and asserts that the terminal is as it was.
    fn end(mut self) -> std::process::ExitStatus {
        let from = Instant::now();
        let ended = loop {
            match self.child.try_wait().expect("our child") {
                Some(ended) => break ended,
                None => assert!(from.elapsed() < Duration::from_secs(60), "it does not end"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        self.until("\x1b[?1049l");
        self.until("\x1b[?25h");
        let after = tcgetattr(&self.slave).expect("a terminal");
        assert!(after == self.before, "{after:?}");
        ended
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // It has ended, unless the test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn traffic() -> Traffic {
    let mut drivers = Registry::BUILTIN.drivers().iter();
    let spsc = drivers.find(|driver| driver.scheme() == "shm+spsc");
    Traffic::over(spsc.expect("registered")).expect("has names")
}

fn keys_end() {
    let traffic = traffic();
    for key in [b"q", b"\x03"] {
        let mut shown = Shown::start(&[]);
        shown.until("\x1b[?1049h");
        shown.until(&traffic.address);
        shown.until("q quits");
        shown.until("\x1b[3");
        // Whatever else is pressed is no harm.
        shown.press(b"n");
        shown.press(b"\x1b[A");
        shown.until(&traffic.address);
        shown.press(key);
        let ended = shown.end();
        assert_eq!((ended.code(), ended.signal()), (Some(0), None));
    }
}

fn signal_ends() {
    let mut shown = Shown::start(&[]);
    shown.until("q quits");
    let pid = i32::try_from(shown.child.id()).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("our child");
    assert_eq!(shown.end().signal(), Some(Signal::SIGTERM as i32));
}

fn no_colours() {
    let traffic = traffic();
    let mut shown = Shown::start(&[("NO_COLOR", "1")]);
    shown.until(&traffic.address);
    shown.until("q quits");
    shown.press(b"q");
    assert!(!shown.has("\x1b[1m") && !shown.has("\x1b[3"), "colours");
    assert_eq!(shown.end().code(), Some(0));
}

fn table() {
    let traffic = traffic();
    let text = said(&["top", "--interval", "0.1"]);
    assert!(!text.contains('\x1b'), "{text}");
    assert!(text.starts_with("ADDRESS"), "{text}");
    assert!(text.contains(&traffic.address), "{text}");
    assert!(text.lines().all(|line| line == line.trim_end()));
}
