//! Openers that come and go must not take a name from those who stay: whoever opens later meets them.

use std::{process, sync::OnceLock, thread};

use laneway::{
    Address, BoxChannel, Channel, Deadline, OpenErrorKind, Receiver, Registry, Sender,
    transport::Sysv,
};

/// A channel under a name of its own.
fn channel(driver: &laneway::Driver, word: &str) -> Option<BoxChannel> {
    let unique = format!("laneway-churn.{}.{word}.{}", process::id(), driver.scheme());
    let address = Address::new(driver.scheme(), driver.example_name(&unique)?).ok()?;
    driver.channel(&address).ok()
}

/// Ends those who come and go with the one who stays, also when it fails: the scope waits for them before it lets a
/// failure be seen.
struct Done<'a>(&'a OnceLock<()>);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.set(()).expect("once");
    }
}

/// Opens as `who_stays` for a while beside three who come and go as `others`.
fn meets(who_stays: &BoxChannel, others: &BoxChannel) {
    let name = who_stays.address();
    let done = OnceLock::new();
    thread::scope(|scope| {
        let _done = Done(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                while done.get().is_none() {
                    // Busy while the one who stays has the only place.
                    drop(others.sender());
                }
            });
        }
        for round in 0..300_u32 {
            let mut tx = loop {
                match who_stays.sender() {
                    Ok(tx) => break tx,
                    Err(error) if error.kind == OpenErrorKind::Busy => {}
                    Err(error) => panic!("{name} in round {round}: {error}"),
                }
            };
            let mut rx = who_stays.receiver().expect("joins the one who stays");
            tx.send(&round.to_le_bytes()).expect("sends");
            let deadline = Deadline::after(std::time::Duration::from_secs(5));
            let message = rx.peek(deadline).map(<[u8]>::to_vec);
            let message =
                message.unwrap_or_else(|error| panic!("{name} in round {round}: {error}"));
            assert_eq!(message, round.to_le_bytes(), "{name}");
            rx.consume();
        }
    });
    assert!(
        who_stays.unlink().is_err(),
        "{name}: the last one out removed it"
    );
}

#[test]
fn who_stays_is_met() {
    for driver in Registry::BUILTIN.drivers() {
        if let Some(channel) = channel(driver, "stays") {
            meets(&channel, &channel);
        }
    }
}

#[test]
fn who_fails_takes_no_path() {
    let path = std::env::temp_dir().join(format!("laneway-churn.{}.fails", process::id()));
    // A queue of no bytes is refused, whether there is one or not.
    let [good, bad] = [Sysv::new(&path), Sysv::new(&path).capacity(0)];
    assert!(bad.sender().is_err());
    assert!(!path.exists(), "who failed alone left nothing");
    meets(&good.boxed(), &bad.boxed());
    assert!(!path.exists(), "the last one out removed it");
}
