//! A million messages in order between two processes on every transport, and four hundred thousand exactly once between
//! eight where many can share a channel. Every byte of every message is compared.
//!
//! The children are this program again; they take their ends by `laneway::process::give`.

use std::{
    env,
    io::{self, Write},
    process::{self, Child, Command, Stdio},
};

use laneway::{
    Address, BoxChannel, Channel, Deadline, Driver, Endpoint, Fan, Receiver, ReceiverExt,
    RecvError, Registry, Sender,
    conformance::Numbered,
    process::{give, inherited_receiver, inherited_sender},
};
use libtest_mimic::{Arguments, Failed, Trial};

/// Tells a child what to do.
const VARIABLE: &str = "LANEWAY_VOLUME";
/// A child that lives longer than this hangs.
const WATCHDOG: u32 = 300;
/// Messages between two processes.
const IN_ORDER: u64 = 1_000_000;
/// Senders, and as many receivers.
const SIDE: u64 = 4;
/// Messages of each sender.
const EACH: u64 = 100_000;

fn main() {
    if let Ok(role) = env::var(VARIABLE) {
        nix::unistd::alarm::set(WATCHDOG);
        play(&role);
        process::exit(0);
    }
    let mut trials = Vec::new();
    for &driver in Registry::BUILTIN.drivers() {
        for &variant in driver.variants() {
            if !channel(&driver, variant, "can")
                .capabilities()
                .gives_each_once()
            {
                continue;
            }
            let name = format!("{}/{variant}/in_order", driver.scheme());
            trials.push(Trial::test(name, move || {
                in_order(&channel(&driver, variant, "order")).map_err(Failed::from)
            }));
            let can = channel(&driver, variant, "can").capabilities();
            if can.senders == Fan::Many && can.receivers == Fan::Many {
                let name = format!("{}/{variant}/exactly_once", driver.scheme());
                trials.push(Trial::test(name, move || {
                    exactly_once(&channel(&driver, variant, "once")).map_err(Failed::from)
                }));
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A channel with a name that nobody else has, without one if the transport has no names.
fn channel(driver: &Driver, variant: &str, word: &str) -> BoxChannel {
    // A FIFO and a queue live under the same paths.
    let unique = format!(
        "laneway-volume.{}.{word}.{}",
        process::id(),
        driver.scheme()
    );
    let unique = format!("{unique}.{}", variant.replace('=', "-"));
    let name = driver.example_name(&unique).unwrap_or_default();
    let mut address = Address::new(driver.scheme(), name).expect("a good name");
    for pair in variant.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').expect("key=value");
        address = address.with(key, value);
    }
    driver.channel(&address).expect("a good address")
}

/// A child; dropping it kills and reaps it.
struct Running(Option<Child>);

impl Running {
    fn start(role: &str, key: &str, end: &dyn Endpoint) -> Self {
        let mut command = Command::new(env::current_exe().expect("own path"));
        command.env(VARIABLE, role).stdout(Stdio::piped());
        give(&mut command, key, end).expect("gives");
        Self(Some(command.spawn().expect("starts itself")))
    }

    /// What it wrote, if it ended well.
    fn finish(mut self) -> Result<Vec<u8>, String> {
        let child = self.0.take().expect("once");
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(format!("a child failed: {}", output.status))
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

/// This process sends, a child receives and compares.
fn in_order(channel: &BoxChannel) -> Result<(), String> {
    let (mut tx, rx) = channel.pair().map_err(|e| e.to_string())?;
    let child = Running::start(&format!("in_order {IN_ORDER}"), "rx", &rx);
    drop(rx);
    let sent = send(&mut tx, 0, IN_ORDER);
    drop(tx);
    // A child that failed says why; that it is gone follows from it.
    child.finish()?;
    sent
}

/// Children send, children receive, and this process looks who got what.
fn exactly_once(channel: &BoxChannel) -> Result<(), String> {
    let (tx, rx) = channel.pair().map_err(|e| e.to_string())?;
    let total = SIDE * EACH;
    let mut senders = Vec::new();
    let mut receivers = Vec::new();
    for part in 0..SIDE {
        let (from, to) = (part * EACH, (part + 1) * EACH);
        receivers.push(Running::start(&format!("any {total}"), "rx", &rx));
        senders.push(Running::start(&format!("send {from} {to}"), "tx", &tx));
    }
    drop((tx, rx));
    let mut seen = Marks::new(total);
    for receiver in receivers {
        let theirs = Marks(receiver.finish()?);
        if let Some(number) = seen.add(&theirs) {
            return Err(format!("{number} came to two receivers"));
        }
    }
    for sender in senders {
        sender.finish()?;
    }
    match (0..total).find(|&number| !seen.has(number)) {
        Some(number) => Err(format!("{number} did not come")),
        None => Ok(()),
    }
}

/// A child's part.
fn play(role: &str) {
    let words: Vec<&str> = role.split(' ').collect();
    let number = |word: &str| word.parse().expect("a number");
    match words.as_slice() {
        ["send", from, to] => {
            let mut tx = inherited_sender("tx").expect("given");
            send(&mut tx, number(from), number(to)).expect("sends");
        }
        ["in_order", total] => {
            let mut rx = inherited_receiver("rx").expect("given");
            let mut next = 0;
            receive(&mut rx, |number| {
                assert_eq!(number, next, "the next in order");
                next += 1;
            });
            assert_eq!(next, number(total), "all came");
        }
        ["any", total] => {
            let mut rx = inherited_receiver("rx").expect("given");
            let mut seen = Marks::new(number(total));
            receive(&mut rx, |number| {
                assert!(seen.mark(number), "{number} came twice");
            });
            io::stdout().write_all(&seen.0).expect("the parent reads");
        }
        _ => panic!("no role {role}"),
    }
}

/// Sends numbered messages, every fourth few as a batch.
fn send(tx: &mut impl Sender, from: u64, to: u64) -> Result<(), String> {
    const BATCH: usize = 8;

    let numbered = Numbered::within(tx.limits());
    let mut messages = vec![Vec::new(); BATCH];
    let mut next = from;
    let failed = |number: u64, error: laneway::SendError| format!("message {number}: {error}");
    while next < to {
        let count = usize::try_from(to - next).map_or(BATCH, |left| left.min(BATCH));
        for (message, number) in messages.iter_mut().zip(next..).take(count) {
            numbered.write(number, message);
        }
        let batch: Vec<&[u8]> = messages.iter().take(count).map(Vec::as_slice).collect();
        if (next / BATCH as u64).is_multiple_of(4) {
            let sent = tx.send_batch_by(&batch, Deadline::NEVER);
            let sent = sent.map_err(|e| failed(next, e))?;
            if sent != count {
                return Err(format!("{sent} of {count} went at {next}"));
            }
        } else {
            for message in batch {
                tx.send(message).map_err(|e| failed(next, e))?;
            }
        }
        next += count as u64;
    }
    Ok(())
}

/// Receives until disconnected, by both ways of lending, and tells each number.
fn receive(rx: &mut impl Receiver, mut each: impl FnMut(u64)) {
    let numbered = Numbered::within(rx.limits());
    let mut check = |message: &[u8]| each(numbered.check(message).expect("whole"));
    loop {
        let drained = rx.drain(32, &mut check);
        let lent = drained.and_then(|_| rx.loan().map(|message| check(&message)));
        match lent {
            Ok(()) => {}
            Err(RecvError::Disconnected) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A bit for each number.
struct Marks(Vec<u8>);

impl Marks {
    fn new(total: u64) -> Self {
        let bytes = usize::try_from(total.div_ceil(8)).expect("small");
        Self(vec![0; bytes])
    }

    fn place(number: u64) -> (usize, u8) {
        let at = usize::try_from(number / 8).unwrap_or(usize::MAX);
        (at, 1 << (number % 8))
    }

    /// Whether it was not marked before.
    fn mark(&mut self, number: u64) -> bool {
        let (at, bit) = Self::place(number);
        let byte = self.0.get_mut(at).expect("a number that was sent");
        let new = *byte & bit == 0;
        *byte |= bit;
        new
    }

    fn has(&self, number: u64) -> bool {
        let (at, bit) = Self::place(number);
        self.0.get(at).is_some_and(|byte| byte & bit != 0)
    }

    /// Adds the marks of another; tells one that both have.
    fn add(&mut self, other: &Self) -> Option<u64> {
        assert_eq!(self.0.len(), other.0.len(), "all numbers");
        let numbers = 0..self.0.len() as u64 * 8;
        let both = numbers.into_iter().find(|&n| self.has(n) && other.has(n));
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
        both
    }
}
