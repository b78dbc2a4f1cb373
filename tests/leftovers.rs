//! Whoever ends a session, and however: when its last process is gone, nothing of it is in `/dev/shm`, in the temporary folder
//! or among the System V queues, and no process stays. If all were killed at once, the next to open the name, or
//! another channel without one, clears up.
//!
//! A session is three processes of this program: one that looks, a sender that it starts, and a receiver that the sender starts.

mod private;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    process::{self, Child, ChildStdout, Stdio},
};

use laneway::{
    Address, BoxChannel, Channel, Driver, Receiver, RecvError, Registry, SendError, Sender,
    conformance::Numbered,
    process::{give, inherited_receiver},
};
use libtest_mimic::{Arguments, Failed, Trial};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, killpg},
        wait::{WaitStatus, waitpid},
    },
    unistd::{Pid, alarm},
};
use private::{Place, snapshot::Snapshot};

/// Tells a child what to do.
const VARIABLE: &str = "LANEWAY_LEFTOVERS";
/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 60;
/// What a session says once a message has come.
const UNDER_WAY: &str = "under way";

/// Who is killed in the middle of a session.
const ENDINGS: [&str; 4] = ["nobody", "receiver", "sender", "all"];

fn main() {
    if let Ok(task) = env::var(VARIABLE) {
        alarm::set(WATCHDOG);
        play(&task);
        process::exit(0);
    }
    let lacking = private::lacking(VARIABLE);
    let place = lacking.as_ref().map_or(Place::Private, |_| Place::Anywhere);
    let mut trials = Vec::new();
    for (index, driver) in Registry::BUILTIN.drivers().iter().enumerate() {
        for variant in driver.variants() {
            for named in ["named", "anonymous"] {
                let can = channel(driver, variant, named).capabilities();
                // Who sends a broadcast misses no receiver: tests/broadcast.
                if !can.gives_each_once() {
                    continue;
                }
                if !(if named == "named" {
                    can.named
                } else {
                    can.anonymous
                }) {
                    continue;
                }
                for ending in ENDINGS {
                    let task = format!("look {index} {variant} {named} {ending}");
                    // Elsewhere a queue without a path is not told from those of others.
                    let mut name = format!("{}/{variant}/{named}/kill_{ending}", driver.scheme());
                    if let Some(why) = &lacking {
                        name = format!("{name} (queues not looked at: {why})");
                    }
                    let run = move || private::run(place, VARIABLE, &task).map_err(Failed::from);
                    trials.push(Trial::test(name, run));
                }
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A channel with a name that carries our process id, or without one.
fn channel(driver: &Driver, variant: &str, named: &str) -> BoxChannel {
    let unique = format!("laneway-leftovers.{}", process::id());
    let name = driver.example_name(&unique).filter(|_| named == "named");
    let mut address = Address::new(driver.scheme(), name.unwrap_or_default()).expect("a good name");
    for pair in variant.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').expect("key=value");
        address = address.with(key, value);
    }
    driver.channel(&address).expect("a good address")
}

fn play(task: &str) {
    let words: Vec<&str> = task.split(' ').collect();
    match words.as_slice() {
        ["nothing"] => private::enter(),
        ["look", index, variant, named, ending] => {
            private::enter();
            let index: usize = index.parse().expect("a number");
            let driver = Registry::BUILTIN.drivers().get(index).expect("a driver");
            look(&channel(driver, variant, named), ending);
        }
        ["send", address, ending] => send(address, ending),
        ["receive"] => receive(),
        _ => panic!("no task {task}"),
    }
}

/// Starts a session, ends it, and looks what is left.
fn look(channel: &BoxChannel, ending: &str) {
    prctl::set_child_subreaper(true).expect("orphans come to us");
    let before = Snapshot::take();
    let mut command = private::again(VARIABLE, &format!("send {} {ending}", channel.address()));
    command.process_group(0).stdout(Stdio::piped());
    let mut sender = command.spawn().expect("starts itself");
    drop(command);
    let group = Pid::from_raw(sender.id().cast_signed());
    wait_until_under_way(sender.stdout.take());
    match ending {
        "sender" => sender.kill().expect("is a child"),
        "all" => killpg(group, Signal::SIGKILL).expect("are children"),
        _ => {}
    }
    let killed = usize::from(ending == "sender") + 2 * usize::from(ending == "all");
    assert_eq!(reap_all(), killed, "killed");
    drop(sender);
    if ending == "all" {
        drop(channel.pair().expect("opens at once"));
    }
    before.assert_same(ending);
}

/// Waits until no process of ours is left, orphans too, and tells how many were killed. The others must end well.
fn reap_all() -> usize {
    let mut killed = 0;
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _)) => killed += 1,
            Ok(WaitStatus::Exited(_, 0)) | Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return killed,
            other => panic!("{other:?}"),
        }
    }
}

fn wait_until_under_way(stdout: Option<ChildStdout>) {
    let mut lines = BufReader::new(stdout.expect("piped")).lines();
    let line = lines.next().expect("a line").expect("text");
    assert_eq!(line, UNDER_WAY);
}

/// Sends a while to a receiver that it starts; without end if it will be killed or the receiver will.
fn send(address: &str, ending: &str) {
    let channel = laneway::channel(address).expect("a good address");
    let (mut tx, rx) = channel.pair().expect("opens");
    let mut command = private::again(VARIABLE, "receive");
    command.stdout(if ending == "receiver" {
        Stdio::piped()
    } else {
        Stdio::inherit()
    });
    give(&mut command, "rx", &rx).expect("gives");
    let mut receiver = command.spawn().expect("starts itself");
    drop((command, rx));
    let numbered = Numbered::within(tx.limits());
    let mut message = Vec::new();
    let count = if ending == "nobody" { 1000 } else { u64::MAX };
    for number in 0..count {
        numbered.write(number, &mut message);
        match tx.send(&message) {
            Ok(()) => {}
            Err(SendError::Disconnected) if ending == "receiver" => break,
            Err(error) => panic!("message {number}: {error}"),
        }
        if ending == "receiver" && number == 0 {
            kill(&mut receiver);
        }
    }
    drop(tx);
    let status = receiver.wait().expect("is a child");
    assert_eq!(status.success(), ending == "nobody", "{status}");
}

/// Kills the receiver once it has received, and says for it that it had.
fn kill(receiver: &mut Child) {
    wait_until_under_way(receiver.stdout.take());
    receiver.kill().expect("is a child");
    say_under_way();
}

#[expect(clippy::print_stdout, reason = "the answer to the parent")]
fn say_under_way() {
    println!("{UNDER_WAY}");
    std::io::stdout().flush().expect("the parent reads");
}

/// Receives until disconnected.
fn receive() {
    let mut rx = inherited_receiver("rx").expect("given");
    let numbered = Numbered::within(laneway::Endpoint::limits(&rx));
    let mut buf = vec![0; 64 << 10];
    let mut next = 0;
    loop {
        match rx.recv(&mut buf) {
            Ok(len) => {
                let message = buf.get(..len).expect("within");
                assert_eq!(numbered.check(message), Some(next), "in order and whole");
                next += 1;
                if next == 1 {
                    say_under_way();
                }
            }
            Err(RecvError::Disconnected) => return,
            Err(error) => panic!("message {next}: {error}"),
        }
    }
}
