//! The process at the other end of a channel.

use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

use laneway::{
    BoxSender, Endpoint, Receiver, ReceiverExt, RecvError, SendError, Sender,
    conformance::Numbered,
    process::{give, inherited_receiver, inherited_sender},
};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};

use crate::{private, storm, world::VARIABLE};

/// How long a call may wait while nothing can come.
const SILENCE: Duration = Duration::from_millis(200);

/// A started process. Killed when dropped.
pub(crate) struct Peer(Child);

impl Peer {
    /// One that plays `role` with the end that it is given as `end`.
    pub(crate) fn start(role: &str, end: &impl Endpoint) -> Self {
        Self::start_with(role, &[("end", end)])
    }

    /// One that is given several ends.
    pub(crate) fn start_with(role: &str, ends: &[(&str, &dyn Endpoint)]) -> Self {
        let mut command: Command = private::again(VARIABLE, &format!("peer {role}"));
        for (key, end) in ends {
            give(&mut command, key, *end).expect("gives");
        }
        Self(command.spawn().expect("starts itself"))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    /// Stops it, and returns once it has stopped.
    pub(crate) fn stop(&self) {
        kill(self.pid(), Signal::SIGSTOP).expect("our child");
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
        let stopped = waitid(Id::Pid(self.pid()), flags).expect("our child");
        assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
    }

    /// Has it go on.
    pub(crate) fn go_on(&self) {
        kill(self.pid(), Signal::SIGCONT).expect("our child");
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn end(mut self) {
        let status = self.0.wait().expect("our child");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // After its end there is nobody to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Plays a role: `send` or `receive` until the other side has gone, `even` or `odd` numbers only, in a `storm`, or `answer`.
pub(crate) fn play(role: &str) {
    match role {
        "send" => send_until_alone(0, 1),
        "even" => send_until_alone(0, 2),
        "odd" => send_until_alone(1, 2),
        "receive" => receive_all(),
        "storm" => storm::around(receive_all),
        "answer" => answer(),
        _ => panic!("no role {role}"),
    }
}

/// Sends every message from `first` in steps, until there is no receiver.
fn send_until_alone(first: usize, step: usize) {
    let mut tx = inherited_sender("end").expect("given");
    let numbered = Numbered::within(tx.limits());
    let mut message = Vec::new();
    for number in (first as u64..).step_by(step) {
        numbered.write(number, &mut message);
        match tx.send(&message) {
            Ok(()) => {}
            Err(SendError::Disconnected) => return,
            Err(error) => panic!("message {number}: {error}"),
        }
    }
}

/// Receives until every sender has gone; each message in order and whole. The last says how many there were.
fn receive_all() {
    let mut rx = inherited_receiver("end").expect("given");
    let numbered = Numbered::within(rx.limits());
    let mut next = 0;
    let mut told = None;
    loop {
        match rx.loan() {
            Ok(message) if told.is_none() && message.len() == 1 => told = Some(next),
            Ok(message) => {
                assert_eq!(numbered.check(&message), Some(next), "in order and whole");
                next += 1;
            }
            Err(RecvError::Disconnected) => break,
            Err(error) => panic!("message {next}: {error}"),
        }
    }
    assert_eq!(told, Some(next), "the end was the last");
}

/// Says that this was all. No numbered message is that short.
pub(crate) fn say_end(tx: &mut BoxSender) {
    tx.send(b".").expect("is still there");
}

/// Sends back what comes, and waits for nothing in between: no wait may end early.
fn answer() {
    let mut rx = inherited_receiver("questions").expect("given");
    let mut tx = inherited_sender("answers").expect("given");
    let mut silent = inherited_receiver("silence").expect("given");
    let mut buf = vec![0; rx.limits().max_message.min(64 << 10)];
    loop {
        match rx.recv(&mut buf) {
            Ok(len) => tx.send(buf.get(..len).expect("within")).expect("sends"),
            Err(RecvError::Disconnected) => break,
            Err(error) => panic!("{error}"),
        }
    }
    let start = Instant::now();
    let nothing = silent.recv_timeout(&mut buf, SILENCE);
    assert!(matches!(nothing, Err(RecvError::Empty)), "{nothing:?}");
    assert!(start.elapsed() >= SILENCE, "{:?}", start.elapsed());
}
