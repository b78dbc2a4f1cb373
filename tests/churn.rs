//! Openers that come and go must not take a name from those who stay: whoever opens later meets them.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use laneway::{Address, BoxChannel, Channel, Deadline, OpenErrorKind, Receiver, Registry, Sender};

/// A channel under a name of its own.
fn channel(driver: &laneway::Driver, word: &str) -> Option<BoxChannel> {
    let unique = format!("laneway-churn.{}.{word}.{}", process::id(), driver.scheme());
    let address = Address::new(driver.scheme(), driver.example_name(&unique)?).ok()?;
    driver.channel(&address).ok()
}

/// Ends those who come and go with the one who stays, also when it fails: the scope waits for them before it lets a
/// failure be seen.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_stays_is_met() {
    for driver in Registry::BUILTIN.drivers() {
        let Some(channel) = channel(driver, "stays") else {
            continue;
        };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        // Busy while the one who stays has the only place.
                        drop(channel.sender());
                    }
                });
            }
            let _done = Done(&done);
            for round in 0..300_u32 {
                let mut tx = loop {
                    match channel.sender() {
                        Ok(tx) => break tx,
                        Err(error) if error.kind == OpenErrorKind::Busy => {}
                        Err(error) => panic!("{} in round {round}: {error}", driver.scheme()),
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
        });
        assert!(
            channel.unlink().is_err(),
            "{}: the last one out removed it",
            driver.scheme()
        );
    }
}
