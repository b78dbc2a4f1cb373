//! A process from its start to its end.

use std::{
    env,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use laneway::{
    Channel, Deadline, ReceiverExt, RecvError, Sender,
    process::{Entries, Process, StartError, inherited_sender, wait_all, wait_any},
    typed::Plain,
};
use libtest_mimic::Trial;
use nix::sys::signal::{SigHandler, Signal, raise, signal};

use crate::{trial, watch};

/// Says that the program shall not serve its entries.
const UNSERVED: &str = "LANEWAY_TEST_UNSERVED";
/// Long enough for any event, and no bound on one.
const LONG: Duration = Duration::from_secs(60);

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("code", |code: u8| ExitCode::from(code))
        .entry("signal", |number: Plain<i32>| {
            raise(Signal::try_from(*number).expect("a signal")).expect("is sent");
        })
        .entry("fail", |why: String| Err::<(), _>(why))
        .entry("panic", |why: String| -> () { panic!("{why}") })
        .entry("stay", |()| stay())
        .entry("stay_whatever_comes", |()| {
            // SAFETY: a signal that is ignored runs nothing.
            unsafe { signal(Signal::SIGTERM, SigHandler::SigIgn) }.expect("is set");
            stay();
        })
}

/// Says that it is there, and stays until it is ended.
fn stay() {
    watch();
    let mut tx = inherited_sender("there").expect("given");
    tx.send(b"here").expect("sends");
    loop {
        std::thread::park();
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("life/tells_how_it_ended", tells_how_it_ended),
        trial("life/is_alive_until_it_is_ended", is_alive_until_ended),
        trial("life/a_deadline_is_kept", a_deadline_is_kept),
        trial("life/kill_ends_what_terminate_does_not", kill_ends),
        trial("life/no_child_outlives_its_handle", no_child_outlives),
        trial("life/any_and_all", any_and_all),
        trial("life/strangers_are_left_alone", strangers),
        trial("life/refusals_tell_the_remedy", refusals),
        trial("life/without_serve_nothing_starts", without_serve),
        trial("life/a_stray_variable_starts_nothing", stray_variable),
    ]
}

