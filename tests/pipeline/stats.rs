//! The numbers of a pipeline are those of what it does.

use std::{thread, time::Duration};

use laneway::{process::pipeline::Stats, typed::Plain};
use libtest_mimic::Trial;

use crate::{
    entries::{Number, SLOWLY},
    flow::{in_order, two_stages},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("stats/who_waits_for_whom", who_waits),
        trial("stats/a_wait_that_lasts_counts", a_wait_that_lasts),
        trial("stats/depth_and_what_was_done_since", depth),
        trial("stats/as_a_table", table),
    ]
}

/// A slow stage holds up those before it, and those behind it have nothing to do.
fn who_waits() {
    for ordered in [false, true] {
        let pipeline = two_stages("pass", "slow", [2, 1], Some("shm+mpmc:?capacity=4KiB"));
        let pipeline = in_order(pipeline, ordered);
        let mut count = 0;
        let stats = pipeline.run((0..1000_u64).map(Plain), |_: Number| count += 1);
        let stats = stats.expect("runs");
        let row = |name| stats.stage(name).expect("is a row");
        let rows = ["source", "pass", "slow", "sink"].map(row);
        assert_eq!(rows.map(|row| row.sent), [1000, 1000, 1000, 0], "{stats}");
        assert_eq!(
            rows.map(|row| row.received),
            [0, 1000, 1000, 1000],
            "{stats}"
        );
        assert_eq!(rows.map(|row| row.depth), [0; 4], "{stats}");
        let [source, pass, slow, sink] = rows;
        assert!(source.waited_for_room > Duration::ZERO, "{stats}");
        assert!(pass.waited_for_room > source.waited_for_room / 2, "{stats}");
        assert!(pass.waited_for_room > 10 * slow.waited_for_room, "{stats}");
        // Once an item, for about as long as the slow one takes for it; the first are few.
        assert!(sink.waited_for_items > SLOWLY * 200, "{stats}");
        assert!(source.waited_for_items.is_zero() && sink.waited_for_room.is_zero());
        assert!(stats.elapsed > SLOWLY * 200, "{stats}");
        let rate = 1000.0 / stats.elapsed.as_secs_f64();
        assert!((slow.rate - rate).abs() < 0.01 * rate, "{stats}");
    }
}

/// Waits without an end are seen while they last, and grow.
fn a_wait_that_lasts() {
    let mut running = two_stages("pass", "double", [2, 2], None)
        .start()
        .expect("starts");
    let mut source = running.source::<Number>().expect("is here");
    let mut sink = running.sink::<Number>().expect("is here");
    let waits = |stats: &Stats| {
        ["pass", "double"].map(|name| stats.stage(name).expect("is a row").waited_for_items)
    };
    let first = running.stats();
    while waits(&running.stats())
        .iter()
        .any(|wait| *wait < Duration::from_millis(50))
    {
        thread::yield_now();
    }
    let then = running.stats();
    thread::scope(|scope| {
        scope.spawn(|| sink.recv_timeout(Duration::from_secs(60)));
        loop {
            let now = running.stats();
            let sink = now
                .since(&then)
                .stage("sink")
                .map(|row| row.waited_for_items);
            if sink > Some(Duration::from_millis(20)) {
                let grown = now.since(&first);
                assert!(
                    waits(&grown)
                        .iter()
                        .all(|wait| *wait > Duration::from_millis(30)),
                    "{grown}"
                );
                break;
            }
            thread::yield_now();
        }
        source.send(&Plain(1)).expect("sends");
    });
    source.close();
    assert!(sink.next().is_none());
    let sent = running.stats().stage("double").map(|row| row.sent);
    assert_eq!(sent, Some(1));
}

fn depth() {
    let mut running = two_stages("pass", "slow", [1, 1], None)
        .start()
        .expect("starts");
    let mut source = running.source::<Number>().expect("is here");
    let sink = running.sink::<Number>().expect("is here");
    (0..200).for_each(|number| source.send(&Plain(number)).expect("sends"));
    let before = loop {
        let stats = running.stats();
        let [pass, slow] = ["pass", "slow"].map(|name| stats.stage(name).expect("is a row"));
        assert!(pass.sent <= 200);
        if pass.sent == 200 && slow.received > 0 {
            assert!(slow.depth > 0, "it is slow: {stats}");
            assert_eq!(slow.depth, 200 - slow.received, "{stats}");
            break stats;
        }
        thread::yield_now();
    };
    source.close();
    assert_eq!(sink.count(), 200);
    let after = running.stats();
    let since = after.since(&before);
    let received = |stats: &Stats| stats.stage("slow").map_or(0, |row| row.received);
    assert_eq!(received(&since), 200 - received(&before));
    assert_eq!(after.stage("slow").map(|row| row.depth), Some(0));
    let rate = since.stage("slow").map_or(0.0, |row| row.rate);
    assert!(
        rate > 0.0 && rate <= 1.0 / SLOWLY.as_secs_f64() * 1.5,
        "{rate}"
    );
    // It stands still once all have ended.
    assert_eq!(running.stats().elapsed, after.elapsed);
}

fn table() {
    let stats =
        two_stages("pass", "double", [3, 2], None).run((0..100_u64).map(Plain), |_: Number| {});
    let text = stats.expect("runs").to_string();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let starts: Vec<_> = lines
        .iter()
        .skip(1)
        .map(|words| words[..4].to_vec())
        .collect();
    let expected = [
        ["source", "1", "0", "100"],
        ["pass", "3", "100", "100"],
        ["double", "2", "100", "100"],
        ["sink", "1", "100", "0"],
    ];
    assert_eq!(starts, expected, "{text}");
    let widths: Vec<usize> = text.lines().map(str::len).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
}
