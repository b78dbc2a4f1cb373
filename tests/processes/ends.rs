//! Ends of channels, given to processes that run an entry.

use laneway::{
    Channel, OpenErrorKind, ReceiverExt, RecvError, Registry, Sender, SenderExt,
    process::{Duplex, Entries, Process, duplex, inherited_receiver, inherited_sender},
};
use libtest_mimic::Trial;

use crate::{life::assert_gone, trial, watch};

pub(crate) fn entries(entries: Entries) -> Entries {
    entries
        .entry("double", |times: u32| double(times))
        .entry("negate", |()| negate())
        .entry("grandparent", |()| grandparent())
        .entry("length", |text: String| {
            let mut tx = inherited_sender("length")
                .expect("given")
                .values()
                .expect("opens");
            tx.send(&text.len()).expect("sends");
        })
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("ends/every_transport_is_given_by_key", every_transport),
        trial("ends/duplex_goes_both_ways", duplex_goes_both_ways),
        trial("ends/large_arguments_arrive", large_arguments),
        trial("ends/what_was_given_is_not_passed_on", not_passed_on),
    ]
}

/// Answers so many numbers.
fn double(times: u32) {
    watch();
    let wrong = inherited_sender("questions").expect_err("a receiver was given");
    assert_eq!(wrong.kind, OpenErrorKind::Handoff);
    let mut questions = inherited_receiver("questions")
        .expect("given")
        .values()
        .expect("opens");
    let mut answers = inherited_sender("answers")
        .expect("given")
        .values()
        .expect("opens");
    for _ in 0..times {
        let number: u64 = questions.recv().expect("comes");
        answers.send(&(2 * number)).expect("sends");
    }
    let again = inherited_receiver("questions").expect_err("taken");
    assert_eq!(again.kind, OpenErrorKind::Handoff);
    let never = inherited_receiver("nothing").expect_err("not given");
    assert_eq!(never.kind, OpenErrorKind::NotFound);
}

fn every_transport() {
    for driver in Registry::BUILTIN.drivers() {
        let address = format!("{}:", driver.scheme());
        let Ok((tx, rx)) = laneway::channel(&address).expect("good").pair() else {
            // It has no channels without a name.
            continue;
        };
        let (back_tx, back) = laneway::channel(&address)
            .expect("good")
            .pair()
            .expect("opens");
        let process = Process::new("double", &100_u32)
            .give("questions", &rx)
            .expect("gives");
        let child = process
            .give("answers", &back_tx)
            .expect("gives")
            .start()
            .expect("starts");
        drop((rx, back_tx));
        let mut tx = tx.values().expect("opens");
        let mut back = back.values::<u64>().expect("opens");
        for number in 0..100_u64 {
            tx.send(&number).expect("sends");
            assert_eq!(back.recv().expect("comes"), 2 * number, "{address}");
        }
        let status = child.join().expect("ends");
        assert!(status.success(), "{address}: {status}");
        assert_gone(&mut back.into_inner());
    }
}

/// Answers until nobody asks.
fn negate() {
    watch();
    let mut parent = Duplex::<i64, String>::inherited("parent").expect("given");
    loop {
        match parent.recv() {
            Ok(number) => {
                let number: i64 = number.parse().expect("a number");
                parent.send(&-number).expect("sends");
            }
            Err(RecvError::Disconnected) => break,
            Err(error) => panic!("{error}"),
        }
    }
}

fn duplex_goes_both_ways() {
    for driver in Registry::BUILTIN.drivers() {
        let address = format!("{}:", driver.scheme());
        let channel = laneway::channel(&address).expect("good");
        if !channel.capabilities().anonymous {
            continue;
        }
        let (mut here, there) = duplex::<String, i64>(&channel).expect("opens");
        let process = Process::new("negate", &())
            .give("parent", &there)
            .expect("gives");
        let child = process.start().expect("starts");
        drop(there);
        for number in 0..100_i64 {
            here.send(&number.to_string()).expect("sends");
            assert_eq!(here.recv().expect("comes"), -number, "{address}");
        }
        assert!(matches!(here.try_recv(), Err(RecvError::Empty)));
        // Closing one way ends the child, which closes the other.
        let (tx, mut rx) = here.split();
        drop(tx);
        assert!(
            matches!(rx.recv(), Err(RecvError::Disconnected)),
            "{address}"
        );
        assert!(child.join().expect("ends").success(), "{address}");
    }
    let named = laneway::channel("shm+mpmc:two-in-one").expect("good");
    let error = duplex::<u8, u8>(&named).expect_err("a name for two");
    assert!(matches!(error.kind, OpenErrorKind::Refused(_)), "{error}");
}

fn large_arguments() {
    let (tx, rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    let text = "x".repeat(3 << 20);
    let process = Process::new("length", &text)
        .give("length", &tx)
        .expect("gives");
    let child = process.start().expect("starts");
    drop(tx);
    let mut rx = rx.values::<usize>().expect("opens");
    assert_eq!(rx.recv().expect("comes"), text.len());
    assert!(child.join().expect("ends").success());
}

/// What a child was given is its own: those it starts do not find it in their environment.
fn not_passed_on() {
    let (tx, mut rx) = laneway::channel("pipe:")
        .expect("good")
        .pair()
        .expect("opens");
    let process = Process::new("grandparent", &())
        .give("length", &tx)
        .expect("gives");
    let child = process.start().expect("starts");
    drop(tx);
    assert_eq!(&*rx.loan().expect("comes"), b"it found nothing");
    assert!(child.join().expect("ends").success());
    assert_gone(&mut rx);
}

fn grandparent() {
    watch();
    let child = Process::new("length", &String::new())
        .start()
        .expect("starts");
    // It was not given anything, and says so by its panic.
    let code = child.join().expect("ends").code();
    let mut tx = inherited_sender("length").expect("given");
    let said: &[u8] = match code {
        Some(101) => b"it found nothing",
        _ => b"it found something",
    };
    tx.send(said).expect("sends");
}
