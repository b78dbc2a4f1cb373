//! Waiting until everything is done.

use std::{thread, time::Duration};

use laneway::{
    RecvError, SendError,
    process::{Child, Consumer, Entries, Process, Producer, Queue},
    typed::Plain,
};
use libtest_mimic::Trial;

use crate::{addresses, channel, trial, watch};

/// A task.
type Task = Plain<u64>;
/// A task that ends whoever gets it, without a word.
const POISON: u64 = u64::MAX;

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("work", |()| {
            watch();
            let mut tasks = Consumer::<Task>::inherited("tasks").expect("given");
            let mut results = Producer::inherited("results").expect("given");
            while let Ok(Plain(task)) = tasks.get() {
                if task == POISON {
                    std::process::abort();
                }
                results.put(&Plain(task)).expect("puts");
                tasks.task_done();
            }
        })
        .entry("split", |()| {
            watch();
            let mut tasks = Queue::<Task>::inherited("tasks").expect("given");
            loop {
                let Plain(task) = tasks.get().expect("comes");
                if task > 0 {
                    let both = [Plain(task - 1), Plain(task - 1)];
                    assert_eq!(tasks.put_many(&both).expect("puts"), 2);
                }
                tasks.task_done();
            }
        })
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("joins/tasks_that_make_tasks", tasks_that_make_tasks),
        trial("joins/not_yet_is_told_at_the_deadline", not_yet),
        trial("joins/in_one_process", in_one_process),
    ];
    for address in addresses() {
        let more = address.clone();
        trials.push(trial(format!("joins/all_is_done/{address}"), move || {
            all_is_done(&more)
        }));
        let more = address.clone();
        let name = format!("joins/killed_workers_leave_it_to_others/{address}");
        trials.push(trial(name, move || killed_workers(&more)));
        let name = format!("joins/without_workers_it_ends/{address}");
        trials.push(trial(name, move || without_workers(&address)));
    }
    trials
}

/// A worker, and the place for its results.
fn worker(tasks: &Queue<Task>, results: &Queue<Task>) -> Child {
    let process = Process::new("work", &());
    let process = process
        .give("tasks", &tasks.consumer().expect("opens"))
        .expect("gives");
    let process = process.give("results", &results.producer().expect("opens"));
    process.expect("gives").start().expect("starts")
}

/// When the queue is joined, every result is there.
fn all_is_done(address: &str) {
    let open = || Queue::<Task>::over(&channel(address)).expect("opens");
    let (mut tasks, mut results) = (open(), open());
    let workers = [worker(&tasks, &results), worker(&tasks, &results)];
    for round in 0..100 {
        (0..10).for_each(|task| tasks.put(&Plain(round * 10 + task)).expect("puts"));
        tasks.join().expect("workers live");
        let mut sum = 0;
        while let Ok(Plain(result)) = results.try_get() {
            sum += result;
        }
        assert_eq!(
            sum,
            (0..10).map(|task| round * 10 + task).sum::<u64>(),
            "{address}"
        );
    }
    drop(tasks);
    for worker in &workers {
        assert!(worker.join().expect("ends").success());
    }
}

/// Workers die with a task in their hands, again and again: the others go on, and the queue is joined.
fn killed_workers(address: &str) {
    let open = || Queue::<Task>::over(&channel(address)).expect("opens");
    let (mut tasks, mut results) = (open(), open());
    let mut workers: Vec<_> = (0..3).map(|_| worker(&tasks, &results)).collect();
    let mut dead = Vec::new();
    for round in 0..10 {
        (0..10).for_each(|task| tasks.put(&Plain(round * 10 + task)).expect("puts"));
        tasks.put(&Plain(POISON)).expect("puts");
        tasks.join().expect("workers live");
        let mut sum = 0;
        while let Ok(Plain(result)) = results.try_get() {
            sum += result;
        }
        assert_eq!(
            sum,
            (0..10).map(|task| round * 10 + task).sum::<u64>(),
            "{address}"
        );
        let at = workers.iter().position(|worker| {
            worker
                .join_timeout(Duration::ZERO)
                .expect("a child")
                .is_some()
        });
        if let Some(at) = at {
            dead.push(workers.remove(at));
        }
        workers.push(worker(&tasks, &results));
    }
    assert!(dead.len() > 5, "{} have died", dead.len());
    drop(tasks);
    for worker in &workers {
        let status = worker.join().expect("ends");
        assert!(status.success() || status.code().is_none(), "{status}");
    }
}

