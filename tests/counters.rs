//! What the counters say is what was done, in whatever process, and is seen from others; counting leaves nothing behind.
//!
//! Children are this program, run again for the one test that plays their part.

use std::{
    collections::HashSet,
    env,
    io::{self, BufRead, BufReader, Write},
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use laneway::{
    Address, BoxChannel, Channel, Counters, Deadline, Driver, Endpoint, Receiver, ReceiverExt,
    Registry, Scope, Sender, SenderExt,
    inventory::{Inventory, Observer, Watched},
    process::inherited_sender,
};

/// Tells a child its part.
const VARIABLE: &str = "LANEWAY_COUNTERS";
/// Whoever lives longer hangs.
const WATCHDOG: u32 = 60;
/// How many messages one way of sending is tried with.
const EACH: usize = 300;

/// A child, which is killed if the test fails.
struct Part(Child);

impl Part {
    fn start(part: &str, end: Option<&dyn laneway_give::Give>) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command
            .args(["--exact", "plays_a_part", "--nocapture", "--quiet"])
            .env(VARIABLE, part)
            .stdout(Stdio::piped());
        if let Some(end) = end {
            end.give(&mut command);
        }
        Self(command.spawn().expect("starts"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it says that it is ready.
    fn ready(&mut self) {
        let out = self.0.stdout.as_mut().expect("piped");
        let mut lines = BufReader::new(out).lines();
        assert!(
            lines.any(|line| line.is_ok_and(|line| line.contains("ready"))),
            "it ended before"
        );
    }

    fn kill(&mut self) {
        self.0.kill().expect("is ours");
        self.0.wait().expect("is ours");
    }

    fn ends_well(mut self) {
        assert!(self.0.wait().expect("is ours").success());
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends of any kind that can be given.
mod laneway_give {
    use std::process::Command;

    use laneway::{Endpoint, process};

    pub(crate) trait Give {
        fn give(&self, command: &mut Command);
    }

    impl<E: Endpoint> Give for E {
        fn give(&self, command: &mut Command) {
            process::give(command, "end", self).expect("gives");
        }
    }
}

/// A name of this test's own.
fn unique(word: &str) -> String {
    format!("laneway-counters.{}.{word}", process::id())
}

fn channel(driver: &Driver, variant: &str, name: Option<String>) -> BoxChannel {
    let mut address = Address::new(driver.scheme(), name.unwrap_or_default()).expect("good");
    for pair in variant.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').expect("key=value");
        address = address.with(key, value);
    }
    driver.channel(&address).expect("good")
}

fn named(address: &str) -> BoxChannel {
    laneway::channel(address).expect("good")
}

/// Messages of many lengths.
fn length(number: usize) -> usize {
    number * 7 % 301
}

/// How many bytes all of them have, sent in every way.
fn bytes() -> u64 {
    3 * (0..EACH).map(|number| length(number) as u64).sum::<u64>()
}

fn counters(end: &impl Endpoint) -> Counters {
    end.counters().expect("counts")
}

/// What a child does; nothing, if this is no child.
#[test]
fn plays_a_part() {
    let Ok(part) = env::var(VARIABLE) else { return };
    nix::unistd::alarm::set(WATCHDOG);
    match part.split_once(' ').unwrap_or((&part, "")) {
        ("send-all", _) => {
            let mut tx = inherited_sender("end").expect("was given");
            let text = [7; 301];
            for number in 0..EACH {
                tx.send(&text[..length(number)]).expect("goes");
            }
            for number in 0..EACH {
                tx.slot(length(number))
                    .expect("room")
                    .commit()
                    .expect("goes");
            }
            let all: Vec<&[u8]> = (0..EACH).map(|number| &text[..length(number)]).collect();
            let sent = tx.send_batch_by(&all, Deadline::NEVER).expect("goes");
            assert_eq!(sent, EACH);
            let sent = counters(&tx).sent;
            assert_eq!(sent.messages, 3 * EACH as u64);
            assert_eq!(sent.bytes, Some(bytes()));
        }
        ("send-and-stay", address) => {
            let mut tx = named(address).sender().expect("opens");
            for _ in 0..5 {
                tx.send(b"counted").expect("goes");
            }
            writeln!(io::stdout(), "ready").expect("is read");
            thread::park();
        }
        ("receive-one", address) => {
            let mut rx = named(address).receiver().expect("opens");
            writeln!(io::stdout(), "ready").expect("is read");
            rx.recv(&mut [0; 301]).expect("comes");
        }
        ("fill", address) => {
            let mut tx = named(address).sender().expect("opens");
            writeln!(io::stdout(), "ready").expect("is read");
            for _ in 0..8 {
                tx.send_by(&[1; 200], Deadline::after(Duration::from_secs(50)))
                    .expect("goes");
            }
        }
        other => panic!("no part {other:?}"),
    }
}

#[test]
fn what_is_counted_is_what_went() {
    for driver in Registry::BUILTIN.drivers() {
        for variant in driver.variants() {
            let (tx, mut rx) = channel(driver, variant, None).pair().unwrap_or_else(|_| {
                let name = driver.example_name(&unique("all"));
                channel(driver, variant, name).pair().expect("opens")
            });
            let told = format!("{} {variant}", driver.scheme());
            let child = Part::start("send-all", Some(&tx));
            if tx.counters().is_none() {
                continue;
            }
            drop(tx);
            let mut buf = [0; 301];
            for _ in 0..EACH {
                rx.recv(&mut buf).expect("comes");
            }
            for _ in 0..EACH {
                drop(rx.loan().expect("comes"));
            }
            let mut left = EACH;
            while left > 0 {
                left -= rx
                    .drain_by(left, Deadline::NEVER, &mut |_| {})
                    .expect("comes");
            }
            child.ends_well();
            let counters = counters(&rx);
            assert_eq!(counters.received.messages, 3 * EACH as u64, "{told}");
            if let Some(received) = counters.received.bytes {
                assert_eq!(received, bytes(), "{told}");
            }
            assert_eq!(counters.drops, 0, "{told}");
            if counters.scope == Scope::Channel {
                assert_eq!(counters.sent.messages, 3 * EACH as u64, "{told}");
                assert_eq!(counters.sent.bytes, Some(bytes()), "{told}");
            }
        }
    }
}

/// Looks until something is as `wanted`.
fn find(observer: &mut Observer, wanted: impl Fn(&Watched) -> bool) -> Watched {
    let start = Instant::now();
    loop {
        let all = observer.look().expect("looks");
        if let Some(watched) = all.into_iter().find(&wanted) {
            return watched;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "never seen");
        thread::yield_now();
    }
}

/// Whether it is of the channel at this address, its keys aside.
fn is_of(watched: &Watched, address: &str) -> bool {
    let address: Address = address.parse().expect("good");
    let ours = watched.address.as_ref();
    ours.is_some_and(|ours| ours.name() == address.name() && ours.scheme() == address.scheme())
}

#[test]
fn a_wait_is_seen_while_it_lasts_and_counted_when_it_is_over() {
    let fifo = env::temp_dir().join(unique("wait"));
    let addresses = [
        format!("shm+spsc:{}?capacity=1KiB&wait=park", unique("wait1")),
        format!("shm+spsc:{}?capacity=1KiB&wait=spin", unique("wait2")),
        format!("shm+lock:{}?capacity=1KiB", unique("wait3")),
        format!("shm+mpmc:{}?capacity=1KiB", unique("wait4")),
        format!(
            "sysv:{}?capacity=1000",
            fifo.with_extension("queue").display()
        ),
    ];
    let mut observer = Inventory::new().observer();
    for address in &addresses {
        let ours = named(address);
        // Nothing to receive.
        let mut tx = ours.sender().expect("opens");
        let mut child = Part::start(&format!("receive-one {address}"), None);
        child.ready();
        let lasting = find(&mut observer, |watched| {
            let waits = watched.counters.received;
            is_of(watched, address) && waits.waits == 1 && waits.waited > Duration::from_millis(50)
        });
        assert!(lasting.processes.contains(&child.pid()), "{address}");
        let slept = lasting.counters.received.waited;
        tx.send(b"wakes").expect("goes");
        child.ends_well();
        let received = counters(&tx).received;
        assert!(received.waited >= slept, "{address}: {received:?}");
        assert_eq!((received.waits, received.messages), (1, 1), "{address}");
        // It looked at the queue again on a timer, so it may have been between two sleeps.
        if !address.contains("spin") && !address.starts_with("sysv") {
            assert!(received.wake_ups > 0, "{address}: {received:?}");
        }

        // No room.
        let mut rx = ours.receiver().expect("opens");
        drop(tx);
        let mut child = Part::start(&format!("fill {address}"), None);
        child.ready();
        find(&mut observer, |watched| {
            let sent = watched.counters.sent;
            is_of(watched, address) && sent.waits > 0 && sent.waited > Duration::from_millis(20)
        });
        for _ in 0..8 {
            rx.recv(&mut [0; 301]).expect("comes");
        }
        child.ends_well();
        let all = counters(&rx);
        assert_eq!(all.sent.messages, 9, "{address}");
        assert!(
            all.sent.waited > Duration::from_millis(20),
            "{address}: {all:?}"
        );
        if address.starts_with("shm") {
            assert!(all.highest >= Some(512), "{address}: {all:?}");
        }
    }
}

#[test]
fn a_wait_of_a_call_with_a_deadline_is_counted_at_a_pipe() {
    for address in ["pipe:?capacity=4KiB", "pipe:?mode=packet&capacity=4KiB"] {
        let (mut tx, mut rx) = named(address).pair().expect("opens");
        let soon = Duration::from_millis(20);
        rx.recv_timeout(&mut [0; 8], soon).expect_err("nothing");
        let received = counters(&rx).received;
        assert_eq!(received.waits, 1, "{address}");
        assert!(received.waited >= soon, "{address}: {received:?}");
        while tx.try_send(&[0; 1000]).is_ok() {}
        assert_eq!(
            counters(&tx).sent.waits,
            0,
            "{address}: who tries does not wait"
        );
        tx.send_timeout(&[0; 1000], soon).expect_err("no room");
        let sent = counters(&tx);
        assert_eq!(sent.sent.waits, 1, "{address}");
        assert!(sent.sent.waited >= soon, "{address}: {sent:?}");
        assert!(sent.highest >= Some(1000), "{address}: {sent:?}");
    }
}

#[test]
fn whoever_comes_after_a_death_goes_on_counting() {
    let queue = env::temp_dir().join(unique("killed"));
    let addresses = [
        format!("shm+spsc:{}", unique("killed1")),
        format!("shm+lock:{}", unique("killed2")),
        format!("shm+mpmc:{}", unique("killed3")),
        format!("sysv:{}", queue.display()),
    ];
    for address in &addresses {
        let mut rx = named(address).receiver().expect("opens");
        for round in 1..=3 {
            let mut child = Part::start(&format!("send-and-stay {address}"), None);
            child.ready();
            child.kill();
            let all = counters(&rx);
            assert_eq!(all.sent.messages, round * 5, "{address}");
            assert_eq!(all.sent.bytes, Some(round * 5 * 7), "{address}");
            for _ in 0..5 {
                rx.recv(&mut [0; 8]).expect("comes");
            }
            assert_eq!(counters(&rx).received.messages, round * 5, "{address}");
        }
    }
}

#[test]
fn the_wait_of_a_dead_one_is_over() {
    let address = format!("shm+mpmc:{}?wait=park", unique("over"));
    let mut tx = named(&address).sender().expect("opens");
    let mut child = Part::start(&format!("receive-one {address}"), None);
    child.ready();
    let mut observer = Inventory::new().observer();
    find(&mut observer, |watched| {
        is_of(watched, &address) && watched.counters.received.waited > Duration::from_millis(20)
    });
    child.kill();
    let waited = counters(&tx).received.waited;
    assert_eq!(waited, counters(&tx).received.waited, "nobody waits");
    let _ = tx.try_send(b"");
}

#[test]
fn more_ends_than_fit_a_page_each_count() {
    let channel = named("shm+mpmc:?capacity=64KiB");
    let (tx, mut rx) = channel.pair().expect("opens");
    for round in 1..=2 {
        let mut all: Vec<_> = (0..70)
            .map(|_| {
                let handoff = tx.handoff().expect("hands over");
                channel.adopt_sender(handoff).expect("adopts")
            })
            .collect();
        for tx in &mut all {
            tx.send(b"one").expect("goes");
        }
        let sent = counters(&rx).sent;
        assert_eq!((sent.messages, sent.bytes), (round * 70, Some(round * 210)));
        drop(all);
        let drained = rx.drain_by(100, Deadline::NOW, &mut |_| {});
        assert_eq!(drained.expect("there"), 70);
        let counters = counters(&tx);
        assert_eq!(
            counters.sent.messages,
            round * 70,
            "what those who left have counted"
        );
        assert_eq!(counters.received.messages, round * 70);
    }
}

#[test]
fn the_ends_of_another_process_are_seen_until_it_dies() {
    // Longer than a line, and whole.
    let folder = env::temp_dir().join(unique("folder"));
    let deep = folder.join("x".repeat(200)).join("y".repeat(200));
    std::fs::create_dir_all(&deep).expect("makes");
    let path = deep.join("z".repeat(100));
    let address = format!("fifo:{}", path.display());
    let rx = named(&address).receiver().expect("opens");
    let mut child = Part::start(&format!("send-and-stay {address}"), None);
    child.ready();
    let mut observer = Inventory::new().observer();
    let all: Vec<Watched> = observer.look().expect("looks");
    let ends: Vec<&Watched> = all
        .iter()
        .filter(|watched| is_of(watched, &address))
        .collect();
    let of = |scope| {
        let mut found = ends.iter().filter(|end| end.counters.scope == scope);
        let first = found.next().expect("is seen");
        assert!(found.next().is_none(), "only once");
        first
    };
    let sender = of(Scope::End(laneway::End::Sender));
    assert_eq!(sender.processes, [child.pid()]);
    assert_eq!(sender.counters.sent.messages, 5);
    assert_eq!(sender.counters.sent.bytes, Some(35));
    assert!(sender.capacity >= Some(4096));
    let receiver = of(Scope::End(laneway::End::Receiver));
    assert_eq!(receiver.processes, [process::id()]);
    assert_eq!(receiver.counters.received.messages, 0);
    let ids: HashSet<_> = all.iter().map(|watched| watched.id).collect();
    assert_eq!(ids.len(), all.len(), "no two are the same");
    child.kill();
    let id = sender.id;
    let after = observer.look().expect("looks");
    assert!(after.iter().all(|watched| watched.id != id), "it is gone");
    drop(rx);
    std::fs::remove_dir_all(&folder).expect("removes");
}

/// The descriptors of this process that name what `word` says.
fn descriptors(word: &str) -> usize {
    let all = std::fs::read_dir("/proc/self/fd").expect("lists");
    let links = all
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.path()).ok());
    links
        .filter(|link| link.to_string_lossy().contains(word))
        .count()
}

/// In a process of its own: the other tests have ends open.
#[test]
fn a_board_goes_with_the_last_end_and_is_one_for_all() {
    if env::var("LANEWAY_COUNTERS_ALONE").is_err() {
        let status = Command::new(env::current_exe().expect("this program"))
            .args([
                "--exact",
                "a_board_goes_with_the_last_end_and_is_one_for_all",
            ])
            .env("LANEWAY_COUNTERS_ALONE", "1")
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("runs").success());
        return;
    }
    let board = || descriptors("memfd:laneway-counters");
    for _ in 0..50 {
        assert_eq!(board(), 0);
        let many: Vec<_> = (0..100)
            .map(|_| named("pipe:").pair().expect("opens"))
            .collect();
        assert_eq!(board(), 1);
        let mut observer = Inventory::new().observer();
        let ours = [process::id()];
        let all = observer.look().expect("looks");
        let seen = all.iter().filter(|watched| watched.processes == ours);
        assert_eq!(seen.count(), 200);
        drop(many);
    }
    assert_eq!(board(), 0);
    // Rings and queues count in memory of their own.
    let _ring = named("shm+spsc:").pair().expect("opens");
    let _queue = named("sysv:").pair().expect("opens");
    assert_eq!(board(), 0);
}
