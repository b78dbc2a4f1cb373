//! However a pipeline ends: when its last process is gone, nothing of it is in `/dev/shm`, in the temporary folder or among the System V
//! queues, no descriptor is open, and no process stays.

use std::time::Duration;

use laneway::{
    Channel, Receiver, RecvError, Sender,
    process::{Entries, Pipeline, Process, pipeline::PipelineError},
    typed::Plain,
};
use libtest_mimic::{Failed, Trial};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
};

use crate::{
    entries::Number,
    flow::in_order,
    private::{self, Place, snapshot::Snapshot},
};

/// Tells a child what to do.
pub(crate) const VARIABLE: &str = "LANEWAY_PIPELINE";

const ENDINGS: [&str; 6] = [
    "run",
    "kill",
    "drop_sink",
    "refuse",
    "drop_all",
    "kill_parent",
];

/// Links, with names where it has them; `{}` stands for what is unique.
const LINKS: [&str; 4] = [
    "shm+mpmc:",
    "sysv:",
    "pipe:?mode=packet",
    "shm+lock:{}?capacity=64KiB",
];

pub(crate) fn entries(entries: Entries) -> Entries {
    entries.entry("parent", |(link, ordered): (String, bool)| {
        parent(&link, ordered)
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    let lacking = private::lacking(VARIABLE);
    let place = lacking.as_ref().map_or(Place::Private, |_| Place::Anywhere);
    let mut trials = Vec::new();
    for ending in ENDINGS {
        for link in LINKS {
            for order in ["ordered", "unordered"] {
                if order == "ordered" && link.contains("{}") {
                    // Lanes have no names.
                    continue;
                }
                let task = format!("{ending} {link} {order}");
                let mut name = format!("leftovers/{ending}/{order}/{link}");
                if let Some(why) = &lacking {
                    name = format!("{name} (queues not looked at: {why})");
                }
                let run = move || private::run(place, VARIABLE, &task).map_err(Failed::from);
                trials.push(Trial::test(name, run));
            }
        }
    }
    trials
}

pub(crate) fn play(task: &str) {
    private::enter();
    let words: Vec<&str> = task.split(' ').collect();
    let [ending, link, order] = words.as_slice() else {
        assert_eq!(task, "nothing");
        return;
    };
    prctl::set_child_subreaper(true).expect("orphans come to us");
    // The thread that hears of deaths starts with the first long sleep, and stays.
    let (_tx, mut rx) = laneway::channel("shm+mpmc:")
        .expect("good")
        .pair()
        .expect("opens");
    let nothing = rx.recv_timeout(&mut [0; 8], Duration::from_millis(100));
    assert!(matches!(nothing, Err(RecvError::Empty)));
    let before = Snapshot::take();
    end(ending, link, *order == "ordered");
    before.assert_same(ending);
    assert_eq!(waitpid(None, None), Err(Errno::ECHILD), "no process stays");
}

/// A pipeline over this kind of link.
fn pipeline(link: &str, ordered: bool) -> Pipeline {
    let link = |index: u8| {
        link.replace(
            "{}",
            &format!("laneway-pipeline.{}.{index}", std::process::id()),
        )
    };
    let pipeline = Pipeline::new()
        .link(&link(0))
        .stage("pass", 3)
        .link(&link(1))
        .stage("double", 2)
        .link(&link(2));
    in_order(pipeline, ordered)
}

fn end(ending: &str, link: &str, ordered: bool) {
    let pipeline = pipeline(link, ordered);
    match ending {
        "run" => {
            let mut count = 0;
            let run = pipeline.run((0..1000_u64).map(Plain), |_: Number| count += 1);
            run.expect("runs");
            assert_eq!(count, 1000);
        }
        "kill" => {
            let mut running = pipeline
                .source("endless", &String::new())
                .start()
                .expect("starts");
            let mut sink = running.sink::<Number>().expect("is here");
            sink.recv().expect("comes").expect("is not over");
            running.children("pass")[1].kill().expect("is sent");
            let told = sink.find_map(Result::err);
            assert!(matches!(told, Some(PipelineError::Failed(_))), "{told:?}");
        }
        "drop_sink" => {
            let mut running = pipeline.start().expect("starts");
            let mut source = running.source::<Number>().expect("is here");
            source.send(&Plain(1)).expect("sends");
            drop(running.sink::<Number>().expect("is here"));
        }
        "refuse" => {
            // The last of its links does not open.
            let error = pipeline.link("shm+spsc:laneway-refused").start();
            let error = error.expect_err("it is too narrow, and has a name");
            assert!(matches!(error, PipelineError::Link { .. }), "{error}");
        }
        "drop_all" => drop(pipeline.start().expect("starts")),
        "kill_parent" => kill_parent(link, ordered),
        other => panic!("no ending {other}"),
    }
}

/// Its processes end with a parent that is killed in the middle of the work, and have nothing left behind.
fn kill_parent(link: &str, ordered: bool) {
    let name = format!(
        "shm+mpmc:laneway-pipeline.there.{}?capacity=64KiB",
        std::process::id()
    );
    let mut there = laneway::channel(&name)
        .expect("good")
        .receiver()
        .expect("opens");
    let arguments = (link.to_owned(), ordered);
    let parent = Process::new("parent", &arguments).start().expect("starts");
    // Its source says that it is there, and it says itself that all are under way.
    let mut said = [0; 8];
    for _ in 0..2 {
        let len = there.recv(&mut said).expect("comes");
        assert_eq!(&said[..len], b"here");
    }
    parent.kill().expect("is sent");
    parent.join().expect("ends");
    let gone = there.recv(&mut said);
    assert!(matches!(gone, Err(RecvError::Disconnected)), "{gone:?}");
    let mut killed = 0;
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _)) => killed += 1,
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(killed, 6, "a source and five workers");
    if link.contains("{}") {
        // The next to open a name heals it.
        for index in 0..3 {
            let name = link.replace("{}", &format!("laneway-pipeline.{}.{index}", parent.pid()));
            drop(
                laneway::channel(&name)
                    .expect("good")
                    .pair()
                    .expect("opens"),
            );
        }
    }
    if link == "sysv:" {
        // As said of it: the next to open a queue without a path removes those that were left.
        drop(laneway::channel(link).expect("good").pair().expect("opens"));
    }
}

/// Runs a pipeline without end, until it is killed.
fn parent(link: &str, ordered: bool) {
    let name = format!(
        "shm+mpmc:laneway-pipeline.there.{}?capacity=64KiB",
        nix::unistd::getppid()
    );
    let pipeline = pipeline(link, ordered).source("endless", &name);
    let mut running = pipeline.start().expect("starts");
    let mut sink = running.sink::<Number>().expect("is here");
    sink.recv().expect("comes").expect("is not over");
    let mut there = laneway::channel(&name)
        .expect("good")
        .sender()
        .expect("opens");
    there.send(b"here").expect("somebody listens");
    let ended = sink.find_map(Result::err);
    panic!("{ended:?}");
}
