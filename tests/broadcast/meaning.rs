//! Within one process: where a late one starts, and who may not rely on such a channel.

use std::{process, time::Duration};

use laneway::{
    BoxReceiver, Channel, Deadline, Delivery, Endpoint, OpenErrorKind, Receiver, ReceiverExt,
    RecvError, Registry, Sender, SenderExt,
    measure::{Plan, Session, SessionError, Workload},
    process::{Pipeline, Queue},
    transport::{ShmBroadcast, Start},
};

pub(crate) const CASES: &[(&str, fn())] = &[
    ("a_late_one_starts_as_it_says", late),
    ("a_receiver_goes_on_where_it_was_handed_over", handed_over),
    ("a_typed_one_is_told_too", typed),
    ("nobody_shares_work_over_it", no_work),
    ("one_sender_at_a_time", one_sender),
    ("nonsense_in_the_address", nonsense),
];

fn name(word: &str) -> String {
    format!("laneway-broadcast.{}.{word}", process::id())
}

/// What is there, in words.
fn rest(rx: &mut BoxReceiver) -> String {
    let mut words = Vec::new();
    while let Ok(message) = rx.loan_by(Deadline::NOW) {
        words.push(String::from_utf8(message.to_vec()).expect("text"));
    }
    words.join(" ")
}

fn late() {
    let name = name("late");
    let [now, oldest] = ["now", "oldest"]
        .map(|from| laneway::channel(&format!("shm+broadcast:{name}?from={from}")).expect("good"));
    assert_eq!(now.address().to_string(), format!("shm+broadcast:{name}"));
    let mut tx = now.sender().expect("opens");
    // Nobody has come yet, and nothing waits.
    for word in [b"one", b"two"] {
        tx.send(word).expect("waits for nobody");
    }
    let mut late = now.receiver().expect("opens");
    let mut later = oldest.receiver().expect("opens");
    tx.send(b"three").expect("waits for nobody");
    assert_eq!(rest(&mut late), "three");
    assert_eq!(rest(&mut later), "one two three");
    let typed = ShmBroadcast::new(&name).from(Start::Oldest);
    let rx = typed.receiver().expect("opens");
    assert_eq!(rest(&mut (Box::new(rx) as BoxReceiver)), "one two three");
    // Also what a sender left that is gone, as long as somebody has the channel open.
    drop(tx);
    let mut latest = oldest.receiver().expect("opens");
    assert_eq!(rest(&mut latest), "one two three");
    let end = latest.recv(&mut [0; 8]);
    assert!(matches!(end, Err(RecvError::Disconnected)), "{end:?}");
}

fn handed_over() {
    let channel = laneway::channel("shm+broadcast:?capacity=4KiB").expect("good");
    let (mut tx, mut rx) = channel.pair().expect("opens");
    for number in 0..5_u64 {
        tx.send(&number.to_le_bytes()).expect("sends");
    }
    let mut buf = [0; 8];
    rx.recv(&mut buf).expect("0");
    rx.peek(Deadline::NOW).expect("1");
    let handoff = rx.handoff().expect("hands over");
    drop(rx);
    for number in 5..1000_u64 {
        tx.send(&number.to_le_bytes()).expect("sends");
    }
    let mut rx = channel.adopt_receiver(handoff).expect("adopts");
    // What was peeked was not finished. It is gone by now, and that is told exactly.
    let missed = match rx.recv(&mut buf) {
        Err(RecvError::Lagged { missed }) => missed,
        other => panic!("{other:?}"),
    };
    rx.recv(&mut buf).expect("the oldest");
    assert_eq!(u64::from_le_bytes(buf), 1 + missed);
}

fn typed() {
    let channel = laneway::channel("shm+broadcast:?capacity=4KiB").expect("good");
    let (tx, rx) = channel.pair().expect("opens");
    let mut tx = tx.pod::<[u64; 4]>().expect("agrees");
    let mut rx = rx.pod::<[u64; 4]>().expect("agrees");
    for number in 0..1000 {
        tx.send(&[number; 4]).expect("sends");
    }
    let mut next = match rx.recv() {
        Err(RecvError::Lagged { missed }) => missed,
        other => panic!("{other:?}"),
    };
    while let Ok(value) = rx.try_recv() {
        assert_eq!(value, [next; 4]);
        next += 1;
    }
    assert_eq!(next, 1000);
}

fn no_work() {
    let channel = laneway::channel("shm+broadcast:").expect("good");
    let can = channel.capabilities();
    assert_eq!((can.delivery, can.lossy), (Delivery::Each, true));
    assert!(!can.gives_each_once());
    let queue = Queue::<Vec<u8>>::over(&channel).expect_err("items would come many times");
    assert_eq!(queue.kind, OpenErrorKind::Lossy);
    assert!(queue.to_string().contains("shm+mpmc:"), "{queue}");
    let linked = Pipeline::new().link("shm+broadcast:");
    assert!(linked.stage("any", 1).start().is_err());
    let plan = Plan::new(1, Duration::from_millis(1));
    let address = channel.address();
    let session = Session::start(&Registry::BUILTIN, &address, &Workload::new(64), &plan);
    assert!(matches!(session, Err(SessionError::Lossy)), "{session:?}");
}

fn one_sender() {
    let channel = laneway::channel(&format!("shm+broadcast:{}", name("one"))).expect("good");
    let (mut tx, mut rx) = channel.pair().expect("opens");
    assert_eq!(
        channel.sender().expect_err("taken").kind,
        OpenErrorKind::Busy
    );
    let _more = [(); 20].map(|()| channel.receiver().expect("any number"));
    tx.send(b"first").expect("sends");
    drop(tx);
    let mut tx = channel.sender().expect("free");
    tx.send(b"second").expect("sends");
    assert_eq!(rest(&mut rx), "first second");
}

fn nonsense() {
    for from in [
        "",
        "never",
        "1@",
        "@1",
        "1@2@3",
        "-1@8",
        "99999999999999999999@1",
    ] {
        let address = format!("shm+broadcast:?from={from}");
        let error = laneway::channel(&address).expect_err("is none").to_string();
        assert!(error.contains("oldest"), "{error}");
    }
    // A place that no receiver ever had is met as such.
    for place in [
        "7@8",
        "0@16",
        "1@0",
        "18446744073709551615@18446744073709551608",
    ] {
        let channel = laneway::channel(&format!("shm+broadcast:?capacity=4KiB&from={place}"));
        let (mut tx, mut rx) = channel.expect("good").pair().expect("opens");
        for _ in 0..200 {
            tx.send(b"a message").expect("sends");
        }
        let wrong = rx.try_recv(&mut [0; 16]);
        let told = matches!(wrong, Err(RecvError::Corrupt | RecvError::Lagged { .. }));
        assert!(told, "{place}: {wrong:?}");
    }
    assert!(laneway::channel("shm+broadcast:?overflow=fail").is_err());
}
