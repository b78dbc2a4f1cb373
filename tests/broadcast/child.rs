//! The processes of a broadcast.

use std::{
    env,
    io::Write,
    process::{self, Child, Command, Stdio},
};

use laneway::{
    BoxReceiver, Channel, Deadline, Endpoint, Receiver, RecvError, Sender,
    process::{give, inherited_receiver},
};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

/// Tells a child what to do.
pub(crate) const VARIABLE: &str = "LANEWAY_BROADCAST";
/// A process that lives longer than this hangs.
const WATCHDOG: u32 = 120;
/// The generation of the message behind which nothing comes.
pub(crate) const END: u64 = u64::MAX;

/// A child; dropping it kills and reaps it.
pub(crate) struct Running(Option<Child>);

impl Running {
    /// One that opens what it needs.
    pub(crate) fn start(role: &str) -> Self {
        Self(Some(command(role).spawn().expect("starts itself")))
    }

    /// One that is given a receiver.
    pub(crate) fn with(role: &str, rx: &dyn Endpoint) -> Self {
        let mut command = command(role);
        give(&mut command, "rx", rx).expect("gives");
        Self(Some(command.spawn().expect("starts itself")))
    }

    fn pid(&self) -> Pid {
        let child = self.0.as_ref().expect("there");
        Pid::from_raw(child.id().cast_signed())
    }

    /// Stops it, and returns once it has stopped.
    pub(crate) fn stop(&self) {
        kill(self.pid(), Signal::SIGSTOP).expect("our child");
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(self.pid()), flags).expect("our child");
    }

    /// Has it go on.
    pub(crate) fn go_on(&self) {
        kill(self.pid(), Signal::SIGCONT).expect("our child");
    }

    /// Kills it, and returns once it is dead.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// What it has seen and missed, if it ended well.
    pub(crate) fn account(mut self) -> Account {
        let child = self.0.take().expect("there");
        let output = child.wait_with_output().expect("our child");
        assert!(output.status.success(), "{}", output.status);
        let text = String::from_utf8(output.stdout).expect("text");
        let numbers: Vec<u64> = text
            .split_whitespace()
            .map(|word| word.parse().expect("a number"))
            .collect();
        match numbers.as_slice() {
            &[seen, missed] => Account { seen, missed },
            _ => panic!("{text}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn command(role: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("own path"));
    command.env(VARIABLE, role).stdin(Stdio::null());
    command.stdout(Stdio::piped());
    command
}

/// What a receiver has seen, and what it was told that it has missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) seen: u64,
    pub(crate) missed: u64,
}

impl Account {
    pub(crate) fn total(self) -> u64 {
        self.seen + self.missed
    }
}

/// Plays a child's role, and ends.
pub(crate) fn play(role: &str) -> ! {
    nix::unistd::alarm::set(WATCHDOG);
    let words: Vec<&str> = role.split(' ').collect();
    match words.as_slice() {
        ["follow", pause] => {
            let rx = inherited_receiver("rx").expect("given");
            say(follow(rx, pause.parse().expect("a number")));
        }
        ["send", address, generation] => send(address, generation.parse().expect("a number")),
        _ => process::exit(2),
    }
    process::exit(0);
}

#[expect(clippy::print_stdout, reason = "the answer to the parent")]
fn say(account: Account) {
    println!("{} {}", account.seen, account.missed);
    std::io::stdout().flush().expect("the parent reads");
}

/// Message `number` of a generation of senders: length and every byte follow from the two.
pub(crate) fn write(generation: u64, number: u64, message: &mut Vec<u8>) {
    message.clear();
    message.extend_from_slice(&generation.to_le_bytes());
    message.extend_from_slice(&number.to_le_bytes());
    let len = usize::try_from(number.wrapping_mul(0x9e37_79b9) % 500).expect("small");
    let filler = generation.wrapping_mul(31).wrapping_add(number);
    message.resize(16 + len, filler.to_le_bytes()[0]);
}

/// The generation and the number, if every byte is as it was written.
fn check(message: &[u8]) -> Option<(u64, u64)> {
    let (generation, rest) = message.split_first_chunk()?;
    let (number, _) = rest.split_first_chunk()?;
    let (generation, number) = (u64::from_le_bytes(*generation), u64::from_le_bytes(*number));
    let mut expected = Vec::new();
    write(generation, number, &mut expected);
    (message == expected).then_some((generation, number))
}

/// Receives by every way until the end has come, and pauses after each message.
pub(crate) fn follow(mut rx: BoxReceiver, pause: u32) -> Account {
    let mut account = Account::default();
    // The last one that was seen, and what was missed by then.
    let mut last: Option<(u64, u64, u64)> = None;
    let mut ended = false;
    let mut buf = vec![0; rx.limits().max_message];
    while !ended {
        let turn = last.map_or(0, |(_, number, _)| number % 3);
        let mut each = |message: &[u8]| {
            let (generation, number) = check(message).expect("whole");
            if let Some((before, n, missed)) = last {
                let lost = account.missed - missed;
                match generation == before {
                    // Within a generation every number was seen or missed.
                    true => assert_eq!(number, n + 1 + lost, "of {generation}"),
                    false => assert!(generation > before, "{generation} after {before}"),
                }
            }
            last = Some((generation, number, account.missed));
            account.seen += 1;
            ended |= generation == END;
            for _ in 0..pause {
                std::hint::spin_loop();
            }
        };
        let received = match turn {
            0 => rx.recv(&mut buf).map(|len| each(&buf[..len])),
            1 => rx.peek(Deadline::NEVER).map(each),
            _ => rx.drain_by(9, Deadline::NEVER, &mut each).map(drop),
        };
        match received {
            Ok(()) => rx.consume(),
            Err(RecvError::Lagged { missed }) => account.missed += missed,
            // One that was killed; the next one opens the same name.
            Err(RecvError::Disconnected) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    account
}

/// Sends without end.
fn send(address: &str, generation: u64) {
    let channel = laneway::channel(address).expect("a good address");
    let mut tx = channel.sender().expect("the place is free");
    let mut message = Vec::new();
    for number in 0.. {
        write(generation, number, &mut message);
        tx.send(&message).expect("waits for nobody");
    }
}
