//! Processes that fail, and ends that go: it is told who failed and how, and nobody stays.

use std::{os::unix::process::ExitStatusExt, thread, time::Duration};

use laneway::{
    RecvError, SendError,
    process::{
        Child, Pipeline,
        pipeline::{Cause, Failure, PipelineError, Running},
    },
    typed::Plain,
};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::{
    entries::{Number, POISON},
    flow::{MANY, in_order, two_stages},
    trial,
};

/// The signal of a process that was killed.
const KILLED: Option<i32> = Some(Signal::SIGKILL as i32);

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("faults/a_worker_is_killed_while_nothing_flows", killed_idle),
        trial("faults/a_worker_is_killed_at_each_stage", killed_anywhere),
        trial("faults/whoever_sends_is_told_too", source_is_told),
        trial("faults/a_worker_fails_at_an_item", fails_at_an_item),
        trial("faults/results_before_a_failure_come", results_before),
        trial("faults/an_item_is_too_large", too_large),
        trial("faults/a_sink_fails", sink_fails),
        trial("faults/join_tells_too", join_tells),
        trial("faults/the_sink_is_dropped", sink_dropped),
        trial("faults/a_pipeline_is_dropped", all_dropped),
        trial("faults/terminate_ends_all", terminated),
        trial("faults/the_caller_of_run_panics", caller_panics),
    ];
    for ordered in [false, true] {
        for address in [None].into_iter().chain(MANY.map(Some)) {
            let order = if ordered { "ordered" } else { "unordered" };
            let name = format!(
                "faults/a_worker_is_killed/{order}/{}",
                address.unwrap_or("usual")
            );
            trials.push(trial(name, move || killed(address, ordered)));
        }
    }
    trials
}

/// The failure, if that is the error.
fn failure(error: PipelineError) -> Failure {
    match error {
        PipelineError::Failed(failure) => failure,
        other => panic!("{other}"),
    }
}

/// Whether all processes of the pipeline have ended.
fn assert_all_ended(running: &Running, names: &[&str]) {
    for name in names {
        let children = running.children(name);
        assert!(!children.is_empty(), "{name}");
        let lives = |child: &&Child| child.exit_status().is_none();
        assert!(!children.iter().any(lives), "{name}: {children:?}");
    }
}

fn kill(running: &Running, stage: &str, worker: usize) {
    let children = running.children(stage);
    children[worker].kill().expect("is sent");
}

fn assert_killed(error: PipelineError, stage: &str, worker: usize) {
    let failure = failure(error);
    assert_eq!((failure.stage.as_str(), failure.worker), (stage, worker));
    let signal = failure.status.expect("we reap it").signal();
    assert_eq!(signal, KILLED, "{failure}");
    assert!(failure.cause.is_none(), "{failure}");
    let told = failure.to_string();
    assert!(told.contains(stage) && told.contains("SIGKILL"), "{told}");
}

/// One of several, in the middle of the work, while a source sends without end.
fn killed(link: Option<&str>, ordered: bool) {
    let pipeline = two_stages("pass", "double", [4, 2], link);
    let pipeline = pipeline.source("endless", &String::new());
    let pipeline = in_order(pipeline, ordered);
    let mut running = pipeline.start().expect("starts");
    let mut sink = running.sink::<Number>().expect("is here");
    for _ in 0..1000 {
        sink.recv().expect("comes").expect("is not over");
    }
    kill(&running, "pass", 2);
    let error = sink.find_map(Result::err).expect("it is told");
    assert_killed(error, "pass", 2);
    assert!(sink.next().is_none());
    assert_all_ended(&running, &["endless", "pass", "double"]);
}

/// Everybody sleeps, and the others of the stage would do for all items to come.
fn killed_idle() {
    for ordered in [false, true] {
        let pipeline = two_stages("pass", "double", [3, 2], None);
        let pipeline = in_order(pipeline, ordered);
        let mut running = pipeline.start().expect("starts");
        let mut source = running.source::<Number>().expect("is here");
        let mut sink = running.sink::<Number>().expect("is here");
        source.send(&Plain(4)).expect("sends");
        assert_eq!(sink.recv().expect("comes"), Some(Plain(8)));
        let nothing = sink.recv_timeout(Duration::from_millis(50));
        assert!(
            matches!(nothing, Err(PipelineError::Recv(RecvError::Empty))),
            "{nothing:?}"
        );
        thread::scope(|scope| {
            let waiting = scope.spawn(move || sink.recv());
            kill(&running, "pass", 1);
            let told = waiting.join().expect("does not panic");
            assert_killed(told.expect_err("is no result"), "pass", 1);
        });
        assert_all_ended(&running, &["pass", "double"]);
        // Those that were killed could not say so, so it is seen when the ring is full at the latest.
        let sent = (0..1_u64 << 20).find_map(|number| source.send(&Plain(number)).err());
        assert_killed(sent.expect("there is nobody"), "pass", 1);
    }
}

