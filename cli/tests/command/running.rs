//! A started command.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

/// No test takes a tenth of it. A child that lives longer is killed, and its test fails.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A started `laneway`. Killed when its time is up, and when dropped.
pub(crate) struct Running {
    child: Arc<Mutex<Child>>,
    stdout: Option<BufReader<ChildStdout>>,
    /// Dropping it calls the watchdog off.
    _watchdog: mpsc::Sender<()>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// What it wrote and nobody had read.
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Running {
    /// Starts `laneway` with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laneway"));
        command.args(arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let stdout = child.stdout.take().map(BufReader::new);
        let child = Arc::new(Mutex::new(child));
        let (watchdog, watch) = mpsc::channel();
        let watched = Arc::clone(&child);
        thread::spawn(move || {
            if watch.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
                // One that has ended and was waited for gets no signal: std sees to that.
                let _ = lock(&watched).kill();
            }
        });
        Self {
            child,
            stdout,
            _watchdog: watchdog,
        }
    }

    /// Types this into its standard input, which stays open.
    pub(crate) fn type_in(&mut self, bytes: &[u8]) {
        let mut child = lock(&self.child);
        let stdin = child.stdin.as_mut().expect("open");
        stdin.write_all(bytes).expect("it reads");
        stdin.flush().expect("it reads");
    }

    /// Gives it this as its whole standard input, while we go on. It may end before it has read all.
    pub(crate) fn feed(&mut self, bytes: Vec<u8>) {
        let mut stdin = lock(&self.child).stdin.take().expect("open");
        thread::spawn(move || stdin.write_all(&bytes));
    }

    /// The next line that it writes, with its newline.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().expect("read so far");
        stdout.read_line(&mut line).expect("text");
        line
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(lock(&self.child).id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("our child, not yet waited for");
    }

    /// Goes on as soon as `is_so`, which must be before the command ends.
    pub(crate) fn until(&self, is_so: impl Fn() -> bool) {
        while !is_so() {
            let ended = lock(&self.child).try_wait().expect("our child");
            assert_eq!(ended, None, "ended too early");
            thread::yield_now();
        }
    }

    /// Ends its standard input, and waits for its end.
    pub(crate) fn finish(self) -> Finished {
        drop(lock(&self.child).stdin.take());
        self.ended()
    }

    /// Waits for its end, reading what it writes, with its standard input as it is.
    pub(crate) fn ended(mut self) -> Finished {
        let stderr = lock(&self.child).stderr.take();
        let errors = thread::spawn(move || {
            let mut err = String::new();
            stderr
                .expect("taken once")
                .read_to_string(&mut err)
                .map(|_| err)
        });
        let mut out = Vec::new();
        if let Some(mut stdout) = self.stdout.take() {
            stdout.read_to_end(&mut out).expect("reads");
        }
        let err = errors.join().expect("does not panic").expect("text");
        self.reap(out, err)
    }

    /// Closes the reading end of its standard output.
    pub(crate) fn stop_reading(&mut self) {
        self.stdout = None;
    }

    fn reap(self, out: Vec<u8>, err: String) -> Finished {
        // Without the lock, so that the watchdog can have it; without reaping, so that the pid stays ours.
        let pid = Pid::from_raw(i32::try_from(lock(&self.child).id()).expect("a pid"));
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), flags) == Err(Errno::EINTR) {}
        let status = lock(&self.child).wait().expect("our child");
        Finished {
            code: status.code(),
            signal: status.signal(),
            out,
            err,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        // After its end there is nobody to kill.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Finished {
    /// Asserts that it did what it was asked, without a word, and gives what it wrote.
    #[track_caller]
    pub(crate) fn well(self) -> Vec<u8> {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""));
        self.out
    }

    /// Asserts that it failed with this code and said all of this.
    #[track_caller]
    pub(crate) fn badly(self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in says {
            assert!(self.err.contains(word), "no {word:?} in {:?}", self.err);
        }
        assert!(self.err.starts_with("laneway: "), "{:?}", self.err);
        assert!(!self.err.contains('\x1b'), "colours, and no terminal");
    }

    /// Asserts that a signal ended it, without a word.
    #[track_caller]
    pub(crate) fn by(self, signal: Signal) {
        assert_eq!((self.signal, self.err.as_str()), (Some(signal as i32), ""));
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}
