//! A producer and a consumer, processes of their own, that count what they send and receive.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{self, Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use laneway::{Channel, Deadline, Driver, Receiver, RecvError, Registry, SendError, Sender};
use nix::unistd::alarm;

/// Tells a child what to do.
const VARIABLE: &str = "LANEWAY_TOP_TRAFFIC";
/// A child that lives longer hangs.
const WATCHDOG: u32 = 120;
/// How often a child tells how far it is.
const TELL: Duration = Duration::from_millis(2);
/// How many messages are sent together.
const BATCH: usize = 32;

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("later").as_secs_f64()
}

/// Does what the parent says and ends, if this process is a child.
pub(crate) fn serve() {
    let Ok(task) = env::var(VARIABLE) else {
        return;
    };
    alarm::set(WATCHDOG);
    let (verb, address) = task.split_once(' ').expect("a verb and an address");
    let channel = laneway::channel(address).expect("a good address");
    match verb {
        "produce" => {
            let mut sender = channel.sender().expect("opens");
            let message = [7; 64];
            let batch = [&message[..]; BATCH];
            count(|| match sender.send_batch_by(&batch, soon()) {
                Ok(sent) => Some(sent),
                Err(SendError::Full) => Some(0),
                Err(_) => None,
            });
        }
        _ => {
            let mut receiver = channel.receiver().expect("opens");
            count(|| match receiver.drain_by(BATCH, soon(), &mut |_| {}) {
                Ok(drained) => Some(drained),
                Err(RecvError::Empty | RecvError::Lagged { .. }) => Some(0),
                Err(_) => None,
            });
        }
    }
    process::exit(0);
}

fn soon() -> Deadline {
    Deadline::after(TELL)
}

/// Tells how many it was, again and again, until there is nobody.
fn count(mut step: impl FnMut() -> Option<usize>) {
    let mut out = std::io::stdout().lock();
    let mut total = 0;
    let mut told = Instant::now();
    while let Some(some) = step() {
        total += some;
        if told.elapsed() >= TELL {
            told = Instant::now();
            // The parent has seen enough.
            if writeln!(out, "{} {total}", now()).is_err() {
                return;
            }
        }
    }
}

/// What a counter was at some moments.
#[derive(Default)]
pub(crate) struct Track(Vec<(f64, f64)>);

impl Track {
    /// Adds a moment, later than all before.
    pub(crate) fn add(&mut self, at: f64, count: f64) {
        self.0.push((at, count));
    }

    /// What it was then, between the two moments around.
    fn at(&self, at: f64) -> Option<f64> {
        let next = self.0.partition_point(|(moment, _)| *moment < at);
        let (before, after) = (self.0.get(next.checked_sub(1)?)?, self.0.get(next)?);
        let part = (at - before.0) / (after.0 - before.0).max(1e-9);
        Some(before.1 + part * (after.1 - before.1))
    }

    /// How much it grew a second between two moments.
    pub(crate) fn rate(&self, from: f64, to: f64) -> Option<f64> {
        Some((self.at(to)? - self.at(from)?) / (to - from))
    }
}

/// A child at work. Killed when dropped.
pub(crate) struct Worker {
    child: Child,
    pub(crate) track: Arc<Mutex<Track>>,
}

impl Worker {
    /// One that does `verb` at an address.
    pub(crate) fn start(verb: &str, address: &str) -> Self {
        let mut command = Command::new(env::current_exe().expect("a path"));
        command.env(VARIABLE, format!("{verb} {address}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let track = Arc::new(Mutex::new(Track::default()));
        let ours = Arc::clone(&track);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let (at, count) = line.split_once(' ').expect("two numbers");
                let number = |text: &str| text.parse::<f64>().expect("a number");
                let mut track = ours.lock().expect("nobody panics");
                track.add(number(at), number(count));
            }
        });
        Self { child, track }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A channel that nobody else uses, with both at work. Removed when dropped.
pub(crate) struct Traffic {
    pub(crate) address: String,
    pub(crate) producer: Worker,
    pub(crate) consumer: Worker,
}

impl Traffic {
    /// One over this transport; none if it has no names.
    pub(crate) fn over(driver: &Driver) -> Option<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);

        // ORDERING: Relaxed; only different numbers are wanted.
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = driver.example_name(&format!("laneway-top-{}-{number}", process::id()))?;
        let address = format!("{}:{name}", driver.scheme());
        let consumer = Worker::start("consume", &address);
        let producer = Worker::start("produce", &address);
        let traffic = Self {
            address,
            producer,
            consumer,
        };
        traffic.wait_until_it_flows();
        Some(traffic)
    }

    /// One over every transport that has names.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Registry::BUILTIN.drivers().iter().filter_map(Self::over)
    }

    fn wait_until_it_flows(&self) {
        let from = Instant::now();
        let flows = || {
            let track = self.consumer.track.lock().expect("nobody panics");
            track.0.last().is_some_and(|(_, count)| *count > 0.0)
        };
        while !flows() {
            assert!(from.elapsed() < Duration::from_secs(60), "nothing flows");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        for worker in [&mut self.producer, &mut self.consumer] {
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
        // What the killed leave.
        let _ = laneway::channel(&self.address)
            .expect("a good address")
            .unlink();
    }
}
