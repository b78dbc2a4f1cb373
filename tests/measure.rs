//! Sessions of real processes: plausible figures on every transport, none for one that lies, nothing left behind.

#[path = "measure/liar.rs"]
mod liar;
#[path = "measure/open.rs"]
mod open;
#[path = "measure/slow.rs"]
mod slow;
#[path = "measure/wrapped.rs"]
mod wrapped;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    ops::ControlFlow,
    process::{self, Child, Command, Stdio},
    sync::{
        PoisonError, RwLock,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use laneway::{
    Address, Capabilities, Channel, Driver, Fan, Registry,
    measure::{
        self, Amount, Fault, Outcome, Plan, Quantile, Session, SessionError, Shape, Workload,
    },
};
use liar::Liar;
use libtest_mimic::{Arguments, Trial};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use slow::Slow;

/// Makes this program a session that has to be killed.
const NEVER_ENDS: &str = "LANEWAY_TEST_NEVER_ENDS";
/// Tests share the machine, but for those that need it alone.
static MACHINE: RwLock<()> = RwLock::new(());
/// No test takes a tenth of it.
const WATCHDOG: Duration = Duration::from_secs(120);

fn registry() -> Registry {
    Registry::BUILTIN
        .with(Driver::of::<Liar>())
        .with(Driver::of::<Slow>())
}

fn plan() -> Plan {
    Plan::new(2, Duration::from_millis(20))
}

fn address(text: &str) -> Address {
    text.parse().expect("a good address")
}

fn main() {
    measure::serve(&registry());
    if let Ok(text) = env::var(NEVER_ENDS) {
        return never_ends(&text);
    }
    let mut trials = Vec::new();
    let mut add_trial = |name: String, alone: bool, test: Box<dyn FnOnce() + Send>| {
        let watched = name.clone();
        trials.push(Trial::test(name, move || {
            // A test that failed has no more to say about the others.
            let poisoned = PoisonError::into_inner;
            let (_shared, _alone) = if alone {
                (None, Some(MACHINE.write().unwrap_or_else(poisoned)))
            } else {
                (
                    Some(MACHINE.read().unwrap_or_else(PoisonError::into_inner)),
                    None,
                )
            };
            watch(&watched, test);
            Ok(())
        }));
    };
    for (name, test) in open::ALONE {
        add_trial(format!("open {name}"), true, Box::new(*test));
    }
    let mut add = |name: String, test| add_trial(name, false, test);
    for driver in Registry::BUILTIN.drivers() {
        if !driver
            .capabilities()
            .is_some_and(|can| can.gives_each_once())
        {
            continue;
        }
        for variant in driver.variants() {
            let text = format!("{}:?{variant}", driver.scheme());
            let text = text.trim_end_matches('?').to_owned();
            let many = text.clone();
            add(
                format!("one_to_one {text}"),
                Box::new(move || one_to_one(&text)),
            );
            add(
                format!("many_to_many {many}"),
                Box::new(move || many_to_many(&many)),
            );
        }
    }
    for lie in ["drop", "flip", "twice", "swap", "cut", "die"] {
        add(format!("liar {lie}"), Box::new(move || lies(lie)));
    }
    for text in ["pipe:", "fifo:", "sysv:", "shm+lock:"] {
        add(format!("killed {text}"), Box::new(move || killed(text)));
        add(format!("bereft {text}"), Box::new(move || bereft(text)));
    }
    add("hushed".to_owned(), Box::new(hushed));
    add("interrupted".to_owned(), Box::new(interrupted));
    add("unfit".to_owned(), Box::new(unfit));
    for (name, test) in open::TESTS {
        add(format!("open {name}"), Box::new(*test));
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    nothing_is_left(process::id());
    let child = waitpid(None, Some(WaitPidFlag::WNOHANG));
    assert_eq!(child, Err(Errno::ECHILD), "a child was left");
    conclusion.exit();
}

#[expect(clippy::print_stderr, reason = "the only trace of a hanging test")]
fn watch(name: &str, run: Box<dyn FnOnce() + Send>) {
    let (done, wait) = mpsc::channel::<()>();
    let name = name.to_owned();
    thread::spawn(move || {
        if wait.recv_timeout(WATCHDOG) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            process::abort();
        }
    });
    run();
    drop(done);
}

/// Counts are exact, times are within those measured from outside, percentiles are in order.
fn one_to_one(text: &str) {
    for size in [0, 5, 64, 4000] {
        let before = Instant::now();
        let workload = Workload::new(size);
        let mut session =
            Session::start(&registry(), &address(text), &workload, &plan()).expect("starts");
        let sent = session.throughput(Amount::Messages(5000)).expect("moves");
        assert_eq!((sent.messages, sent.bytes), (5000, 5000 * size as u64));
        assert!(sent.seconds > 0.0);
        let took = session.send(3000).expect("moves");
        let timed = Duration::from_millis(30);
        let timed = session.throughput(Amount::Time(timed)).expect("moves");
        assert!(timed.messages > 0);
        assert!(timed.seconds >= 0.03);
        let trip = session.roundtrip(Amount::Messages(300)).expect("moves");
        let at = |quantile| trip.latencies.raw(quantile);
        assert_eq!(trip.latencies.count(), 300);
        assert!(at(Quantile::P50) > 0 && at(Quantile::P50) <= trip.latencies.max());
        // What the histogram holds is what all took together, but for the reading of clocks.
        let sum = trip.latencies.mean() * 300.0 / 1e9;
        let time = trip.seconds;
        assert!(sum <= time * 1.01, "{sum} of {time} s");
        assert!(sum >= time * 0.3, "{sum} of {time} s");
        drop(session);
        let all = sent.seconds + took.as_secs_f64() + timed.seconds + trip.seconds;
        assert!(all <= before.elapsed().as_secs_f64());
    }
}

/// What such a channel can do under a name, as a session opens it.
fn named(text: &str) -> Capabilities {
    let (scheme, rest) = text.split_once(':').expect("an address");
    let mut drivers = Registry::BUILTIN.drivers().iter();
    let driver = drivers.find(|driver| driver.scheme() == scheme);
    let name = driver.and_then(|driver| driver.example_name("laneway-measure"));
    let text = format!("{scheme}:{}{rest}", name.unwrap_or_default());
    let channel = registry().channel(&address(&text)).expect("a channel");
    channel.capabilities()
}

fn many_to_many(text: &str) {
    let registry = registry();
    let can = named(text);
    if can.senders == Fan::One || can.receivers == Fan::One {
        return;
    }
    for (shape, size) in [("3x2", 64), ("1x3", 8), ("4x1", 5)] {
        let shape: Shape = shape.parse().expect("a shape");
        let workload = Workload::new(size).shape(shape);
        let mut session =
            Session::start(&registry, &address(text), &workload, &plan()).expect("starts");
        for _ in 0..3 {
            let sent = session.throughput(Amount::Messages(2000)).expect("moves");
            assert_eq!(sent.messages, 2000);
            session.roundtrip(Amount::Messages(50)).expect("moves");
        }
    }
}

fn lies(lie: &str) {
    let liar = address(&format!("liar:?lie={lie}"));
    let start = || {
        Session::start(&registry(), &liar, &Workload::new(64), &plan())
            .expect("is honest at the start")
    };
    let mut session = start();
    let fault = |result: Result<_, SessionError>| match result {
        Err(SessionError::Fault(fault)) => fault,
        other => panic!("{lie} was not seen: {other:?}"),
    };
    let found = fault(session.throughput(Amount::Messages(10_000)));
    let right = match lie {
        "drop" | "twice" | "swap" => matches!(found, Fault::Misplaced { .. }),
        "flip" => found == Fault::Altered,
        "cut" => matches!(found, Fault::Resized { .. }),
        _ => matches!(found, Fault::Died { .. }),
    };
    assert!(right, "{lie} was taken for {found}");
    let again = session.roundtrip(Amount::Messages(1)).map(|_| ());
    assert!(matches!(again, Err(SessionError::Fault(again)) if again == found));
    if lie == "drop" {
        // What is missing at the end is missing from the count only.
        let lost = Fault::Miscounted {
            sent: 1000,
            received: 999,
        };
        assert_eq!(fault(start().throughput(Amount::Messages(1000))), lost);
    }
    // A lie that comes later than all that is asked for is none.
    start().send(100).expect("moves");

    // Among honest ones it has no figures, and they have.
    let lanes = [address("pipe:"), liar.clone(), address("shm+lock:")];
    let reports = measure::compare(
        &registry(),
        &lanes,
        &Workload::new(64),
        &plan(),
        &mut |_| ControlFlow::<()>::Continue(()),
    );
    let reports = reports.expect("not interrupted").reports;
    let measured: Vec<bool> = reports.iter().map(|r| r.figures().is_some()).collect();
    assert_eq!(measured, [true, false, true]);
    let outcome = &reports.get(1).expect("three").outcome;
    assert!(matches!(outcome, Outcome::Disqualified(_)), "{outcome:?}");
}

/// A channel that loses the end of all is not waited for for ever.
fn hushed() {
    let hush = address("liar:?lie=hush");
    let mut session =
        Session::start(&registry(), &hush, &Workload::new(64), &plan()).expect("starts");
    let end = session.throughput(Amount::Messages(10)).map(drop);
    assert!(
        matches!(end, Err(SessionError::Fault(Fault::Stalled))),
        "{end:?}"
    );
}

/// What is broken off leaves nothing.
fn interrupted() {
    let lanes = [address("fifo:"), address("sysv:"), address("shm+lock:")];
    for stop in 0..5 {
        let mut steps = 0;
        let broken = measure::compare(
            &registry(),
            &lanes,
            &Workload::new(64),
            &plan(),
            &mut |progress| {
                assert_eq!(progress.total, 9);
                steps += 1;
                if steps > stop {
                    ControlFlow::Break(steps)
                } else {
                    ControlFlow::Continue(())
                }
            },
        );
        assert_eq!(broken, Err(stop + 1));
    }
}

fn unfit() {
    let start = |text: &str, workload: Workload| {
        Session::start(&registry(), &address(text), &workload, &plan())
            .map(drop)
            .expect_err("does not fit")
    };
    let shape = "2x1".parse().expect("a shape");
    let many = start("pipe:", Workload::new(8).shape(shape));
    assert!(matches!(many, SessionError::Fan(laneway::End::Sender)));
    let large = start("pipe:?mode=packet", Workload::new(5000));
    assert!(matches!(large, SessionError::TooLarge { max: 4092 }));
    let unknown = start("smoke:", Workload::new(8));
    assert!(matches!(unknown, SessionError::Address(_)));
}

/// No object that process `pid` named is there.
fn nothing_is_left(pid: u32) {
    let own = format!("laneway-measure.{pid}.");
    for folder in [env::temp_dir(), "/dev/shm".into()] {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(!name.contains(&own), "{name} was left");
        }
    }
}

