//! Two processes that know of each other only a path: one gives an end of a channel of each transport, the other takes and uses it.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use laneway::{
    Address, BoxChannel, Channel, Driver, Endpoint, Receiver, RecvError, Registry, Sender,
    conformance::Numbered, process::Courier,
};
use libtest_mimic::Trial;

use crate::{Meeting, Running, go_to, settle, soon, unique, wait_at};

/// Messages of each trial.
const COUNT: u64 = 500;

/// What is tried at an address.
type Case = fn(&str);

/// What happens to an end, by name.
const CASES: [(&str, Case); 4] = [
    ("receiver_is_passed_on", |address| both(address, "receiver")),
    ("sender_is_passed_on", |address| both(address, "sender")),
    ("giver_is_killed", giver_is_killed),
    ("giver_is_killed_and_nobody_takes", nobody_takes),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in Registry::BUILTIN.drivers() {
        for variant in driver.variants() {
            for named in [false, true] {
                let can = channel(driver, variant, named).capabilities();
                if !(if named { can.named } else { can.anonymous }) {
                    continue;
                }
                for (case, run) in CASES {
                    let place = if named { "named" } else { "anonymous" };
                    let name = format!("{}/{variant}/{place}/{case}", driver.scheme());
                    let driver = *driver;
                    trials.push(Trial::test(name, move || {
                        let channel = channel(&driver, variant, named);
                        run(&channel.address().to_string());
                        if named {
                            assert_nothing_is_left(&channel);
                        }
                        Ok(())
                    }));
                }
            }
        }
    }
    trials
}

fn channel(driver: &Driver, variant: &str, named: bool) -> BoxChannel {
    let name = driver.example_name(&unique("channel")).filter(|_| named);
    let mut address = Address::new(driver.scheme(), name.unwrap_or_default()).expect("a good name");
    for pair in variant.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').expect("key=value");
        address = address.with(key, value);
    }
    driver.channel(&address).expect("a good address")
}

/// The name can be used at once, whoever has been killed, and goes with the last end.
fn assert_nothing_is_left(channel: &BoxChannel) {
    loop {
        settle();
        drop(channel.pair().expect("opens at once"));
        // The kernel closes what was under way in a socket a moment after the socket; until then we are not the last.
        if let Err(gone) = channel.unlink() {
            assert_eq!(gone.kind(), std::io::ErrorKind::NotFound);
            return;
        }
    }
}

fn both(address: &str, end: &str) {
    let meeting = Meeting::new();
    let path = meeting.path().display();
    let taker = Running::start(&format!("sibling take {end} {path}"));
    let giver = Running::start(&format!("sibling give {end} {path} {address}"));
    giver.finish();
    taker.finish();
}

/// The taker gets what was sent, and sees that the sender is gone: nobody else has the end.
fn giver_is_killed(address: &str) {
    let meeting = Meeting::new();
    let mut giver = hold(&meeting, address);
    let mut rx = Courier::new(&giver.socket)
        .take_receiver(soon())
        .expect("takes");
    let numbered = Numbered::within(rx.limits());
    let mut buf = vec![0; numbered.max];
    let len = rx.recv(&mut buf).expect("was sent");
    assert_eq!(numbered.check(&buf[..len]), Some(0));
    giver.kill();
    assert!(matches!(rx.recv(&mut buf), Err(RecvError::Disconnected)));
    // And the place is free for another.
    assert!(rx.is_disconnected());
}

/// What is under way in a socket goes with it.
fn nobody_takes(address: &str) {
    let meeting = Meeting::new();
    let mut giver = hold(&meeting, address);
    giver.kill();
    drop(giver);
}

/// A giver that has given its receiver, sent a message, and stays.
struct Holder {
    running: Option<Running>,
    socket: UnixStream,
}

impl Holder {
    fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }
}

fn hold(meeting: &Meeting, address: &str) -> Holder {
    let path = meeting.path().display();
    let running = Running::start(&format!("sibling hold {path} {address}"));
    let mut socket = go_to(&path.to_string());
    socket.write_all(b"?").expect("asks");
    // It has given and sent once it answers by going on with the other connection.
    let mut up = go_to(&format!("{path}.up"));
    up.read_exact(&mut [0]).expect("answers");
    Holder {
        running: Some(running),
        socket,
    }
}

/// A child's part.
pub(crate) fn play(words: &[&str]) {
    match words {
        ["give", "receiver", path, address] => {
            let (mut tx, rx) = open(address);
            let socket = go_to(path);
            Courier::new(&socket).give(&rx, soon()).expect("gives");
            drop(rx);
            send(&mut tx);
        }
        ["take", "receiver", path] => {
            let mut rx = Courier::new(&wait_at(path))
                .take_receiver(soon())
                .expect("takes");
            receive(&mut rx);
        }
        ["give", "sender", path, address] => {
            let (tx, mut rx) = open(address);
            let socket = go_to(path);
            Courier::new(&socket).give(&tx, soon()).expect("gives");
            drop(tx);
            receive(&mut rx);
        }
        ["take", "sender", path] => {
            let mut tx = Courier::new(&wait_at(path))
                .take_sender(soon())
                .expect("takes");
            send(&mut tx);
        }
        ["hold", path, address] => {
            let (mut tx, rx) = open(address);
            let mut socket = wait_at(path);
            socket.read_exact(&mut [0]).expect("is asked");
            Courier::new(&socket).give(&rx, soon()).expect("gives");
            drop(rx);
            let mut message = Vec::new();
            Numbered::within(tx.limits()).write(0, &mut message);
            tx.send(&message).expect("sends");
            let up = format!("{path}.up");
            let mut answer = wait_at(&up);
            std::fs::remove_file(&up).expect("is ours");
            answer.write_all(b"!").expect("answers");
            loop {
                std::thread::park();
            }
        }
        _ => panic!("no task {words:?}"),
    }
}

fn open(address: &str) -> (laneway::BoxSender, laneway::BoxReceiver) {
    let channel = laneway::channel(address).expect("a good address");
    channel.pair().expect("opens")
}

fn send(tx: &mut impl Sender) {
    let numbered = Numbered::within(tx.limits());
    let mut message = Vec::new();
    for number in 0..COUNT {
        numbered.write(number, &mut message);
        tx.send(&message).expect("sends");
    }
}

fn receive(rx: &mut impl Receiver) {
    let numbered = Numbered::within(rx.limits());
    let mut buf = vec![0; numbered.max];
    let mut number = 0;
    while number < COUNT {
        match rx.recv(&mut buf) {
            Ok(len) => assert_eq!(numbered.check(&buf[..len]), Some(number)),
            // A broadcast's sender waits for nobody, and what was missed is told to the message.
            Err(RecvError::Lagged { missed }) => {
                number += missed;
                continue;
            }
            Err(error) => panic!("after {number}: {error}"),
        }
        number += 1;
    }
    assert!(matches!(rx.recv(&mut buf), Err(RecvError::Disconnected)));
}
