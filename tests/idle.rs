//! Who waits costs nothing: a process that is blocked uses under half a percent of a core, and once it is asleep, nothing wakes
//! any of its threads before there is news, but on a System V queue.
//!
//! The waiting process is this program again, with one end given to it. Only what the kernel counts for that process is looked
//! at, so that a busy machine changes nothing.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    os::fd::AsFd,
    process::{self, Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use laneway::{
    Address, BoxChannel, Channel, Deadline, Driver, Endpoint, Receiver, RecvError, Registry,
    SendError, Sender,
    process::{give, inherited_receiver, inherited_sender},
};
use libtest_mimic::{Arguments, Failed, Trial};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    time::clock_getcpuclockid,
    unistd::{Pid, alarm},
};

/// Tells a child what to do.
const VARIABLE: &str = "LANEWAY_IDLE";
/// A child that lives longer than this hangs.
const WATCHDOG: u32 = 120;
/// How long the waiting process is watched.
const WATCHED: Duration = Duration::from_secs(3);
/// Between two looks whether it is asleep.
const LOOK: Duration = Duration::from_millis(10);
/// Looks that find every thread asleep before it counts as asleep.
const ASLEEP: usize = 20;
/// Looks after which it will not fall asleep any more.
const LOOKS: usize = 3000;

fn main() {
    if let Ok(role) = env::var(VARIABLE) {
        alarm::set(WATCHDOG);
        play(&role);
        process::exit(0);
    }
    let mut trials = Vec::new();
    for driver in Registry::BUILTIN.drivers() {
        for &variant in driver.variants() {
            for role in ["receiver", "sender"] {
                let can = channel(driver, variant, role).capabilities();
                if role == "sender" && !can.gives_each_once() {
                    // It never waits.
                    continue;
                }
                let driver = *driver;
                let name = format!("{}/{variant}/{role}", driver.scheme());
                trials.push(Trial::test(name, move || {
                    waits(&driver, variant, role).map_err(Failed::from)
                }));
            }
        }
    }
    let mut arguments = Arguments::from_args();
    // They sleep nearly all the time.
    arguments.test_threads.get_or_insert(trials.len());
    libtest_mimic::run(&arguments, trials).exit();
}

/// A channel with a name that nobody else has, without one if the transport has no names.
fn channel(driver: &Driver, variant: &str, role: &str) -> BoxChannel {
    let unique = format!(
        "laneway-idle.{}.{}.{}.{role}",
        process::id(),
        driver.scheme(),
        variant.replace('=', "-")
    );
    let name = driver.example_name(&unique).unwrap_or_default();
    let mut address = Address::new(driver.scheme(), name).expect("a good name");
    for pair in variant.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').expect("key=value");
        address = address.with(key, value);
    }
    driver.channel(&address).expect("a good address")
}

/// A child blocks in `role`; this process does nothing, looks what that costs, and then ends the wait.
fn waits(driver: &Driver, variant: &str, role: &str) -> Result<(), String> {
    let opened = channel(driver, variant, role).pair();
    let (mut tx, mut rx) = opened.map_err(|e| e.to_string())?;
    let mut child = match role {
        "receiver" => Waiting::start(role, &rx),
        _ => Waiting::start(role, &tx),
    };
    child.fall_asleep()?;
    let before = child.cost();
    child.stay(WATCHED)?;
    let after = child.cost();
    // It was waiting for this, and nothing else.
    if role == "receiver" {
        tx.send(b"news").map_err(|e| e.to_string())?;
    } else {
        let mut buf = vec![0; rx.limits().max_message];
        while rx.recv(&mut buf).map_err(|e| e.to_string())? != NEWS.len() {}
    }
    child.finish()?;

    let share = (after.cpu - before.cpu).as_secs_f64() / WATCHED.as_secs_f64();
    // A program that uses a System V queue without laneway rings no bell, nor need a peer that is not trusted, and of a socket's room the kernel tells
    // only when most of it is free: there a sleeper looks on a timer, fifty times a second, which a slow core feels.
    let by_room = driver.scheme().starts_with("unix") && role == "sender";
    let looks = driver.scheme() == "sysv" || variant == "peer=untrusted" || by_room;
    let most = if looks { 0.01 } else { 0.005 };
    if share >= most {
        return Err(format!("uses {:.2} % of a core", share * 100.0));
    }
    if !looks && after.switches != before.switches {
        let woken: u64 = after.switches.values().sum();
        let slept: u64 = before.switches.values().sum();
        return Err(format!(
            "woke up {} times in {WATCHED:?}; threads before {:?}, after {:?}",
            woken - slept,
            before.switches,
            after.switches
        ));
    }
    Ok(())
}

