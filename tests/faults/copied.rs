//! A process that is copied by fork in the middle of everything, as by a library that runs a program: the copy does not use the ends.
#![expect(unsafe_code, reason = "forks")]

use laneway::{BoxChannel, Channel, Endpoint, Sender, conformance::Numbered};
use nix::{
    libc,
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, fork, pause},
};

use crate::{
    peer::{Peer, say_end},
    world::Case,
};

pub(crate) const CASES: &[Case] = &[Case::new(
    "forks_in_the_middle_change_nothing",
    in_the_middle,
)];

/// Copies that end at once, and messages between two of them.
const COPIES: u64 = 200;
const BETWEEN: u64 = 50;
/// Copies that stay to the end.
const STAYING: u64 = 3;

/// A copy of this process, which stays until it is killed or ends at once.
fn copy(stays: bool) -> Pid {
    // SAFETY: the copy only waits for a signal, and ends without running anything of ours.
    match unsafe { fork() }.expect("forks") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            if stays {
                pause();
            }
            // SAFETY: it ends.
            unsafe { libc::_exit(0) }
        }
    }
}

fn in_the_middle(channel: &BoxChannel) {
    let (mut tx, rx) = channel.pair().expect("opens");
    let peer = Peer::start("receive", &rx);
    drop(rx);
    let numbered = Numbered::within(tx.limits());
    let mut message = Vec::new();
    let mut staying = Vec::new();
    for number in 0..COPIES * BETWEEN {
        if number % BETWEEN == 0 {
            let stays = number / BETWEEN < STAYING;
            let child = copy(stays);
            if stays {
                staying.push(child);
            } else {
                waitpid(child, None).expect("our child");
            }
        }
        numbered.write(number, &mut message);
        tx.send(&message).expect("sends");
        assert!(!tx.is_disconnected(), "message {number}");
    }
    // The end is told by a message, since a copy of a pipe's end keeps the pipe open.
    say_end(&mut tx);
    drop(tx);
    for child in staying {
        kill(child, Signal::SIGKILL).expect("our child");
        waitpid(child, None).expect("our child");
    }
    peer.end();
}