fn killed_anywhere() {
    for ordered in [false, true] {
        for (stage, worker) in [
            ("numbers", 0),
            ("uneven", 0),
            ("slow", 1),
            ("pass", 0),
            ("sum_is", 0),
        ] {
            let pipeline = Pipeline::new()
                .source("numbers", &Plain([0, 1_u64 << 40]))
                .stage("uneven", 2)
                .stage("slow", 2)
                .stage("pass", 1)
                .sink("sum_is", &Plain(0_u64));
            let pipeline = in_order(pipeline, ordered);
            let mut running = pipeline.start().expect("starts");
            while running
                .stats()
                .stage("sum_is")
                .is_some_and(|row| row.received < 10)
            {
                thread::yield_now();
            }
            kill(&running, stage, worker);
            assert_killed(running.join().expect_err("is told"), stage, worker);
            assert_all_ended(&running, &["numbers", "uneven", "slow", "pass", "sum_is"]);
        }
    }
}

/// Who waits for room, because nobody takes the results.
fn source_is_told() {
    let mut running = two_stages("pass", "double", [2, 2], None)
        .start()
        .expect("starts");
    let mut source = running.source::<Number>().expect("is here");
    let sink = running.sink::<Number>().expect("is here");
    thread::scope(|scope| {
        let sending = scope.spawn(move || {
            loop {
                if let Err(error) = source.send(&Plain(1)) {
                    return error;
                }
            }
        });
        // All links are full once all wait for room.
        while running
            .stats()
            .stage("source")
            .is_some_and(|row| row.waited_for_room.is_zero())
        {
            thread::yield_now();
        }
        kill(&running, "double", 1);
        assert_killed(sending.join().expect("does not panic"), "double", 1);
    });
    drop(sink);
    assert_all_ended(&running, &["pass", "double"]);
}

fn fails_at_an_item() {
    for (stage, code, signal) in [
        ("panic", Some(101), None),
        ("leave", Some(0), None),
        ("die", None, KILLED),
    ] {
        for ordered in [false, true] {
            let pipeline = two_stages("pass", stage, [2, 3], None);
            let pipeline = in_order(pipeline, ordered);
            let items = (0..10_000).chain([POISON]).chain(0..10_000_u64).map(Plain);
            let error = pipeline.run(items, |_: Number| {}).expect_err("it fails");
            let failure = failure(error);
            assert_eq!(failure.stage, stage);
            let status = failure.status.expect("we reap it");
            assert_eq!(
                (status.code(), status.signal()),
                (code, signal),
                "{failure}"
            );
            assert!(failure.cause.is_none());
        }
    }
}

/// In order, each result up to the failure may come, and none twice or wrong.
fn results_before() {
    let pipeline = two_stages("pass", "die", [2, 3], None).ordered();
    let mut next = 0;
    let items = (0..1000).chain([POISON]).chain(1000..5000).map(Plain);
    let run = pipeline.run(items, |Plain(result): Number| {
        assert_eq!(result, next);
        next += 1;
    });
    assert_eq!(failure(run.expect_err("it fails")).stage, "die");
    assert!(next <= 1000, "{next}");
}

fn too_large() {
    let pipeline = Pipeline::new()
        .stage("sizes", 2)
        .link("shm+mpmc:?capacity=64KiB");
    let items = [10_u64, 100, 1 << 20].map(Plain);
    let error = pipeline.run(items, |_: Vec<u8>| {}).expect_err("it fails");
    let failure = failure(error);
    assert_eq!(failure.stage, "sizes");
    assert_eq!(failure.status.and_then(|status| status.code()), Some(1));
    let max = match &failure.cause {
        Some(Cause::Send(SendError::TooLarge { max })) => *max,
        other => panic!("{other:?}"),
    };
    assert!((1 << 10..64 << 10).contains(&max));
    assert!(failure.to_string().contains(&max.to_string()), "{failure}");
    // At the source it is told at once, and the others are not the worse for it.
    let pipeline = Pipeline::new()
        .link("shm+mpmc:?capacity=64KiB")
        .stage("words", 2);
    let mut running = pipeline.start().expect("starts");
    let mut source = running.source::<String>().expect("is here");
    let error = source.send(&"x".repeat(1 << 20)).expect_err("too large");
    assert!(
        matches!(error, PipelineError::Send(SendError::TooLarge { .. })),
        "{error}"
    );
    source.send(&"y".to_owned()).expect("sends");
    source.close();
    let words = running.sink::<std::collections::BTreeMap<String, u64>>();
    assert_eq!(words.expect("is here").count(), 1);
}

