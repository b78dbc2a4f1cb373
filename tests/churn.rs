//! Openers that come and go must not take a name from those who stay: whoever opens later meets them.

use std::{process, sync::OnceLock, thread};

use laneway::{Address, BoxChannel, Channel, Deadline, OpenErrorKind, Receiver, Registry, Sender};

/// A channel under a name of its own.
fn channel(driver: &laneway::Driver, word: &str) -> Option<BoxChannel> {
    let unique = format!("laneway-churn.{}.{word}.{}", process::id(), driver.scheme());
    let address = Address::new(driver.scheme(), driver.example_name(&unique)?).ok()?;
    driver.channel(&address).ok()
}

#[test]
fn who_stays_is_met() {
    for driver in Registry::BUILTIN.drivers() {
        let Some(channel) = channel(driver, "stays") else {
            continue;
        };
        let done = OnceLock::new();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while done.get().is_none() {
                        // Busy while the one who stays has the only place.
                        drop(channel.sender());
                    }
                });
            }
            for round in 0..300_u32 {
                let mut tx = loop {
                    match channel.sender() {
                        Ok(tx) => break tx,
                        Err(error) if error.kind == OpenErrorKind::Busy => {}
                        Err(error) => panic!("round {round}: {error}"),
                    }
                };
                let mut rx = channel.receiver().expect("joins the one who stays");
                tx.send(&round.to_le_bytes()).expect("sends");
                let deadline = Deadline::after(std::time::Duration::from_secs(5));
                let message = rx.peek(deadline).map(<[u8]>::to_vec);
                let name = driver.scheme();
                assert_eq!(message.expect(name), round.to_le_bytes(), "{name}");
                rx.consume();
            }
            done.set(()).expect("once");
        });
        assert!(
            channel.unlink().is_err(),
            "{}: the last one out removed it",
            driver.scheme()
        );
    }
}
