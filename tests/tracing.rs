//! With the feature `tracing`, openings, closings and recoveries are told, and nothing while data flow.

use std::{
    env, fmt,
    io::{self, BufRead, BufReader, Write},
    process::{self, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use laneway::{Channel, Receiver, Sender};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Tells a child which channel to open.
const VARIABLE: &str = "LANEWAY_TRACING";

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Collector {
    told: Arc<Mutex<Vec<String>>>,
    spans: Arc<Mutex<u64>>,
}

impl Collector {
    fn note(&self, what: &str, meta: &Metadata<'_>, fields: impl FnOnce(&mut Fields)) {
        if meta.target() == "laneway" {
            let mut text = Fields(format!("{what} {}", meta.name()));
            fields(&mut text);
            self.told.lock().expect("no panic").push(text.0);
        }
    }

    /// What was told since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().expect("no panic"))
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note("span", span.metadata(), |fields| span.record(fields));
        let mut spans = self.spans.lock().expect("no panic");
        *spans += 1;
        Id::from_u64(*spans)
    }

    fn event(&self, event: &Event<'_>) {
        self.note("event", event.metadata(), |fields| event.record(fields));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What a child does, that is killed; nothing, if this is no child.
#[test]
fn stays_until_it_is_killed() {
    let Ok(address) = env::var(VARIABLE) else {
        return;
    };
    nix::unistd::alarm::set(60);
    let mut tx = laneway::channel(&address)
        .expect("good")
        .sender()
        .expect("opens");
    tx.send(b"sent").expect("goes");
    writeln!(io::stdout(), "ready").expect("is read");
    thread::park();
}

/// Has a child open the channel, send, and be killed, after `meanwhile`.
fn killed(address: &str, meanwhile: impl FnOnce()) {
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "stays_until_it_is_killed", "--nocapture"])
        .env(VARIABLE, address)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let ready = out
        .lines()
        .any(|line| line.is_ok_and(|line| line.contains("ready")));
    meanwhile();
    child.kill().expect("is ours");
    child.wait().expect("is ours");
    assert!(ready, "it ended before");
}

fn has(told: &[String], words: &[&str]) -> bool {
    told.iter()
        .any(|line| words.iter().all(|word| line.contains(word)))
}

#[test]
fn openings_closings_and_recoveries_are_told_and_no_message_is() {
    let collector = Collector::default();
    let _guard = tracing::subscriber::set_default(collector.clone());
    let unique = |word: &str| format!("laneway-tracing.{}.{word}", process::id());
    let fifo = env::temp_dir().join(unique("fifo"));
    let queue = env::temp_dir().join(unique("queue"));
    for address in [
        "pipe:".to_owned(),
        format!("fifo:{}", fifo.display()),
        format!("sysv:{}", queue.display()),
        format!("shm+spsc:{}", unique("1")),
        format!("shm+lock:{}", unique("2")),
        format!("shm+mpmc:{}", unique("3")),
    ] {
        let (mut tx, mut rx) = laneway::channel(&address)
            .expect("good")
            .pair()
            .expect("opens");
        let told = collector.take();
        let of = format!("address={address}");
        assert!(has(&told, &["span open", &of]), "{told:?}");
        assert!(has(&told, &["event", "opened", &of, "sender"]), "{told:?}");
        assert!(
            has(&told, &["event", "opened", &of, "receiver"]),
            "{told:?}"
        );
        for _ in 0..1000 {
            tx.send(b"hello").expect("goes");
            rx.recv(&mut [0; 8]).expect("comes");
        }
        assert_eq!(collector.take(), [""; 0], "{address}");
        drop((tx, rx));
        let told = collector.take();
        let closed = told
            .iter()
            .filter(|line| has(&[(*line).clone()], &["span close", &of]));
        assert_eq!(closed.count(), 2, "{told:?}");
    }

    // Nobody but the dead had it: what is left is removed by whoever comes.
    let address = format!("shm+spsc:{}", unique("stale"));
    killed(&address, || {});
    let rx = laneway::channel(&address)
        .expect("good")
        .receiver()
        .expect("opens");
    let told = collector.take();
    assert!(
        has(&told, &["recovered", "removed a stale segment", &address]),
        "{told:?}"
    );
    drop(rx);

    // Who had it open learns of the death.
    let address = format!("shm+lock:{}", unique("left"));
    let mut rx = laneway::channel(&address)
        .expect("good")
        .receiver()
        .expect("opens");
    killed(&address, || {
        rx.recv(&mut [0; 8]).expect("was sent");
        rx.try_recv(&mut [0; 8]).expect_err("no more");
    });
    collector.take();
    rx.recv(&mut [0; 8]).expect_err("the sender is gone");
    let told = collector.take();
    assert!(
        has(&told, &["recovered", "found the other side gone", &address]),
        "{told:?}"
    );
}
