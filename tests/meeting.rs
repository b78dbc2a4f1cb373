//! Waiting for the other side: who has come, sent and gone was there.

use std::{process, thread};

use laneway::{Address, Channel, Deadline, Endpoint, Receiver, Registry, SendError, Sender};

#[test]
fn a_sender_that_is_gone_again_was_met() {
    for driver in Registry::BUILTIN.drivers() {
        for round in 0..10 {
            let unique = format!("laneway-meeting.{}.{round}", process::id());
            let Some(name) = driver.example_name(&unique) else {
                continue;
            };
            let address = Address::new(driver.scheme(), name).expect("a good name");
            let channel = driver.channel(&address).expect("a good address");
            let patience = Deadline::after(std::time::Duration::from_secs(2));
            let message = thread::scope(|scope| {
                let waiting = scope.spawn(|| {
                    let mut rx = channel.receiver_by(patience)?;
                    let message = rx.peek(patience).map(<[u8]>::to_vec);
                    Ok::<_, laneway::OpenError>(message.expect("it was sent"))
                });
                let mut tx = channel.sender_by(Deadline::NEVER).expect("meets");
                tx.send(b"short").expect("sends");
                drop(tx);
                waiting.join().expect("returns")
            });
            match message {
                Ok(message) => assert_eq!(message, b"short"),
                Err(error) => panic!("round {round}: {error}"),
            }
        }
    }
}

/// The sender does nothing while a receiver comes and goes.
#[test]
fn a_receiver_that_came_and_went_between_two_calls_is_noticed() {
    for driver in Registry::BUILTIN.drivers() {
        for &variant in driver.variants() {
            let unique = format!("laneway-visit.{}.{}", process::id(), variant.len());
            let Some(name) = driver.example_name(&unique) else {
                continue;
            };
            let mut address = Address::new(driver.scheme(), name).expect("a good name");
            if let Some((key, value)) = variant.split_once('=') {
                address = address.with(key, value);
            }
            let channel = driver.channel(&address).expect("a good address");
            if !channel.capabilities().gives_each_once() {
                // What was sent before it came is not for it, and nobody is missed.
                continue;
            }
            let mut tx = channel.sender().expect("opens");
            assert!(!tx.is_disconnected(), "{address}: nobody yet is not gone");
            let open = || channel.receiver().expect("opens");
            let early = (!channel.capabilities().holds_early).then(open);
            for _ in 0..3 {
                tx.send(b"early").expect("waits for a receiver");
            }
            assert!(!tx.is_disconnected(), "{address}: nobody is gone");
            let mut rx = early.unwrap_or_else(open);
            assert_eq!(rx.peek(Deadline::NEVER).expect("was sent"), b"early");
            rx.consume();
            drop(rx);
            assert!(tx.is_disconnected(), "{address}: it was there and is gone");
            if channel.capabilities().holds_early {
                assert!(tx.wait_peer(Deadline::NOW).expect("asks"), "{address}");
            }
            let sent = tx.send(b"late");
            assert!(
                matches!(sent, Err(SendError::Disconnected)),
                "{address}: {sent:?}"
            );
        }
    }
}

/// Two queues of one path are made and closed apart, and the path stays as long as one of them does.
#[test]
fn queues_with_two_ids_share_a_path() {
    let path = std::env::temp_dir().join(format!("laneway-ids.{}", process::id()));
    let [one, two] = [1, 2].map(|id| laneway::transport::Sysv::new(&path).id(id));
    let pair = one.pair().expect("opens");
    let mut tx = two.sender().expect("opens");
    drop(pair);
    let mut rx = two.receiver().expect("opens");
    tx.send(b"met").expect("sends");
    assert_eq!(rx.peek(Deadline::NOW).expect("the same queue"), b"met");
    rx.consume();
    drop((tx, rx));
    assert!(!path.exists(), "the last one out removed it");
}