/// Measures until it or its peers are killed. Tells when it is at it.
#[expect(clippy::print_stdout, reason = "read by the test that started it")]
fn never_ends(text: &str) {
    let mut session =
        Session::start(&registry(), &address(text), &Workload::new(64), &plan()).expect("starts");
    session.send(1000).expect("moves");
    println!("at it");
    let hour = Duration::from_secs(3600);
    let end = session.throughput(Amount::Time(hour)).map(drop);
    let died = matches!(end, Err(SessionError::Fault(Fault::Died { .. })));
    assert!(died, "{end:?}");
}

/// Starts that in a process of its own, and waits until it is at it.
fn at_it(text: &str) -> Child {
    let mut session = Command::new(env::current_exe().expect("own path"))
        .env(NEVER_ENDS, text)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts itself");
    let mut line = String::new();
    BufReader::new(session.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("tells");
    assert_eq!(line, "at it\n");
    session
}

/// The peers of a session.
fn peers(session: &Child) -> Vec<i32> {
    let pid = session.id();
    let peers = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let peers = peers.expect("the kernel tells");
    let number = |word: &str| word.parse().expect("a pid");
    let peers: Vec<i32> = peers.split_whitespace().map(number).collect();
    assert_eq!(peers.len(), 2);
    peers
}

/// The keys of the System V queues that these processes sent to last, as hexadecimal digits.
fn queues(pids: &[i32]) -> Vec<String> {
    let table = fs::read_to_string("/proc/sysvipc/msg").expect("has System V queues");
    let mut keys = Vec::new();
    for line in table.lines().skip(1) {
        let columns: Vec<i64> = line.split_whitespace().flat_map(str::parse).collect();
        let sender = columns.get(5).and_then(|pid| i32::try_from(*pid).ok());
        if sender.is_some_and(|pid| pids.contains(&pid)) {
            let key = columns.first().expect("a key") & 0xffff_ffff;
            keys.push(format!("{key:08x}"));
        }
    }
    keys
}

/// Waits until the session and all its peers have ended: they hold one pipe. Then nothing is left.
fn ended(session: &mut Child, peers: &[i32], keys: &[String]) {
    let mut told = String::new();
    let mut stderr = session.stderr.take().expect("piped");
    stderr.read_to_string(&mut told).expect("ends");
    assert_eq!(told, "");
    nothing_is_left(session.id());
    assert_eq!(queues(peers), Vec::<String>::new());
    for key in keys {
        let segment = format!("/dev/shm/laneway.sysv.{key}");
        assert!(!fs::exists(&segment).expect("asks"), "{segment} was left");
    }
}

/// When the session is killed its peers end, and the last one out removes the channels.
fn killed(text: &str) {
    let mut session = at_it(text);
    let peers = peers(&session);
    let keys = queues(&peers);
    assert_eq!(keys.is_empty(), text != "sysv:");
    session.kill().expect("is a child");
    session.wait().expect("is a child");
    ended(&mut session, &peers, &keys);
}

/// When the peers are killed the session ends, and removes the channels.
fn bereft(text: &str) {
    let mut session = at_it(text);
    let peers = peers(&session);
    let keys = queues(&peers);
    for peer in &peers {
        // The second may have followed the first by itself.
        let killed = kill(Pid::from_raw(*peer), Signal::SIGKILL);
        assert!(matches!(killed, Ok(()) | Err(Errno::ESRCH)), "{killed:?}");
    }
    let status = session.wait().expect("is a child");
    assert!(status.success(), "{status}");
    ended(&mut session, &peers, &keys);
}