/// The message that is waited for. No message that fills the channel is as short.
const NEWS: &[u8] = b"news";

/// A child's part.
fn play(role: &str) {
    let say = |line: &str| {
        let mut out = std::io::stdout();
        writeln!(out, "{line}").expect("the parent reads");
        out.flush().expect("the parent reads");
    };
    if role == "receiver" {
        let mut rx = inherited_receiver("end").expect("given");
        assert!(matches!(rx.peek(Deadline::NOW), Err(RecvError::Empty)));
        say("waits");
        let mut buf = [0; 64];
        let len = rx.recv(&mut buf).expect("news");
        assert_eq!(buf.get(..len), Some(NEWS));
        return;
    }
    let mut tx = inherited_sender("end").expect("given");
    let filler = vec![0x5a; tx.limits().max_message];
    loop {
        match tx.try_send(&filler) {
            Ok(()) => {}
            Err(SendError::Full) => break,
            Err(error) => panic!("{error}"),
        }
    }
    say("waits");
    tx.send(&filler).expect("room");
    tx.send(NEWS).expect("room");
}

/// What a process has cost so far.
struct Cost {
    cpu: Duration,
    /// Of each thread, how often it has gone to sleep.
    switches: BTreeMap<String, u64>,
}

/// A child that waits; dropping it kills and reaps it.
struct Waiting {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Waiting {
    fn start(role: &str, end: &dyn Endpoint) -> Self {
        let mut command = Command::new(env::current_exe().expect("own path"));
        command.env(VARIABLE, role).stdout(Stdio::piped());
        give(&mut command, "end", end).expect("gives");
        let mut child = command.spawn().expect("starts itself");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, output }
    }

    /// Waits until all its threads sleep, and were found asleep for a while.
    fn fall_asleep(&mut self) -> Result<(), String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        if read.map_err(|e| e.to_string())? == 0 || line != "waits\n" {
            return Err(format!("the child did not come to wait: {line:?}"));
        }
        let mut asleep = 0;
        for _ in 0..LOOKS {
            self.stay(LOOK)?;
            asleep = if self.is_asleep() { asleep + 1 } else { 0 };
            if asleep == ASLEEP {
                return Ok(());
            }
        }
        Err("does not fall asleep".to_owned())
    }

    /// Lets time pass in which it does not end.
    fn stay(&self, time: Duration) -> Result<(), String> {
        let output = self.output.get_ref().as_fd();
        let mut fds = [PollFd::new(output, PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(time).expect("short");
        loop {
            match poll(&mut fds, timeout) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err("the child did not go on waiting".to_owned()),
                // Then it is watched for longer.
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// A file of each of its threads, by thread.
    fn threads(&self, file: &str) -> BTreeMap<String, String> {
        let folder = format!("/proc/{}/task", self.child.id());
        let entries = fs::read_dir(folder).expect("a child that lives");
        let names = entries.map(|entry| entry.expect("an entry").path());
        // A thread may end meanwhile.
        names
            .filter_map(|path| {
                let text = fs::read_to_string(path.join(file)).ok()?;
                let thread = path.file_name()?.to_str()?.to_owned();
                Some((thread, text))
            })
            .collect()
    }

    fn is_asleep(&self) -> bool {
        let states = self.threads("stat");
        let asleep = |text: &String| {
            let state = text.rsplit(") ").next();
            state.is_some_and(|rest| rest.starts_with('S'))
        };
        !states.is_empty() && states.values().all(asleep)
    }

    fn cost(&self) -> Cost {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        let clock = clock_getcpuclockid(pid).expect("a child that lives");
        let switches = |text: &String| -> u64 {
            let mut lines = text.lines();
            let number = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            number.expect("a line").trim().parse().expect("a number")
        };
        Cost {
            cpu: Duration::from(clock.now().expect("a child that lives")),
            switches: self
                .threads("status")
                .iter()
                .map(|(thread, text)| (thread.clone(), switches(text)))
                .collect(),
        }
    }

    /// Waits for its end, which must be good.
    fn finish(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|e| e.to_string())?;
        if status.success() {
            return Ok(());
        }
        Err(format!("the child failed: {status}"))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
