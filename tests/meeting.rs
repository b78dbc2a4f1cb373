//! Waiting for the other side: who has come, sent and gone was there.

use std::{process, thread};

use laneway::{Address, Channel, Deadline, Receiver, Registry, Sender};

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