/// All who might do it are gone: that is told, and not waited for.
fn without_workers(address: &str) {
    let open = || Queue::<Task>::over(&channel(address)).expect("opens");
    let (mut tasks, results) = (open(), open());
    let worker = worker(&tasks, &results);
    for task in [1, POISON, 2] {
        tasks.put(&Plain(task)).expect("puts");
    }
    let joined = tasks.join();
    assert!(
        matches!(joined, Err(SendError::Disconnected)),
        "{address}: {joined:?}"
    );
    assert!(!worker.join().expect("ends").success());
    // The next one finishes what is left.
    let worker = self::worker(&tasks, &results);
    tasks.join().expect("a worker lives");
    worker.kill().expect("is sent");
}

/// Workers put tasks of their own before they say that one is done, so it is never over too early.
fn tasks_that_make_tasks() {
    let mut tasks = Queue::<Task>::new().expect("opens");
    let start = || {
        Process::new("split", &())
            .give("tasks", &tasks)
            .expect("gives")
            .start()
    };
    let workers = [
        start().expect("starts"),
        start().expect("starts"),
        start().expect("starts"),
    ];
    for depth in [0, 1, 10, 12] {
        tasks.put(&Plain(depth)).expect("puts");
        tasks.join().expect("workers live");
        assert!(tasks.is_empty());
        assert_eq!(tasks.len(), 0);
        for worker in &workers {
            assert!(worker.is_alive());
        }
    }
}

fn not_yet() {
    let (mut tasks, mut consumer) = Queue::<Task>::new().expect("opens").split();
    let timeout = Duration::from_millis(30);
    assert!(tasks.join_timeout(timeout).expect("nothing to do"));
    tasks.put(&Plain(1)).expect("puts");
    let start = std::time::Instant::now();
    assert!(!tasks.join_timeout(timeout).expect("a consumer is there"));
    assert!(start.elapsed() >= timeout);
    consumer.get().expect("there");
    assert!(!tasks.join_timeout(timeout).expect("a consumer is there"));
    consumer.task_done();
    consumer.task_done();
    assert!(tasks.join_timeout(timeout).expect("a consumer is there"));
    // What was got and not done when the handle closes is over.
    tasks.put(&Plain(1)).expect("puts");
    consumer.get().expect("there");
    consumer.close();
    assert!(tasks.join_timeout(timeout).expect("nothing to do"));
}

/// A joiner that sleeps long is woken by the last of many, by a close, and by nothing else.
fn in_one_process() {
    let (mut tasks, mut consumer) = Queue::<Task>::new().expect("opens").split();
    thread::scope(|scope| {
        for task in 0..100 {
            tasks.put(&Plain(task)).expect("puts");
        }
        let joiner = scope.spawn(move || {
            tasks.join().expect("a consumer is there");
            tasks
        });
        let mut got = 0;
        consumer.drain(60, |_| got += 1).expect("there");
        assert!(!joiner.is_finished());
        consumer.tasks_done(60);
        while got < 100 {
            consumer.get().expect("there");
            consumer.task_done();
            got += 1;
        }
        let mut tasks = joiner.join().expect("returns");
        tasks.put(&Plain(7)).expect("puts");
        let joiner = scope.spawn(move || tasks.join());
        drop(consumer);
        let joined = joiner.join().expect("returns");
        assert!(matches!(joined, Err(SendError::Disconnected)), "{joined:?}");
    });
    let mut queue = Queue::<Task>::new().expect("opens");
    assert!(matches!(queue.try_get(), Err(RecvError::Empty)));
}