fn sink_fails() {
    let pipeline = two_stages("pass", "double", [2, 2], None).source("endless", &String::new());
    let mut running = pipeline.sink("fail", &Plain(7_u8)).start().expect("starts");
    let failure = failure(running.join().expect_err("it fails"));
    assert_eq!((failure.stage.as_str(), failure.worker), ("fail", 0));
    assert_eq!(failure.status.and_then(|status| status.code()), Some(7));
    assert_all_ended(&running, &["endless", "pass", "double", "fail"]);
}

/// Also if others are told, and again.
fn join_tells() {
    let pipeline = two_stages("pass", "double", [2, 2], None).source("endless", &String::new());
    let mut running = pipeline.start().expect("starts");
    let mut sink = running.sink::<Number>().expect("is here");
    sink.recv().expect("comes").expect("is not over");
    kill(&running, "double", 0);
    // Somebody else waits for it too.
    let status = running.children("double")[0].join().expect("is ours");
    assert_eq!(status.signal(), KILLED);
    let told = sink.find_map(Result::err).expect("it is told");
    assert_killed(told, "double", 0);
    for _ in 0..2 {
        assert_killed(running.join().expect_err("is told"), "double", 0);
    }
    let exits = running.exits();
    let names: Vec<_> = exits.iter().map(|exit| exit.stage.as_str()).collect();
    assert_eq!(names, ["endless", "pass", "double"]);
    assert!(
        exits
            .iter()
            .all(|exit| exit.workers.iter().all(Option::is_some))
    );
}

fn sink_dropped() {
    for ordered in [false, true] {
        let pipeline = two_stages("pass", "double", [3, 2], None);
        let pipeline = in_order(pipeline, ordered);
        let mut running = pipeline.start().expect("starts");
        let mut source = running.source::<Number>().expect("is here");
        let mut sink = running.sink::<Number>().expect("is here");
        source.send(&Plain(4)).expect("sends");
        assert_eq!(sink.recv().expect("comes"), Some(Plain(8)));
        drop(sink);
        // The source is still open.
        assert_all_ended(&running, &["pass", "double"]);
        let sent = (0..1_u64 << 20).find_map(|number| source.send(&Plain(number)).err());
        let gone = matches!(sent, Some(PipelineError::Send(SendError::Disconnected)));
        assert!(gone, "{sent:?}");
        // Nobody has failed.
        drop(source);
        running.join().expect("is no failure");
    }
}

fn all_dropped() {
    let pipeline = two_stages("pass", "double", [3, 2], None).source("endless", &String::new());
    let mut running = pipeline.start().expect("starts");
    let mut sink = running.sink::<Number>().expect("is here");
    let pids: Vec<u32> = ["endless", "pass", "double"]
        .into_iter()
        .flat_map(|stage| running.children(stage).into_iter().map(Child::pid))
        .collect();
    assert_eq!(pids.len(), 6);
    drop(running);
    // What is left keeps it alive.
    sink.recv().expect("comes").expect("is not over");
    drop(sink);
    for pid in pids {
        // No zombie either.
        let there = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
        let ours = there.is_ok_and(|line| line.contains("/proc/self/exe"));
        assert!(!ours, "{pid} stays");
    }
}

fn terminated() {
    let pipeline = two_stages("pass", "double", [3, 2], None).source("endless", &String::new());
    let mut running = pipeline.start().expect("starts");
    let sink = running.sink::<Number>().expect("is here");
    running.terminate();
    assert_all_ended(&running, &["endless", "pass", "double"]);
    // What had come comes, and nobody has failed.
    assert!(sink.into_iter().all(|result| result.is_ok()));
}

/// The panic comes through, and does not wait for a source without end.
fn caller_panics() {
    let run = || {
        let pipeline = two_stages("pass", "double", [2, 2], None);
        let items = (0..u64::MAX).map(Plain);
        let _ = pipeline.run(items, |Plain(result): Number| {
            assert!(result < 1000, "as it shall");
        });
    };
    let panicked = thread::spawn(run).join().expect_err("it panics");
    let told = panicked.downcast_ref::<&str>().expect("a message");
    assert_eq!(*told, "as it shall");
}
