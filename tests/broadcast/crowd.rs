//! Everybody accounts for everything.

use std::{
    process,
    time::{Duration, Instant},
};

use laneway::{BoxSender, Channel, Endpoint, Receiver, RecvError, Sender};

use crate::child::{Account, END, Running, write};

pub(crate) const CASES: &[(&str, fn())] = &[
    ("eight_at_different_speeds", speeds),
    ("a_stopped_one_holds_nobody_up", stopped),
    ("killed_receivers_cost_nothing", receivers),
    ("killed_senders_have_successors", senders),
];

/// Messages, about two hundred times what the ring holds.
const MANY: u64 = 50_000;
const RING: &str = "capacity=64KiB";

fn send(tx: &mut BoxSender, generation: u64, numbers: std::ops::Range<u64>) {
    let mut message = Vec::new();
    for number in numbers {
        write(generation, number, &mut message);
        tx.send(&message).expect("waits for nobody");
    }
}

fn speeds() {
    let channel = laneway::channel(&format!("shm+broadcast:?{RING}")).expect("good");
    let (mut tx, rx) = channel.pair().expect("opens");
    // From one that does nothing else to one that works for a millisecond or so on each.
    let pauses = [0, 0, 10, 50, 200, 1000, 5000, 30_000];
    let children = pauses.map(|pause| Running::with(&format!("follow {pause}"), &rx));
    drop(rx);
    send(&mut tx, 1, 0..MANY);
    send(&mut tx, END, 0..1);
    let accounts = children.map(Running::account);
    let mut sum = Account::default();
    for account in accounts {
        assert_eq!(account.total(), MANY + 1, "{account:?}");
        sum.seen += account.seen;
        sum.missed += account.missed;
    }
    assert!(accounts[7].missed > 0, "{accounts:?}");
    let counters = tx.counters().expect("counts");
    assert_eq!(counters.sent.messages, MANY + 1);
    assert_eq!(counters.received.messages, sum.seen);
    assert_eq!(counters.drops, sum.missed);
}

fn stopped() {
    let channel = laneway::channel(&format!("shm+broadcast:?{RING}&wait=park")).expect("good");
    let (mut tx, rx) = channel.pair().expect("opens");
    let children = [0, 0].map(|pause| Running::with(&format!("follow {pause}"), &rx));
    drop(rx);
    let [quick, stopped] = children;
    send(&mut tx, 1, 0..1000);
    stopped.stop();
    send(&mut tx, 1, 1000..MANY);
    stopped.go_on();
    send(&mut tx, 1, MANY..MANY + 1000);
    send(&mut tx, END, 0..1);
    let (quick, stopped) = (quick.account(), stopped.account());
    assert_eq!(quick.total(), MANY + 1001);
    assert_eq!(stopped.total(), MANY + 1001);
    assert!(stopped.missed > 0, "{stopped:?}");
}

fn receivers() {
    let channel = laneway::channel(&format!("shm+broadcast:?{RING}")).expect("good");
    let (mut tx, rx) = channel.pair().expect("opens");
    let steady = [0, 100].map(|pause| Running::with(&format!("follow {pause}"), &rx));
    let mut sent = 0;
    let mut chance = 0x2545_f491_u64;
    for _ in 0..12 {
        let victim = Running::with("follow 20", &rx);
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let start = Instant::now();
        let time = Duration::from_micros(500 + chance % 8000);
        while start.elapsed() < time {
            send(&mut tx, 1, sent..sent + 50);
            sent += 50;
        }
        victim.kill();
    }
    drop(rx);
    send(&mut tx, END, 0..1);
    for child in steady {
        let account = child.account();
        assert_eq!(account.total(), sent + 1, "{account:?}");
    }
}

/// Each sender is killed in the middle of anything; the next one opens the name.
fn senders() {
    let address = format!("shm+broadcast:laneway-broadcast.{}?{RING}", process::id());
    let channel = laneway::channel(&address).expect("good");
    let mut own = channel.receiver().expect("opens");
    let children = [0, 100, 3000].map(|pause| Running::with(&format!("follow {pause}"), &own));
    let mut account = Account::default();
    let mut buf = [0; 1024];
    let mut take = |until: u64| {
        let mut seen = 0;
        while seen < until {
            match own.recv(&mut buf) {
                Ok(_) => seen += 1,
                Err(RecvError::Lagged { missed }) => account.missed += missed,
                Err(RecvError::Disconnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
        account.seen += seen;
        account
    };
    for generation in 1..=10 {
        let child = Running::start(&format!("send {address} {generation}"));
        // Until it has sent something.
        while take(1).seen == 0 {
            std::thread::yield_now();
        }
        take(generation * 997 % 1500);
        child.kill();
        take(u64::MAX);
    }
    let mut tx = channel.sender().expect("the place is free");
    send(&mut tx, END, 0..1);
    let expected = take(1).total();
    for child in children {
        let account = child.account();
        assert_eq!(account.total(), expected, "{account:?}");
    }
    drop((tx, own));
    assert!(channel.unlink().is_err(), "the last one out removed it");
}