/// A child that has said that it is there.
fn staying(entry: &str) -> laneway::process::Child {
    let (tx, mut rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    let child = Process::new(entry, &())
        .give("there", &tx)
        .expect("gives")
        .start();
    drop(tx);
    assert_eq!(&*rx.loan().expect("comes"), b"here");
    child.expect("starts")
}

/// Whether there is such a process, as a zombie too.
pub(crate) fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn tells_how_it_ended() {
    for code in [0_u8, 1, 7, 255] {
        let child = Process::new("code", &code).start().expect("starts");
        assert_eq!(child.name(), "code");
        let status = child.join().expect("ends");
        assert_eq!(status.code(), Some(i32::from(code)));
        assert_eq!(child.join().expect("the same again"), status);
        assert_eq!(child.exit_status(), Some(status));
        assert!(!exists(child.pid()), "no zombie stays");
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let number = Plain(signal as i32);
        let child = Process::new("signal", &number)
            .name("own")
            .start()
            .expect("starts");
        assert_eq!(child.name(), "own");
        let status = child.join().expect("ends");
        assert_eq!((status.code(), status.signal()), (None, Some(*number)));
    }
    for (entry, code) in [("fail", 1), ("panic", 101)] {
        let child = Process::new(entry, &"on purpose".to_owned())
            .start()
            .expect("starts");
        assert_eq!(child.join().expect("ends").code(), Some(code), "{entry}");
    }
}

fn is_alive_until_ended() {
    let child = staying("stay");
    assert!(child.is_alive() && child.exit_status().is_none());
    assert!(exists(child.pid()));
    child.terminate().expect("is sent");
    let status = child.join().expect("ends");
    assert_eq!(status.signal(), Some(Signal::SIGTERM as i32));
    assert!(!child.is_alive());
    child.terminate().expect("it is left in peace");
    child.kill().expect("it is left in peace");
}

fn a_deadline_is_kept() {
    let child = staying("stay");
    let (start, timeout) = (Instant::now(), Duration::from_millis(30));
    assert_eq!(child.join_timeout(timeout).expect("is a child"), None);
    assert!(start.elapsed() >= timeout);
    child.kill().expect("is sent");
    let status = child.join_timeout(LONG).expect("is a child").expect("ends");
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
}

fn kill_ends() {
    let child = staying("stay_whatever_comes");
    child.terminate().expect("is sent");
    assert_eq!(
        child
            .join_timeout(Duration::from_millis(50))
            .expect("is a child"),
        None
    );
    child.kill().expect("is sent");
    let status = child.join().expect("ends");
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
}

fn no_child_outlives() {
    for entry in ["stay", "stay_whatever_comes"] {
        let child = staying(entry);
        let pid = child.pid();
        drop(child);
        assert!(!exists(pid), "{entry}");
    }
}

fn any_and_all() {
    let start = |code: u8| Process::new("code", &code).start().expect("starts");
    let children = [start(1), staying("stay"), start(2)];
    let mut told = Vec::new();
    for _ in 0..2 {
        let ended = wait_any(&children, Deadline::NEVER).expect("children");
        let (index, status) = ended.expect("one ends");
        told.push((index, status.code()));
    }
    told.sort_unstable();
    assert_eq!(told, [(0, Some(1)), (2, Some(2))]);
    let soon = Deadline::after(Duration::from_millis(20));
    assert_eq!(wait_any(&children, soon).expect("children"), None);
    assert_eq!(wait_all(&children, Deadline::NOW).expect("children"), None);
    children[1].kill().expect("is sent");
    let ended = wait_any(&children, Deadline::NEVER).expect("children");
    assert_eq!(ended.expect("the last one").0, 1);
    assert_eq!(wait_any(&children, Deadline::NEVER).expect("none"), None);
    let all = wait_all(&children, Deadline::NEVER).expect("children");
    let codes: Vec<_> = all
        .expect("ended")
        .iter()
        .map(|status| status.into_raw())
        .collect();
    assert_eq!(codes, [1 << 8, 9, 2 << 8]);
}

/// A child that another part of the program has started is not reaped.
fn strangers() {
    let mut stranger = Command::new("true").spawn().expect("starts");
    let ours = [Process::new("code", &3_u8).start().expect("starts")];
    while wait_any(&ours, Deadline::NEVER)
        .expect("children")
        .is_some()
    {}
    ours[0].join().expect("was told");
    assert!(
        stranger
            .wait()
            .expect("is still there to be reaped")
            .success()
    );
}

fn refusals() {
    let error = Process::new("nonsense", &()).start().expect_err("unknown");
    assert!(matches!(&error, StartError::UnknownEntry { known, .. } if known.len() > 3));
    assert!(error.to_string().contains("it has: code, "), "{error}");
    let error = Process::new("code", &1_u32)
        .start()
        .expect_err("another type");
    assert!(matches!(
        error,
        StartError::Arguments {
            expected: "u8",
            found: "u32",
            ..
        }
    ));
    let beside = Process::fork(|| ());
    // The one that waits is a thread of its own in any case.
    let error = std::thread::scope(|scope| {
        let (_hold, wait) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || wait.recv());
        beside.start().expect_err("threads run")
    });
    assert!(matches!(&error, StartError::Threads { names } if !names.is_empty()));
    assert!(error.to_string().contains("Process::new"), "{error}");
    let (tx, _rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    let bad_key = Process::new("code", &1_u8).give("a key", &tx);
    assert!(
        bad_key
            .expect_err("a space")
            .to_string()
            .contains("letters")
    );
}

/// Whether this process plays the program that forgot to serve.
pub(crate) fn is_unserved() -> bool {
    env::var_os(UNSERVED).is_some()
}

/// What that program does.
pub(crate) fn unserved() {
    watch();
    let error = Process::new("code", &1_u8)
        .start()
        .expect_err("would run for ever");
    assert!(matches!(error, StartError::NotServed));
    assert!(error.to_string().contains("Entries::serve"), "{error}");
}

fn without_serve() {
    let mut command = Command::new("/proc/self/exe");
    let status = command.env(UNSERVED, "1").status().expect("runs");
    assert!(status.success());
}

/// A program that was started for an entry starts others, which inherit its environment and not its task.
fn stray_variable() {
    let mut command = Command::new("/proc/self/exe");
    command.env("LANEWAY_PROCESS", "5:1:1 code").arg("--list");
    let output = command.output().expect("runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("life/refusals_tell_the_remedy"), "{text}");
}

/// A receiver that is disconnected, for other files: the last sender is gone.
pub(crate) fn assert_gone(rx: &mut impl laneway::Receiver) {
    let result = rx.recv(&mut [0; 64]);
    assert!(matches!(result, Err(RecvError::Disconnected)), "{result:?}");
}
