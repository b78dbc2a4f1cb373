//! Opening a channel that must not open.

use laneway::{AddressError, BoxChannel, Channel, OpenError, OpenErrorKind, Receiver, Sender};

use crate::private::snapshot::Snapshot;

/// One way of opening.
type Way<C> = (&'static str, fn(&C) -> Result<(), OpenError>);

fn ways<C: Channel>() -> [Way<C>; 3] {
    [
        ("pair", |channel| channel.pair().map(drop)),
        ("sender", |channel| channel.sender().map(drop)),
        ("receiver", |channel| channel.receiver().map(drop)),
    ]
}

/// The errors of every way of opening a channel with a name; nothing must come, go or change.
pub(crate) fn refused<C: Channel>(channel: &C) -> Vec<OpenError> {
    let mut errors = Vec::new();
    for (way, open) in ways::<C>() {
        let before = Snapshot::take();
        let error = open(channel).expect_err(way);
        before.assert_same(way);
        errors.push(error);
    }
    errors
}

/// The error of opening a pair; nothing must come, go or change.
pub(crate) fn pair_refused<C: Channel>(channel: &C) -> OpenError {
    let before = Snapshot::take();
    let error = channel.pair().map(drop).expect_err("pair");
    before.assert_same("pair");
    error
}

/// Panics unless every way of opening gives this kind of error, with a message that has all of `words`.
pub(crate) fn assert_refused<C: Channel>(channel: &C, kind: OpenErrorKind, words: &[&str]) {
    for error in refused(channel) {
        assert_eq!(error.kind, kind, "{error}");
        assert_says(&error.to_string(), words);
        assert_eq!(error.address, channel.address(), "tells which channel");
    }
}

/// Panics unless `message` has all of `words`.
pub(crate) fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    }
}

/// The channel at a good address.
pub(crate) fn channel(address: &str) -> BoxChannel {
    laneway::channel(address).expect("a good address")
}

/// What is wrong with an address.
pub(crate) fn wrong(address: &str) -> AddressError {
    laneway::channel(address).expect_err(address)
}

/// Panics unless a message goes through.
pub(crate) fn assert_alive(tx: &mut impl Sender, rx: &mut impl Receiver) {
    tx.try_send(b"alive").expect("sends");
    let mut buf = [0; 8];
    let len = rx.try_recv(&mut buf).expect("receives");
    assert_eq!(buf.get(..len), Some(b"alive".as_slice()));
}

/// Opens `address` in every way, and prints the kinds of the errors and what they say.
#[expect(clippy::print_stdout, reason = "the answer to the parent")]
pub(crate) fn tell(address: &str) {
    let channel = channel(address);
    let errors = if channel.address().is_anonymous() {
        vec![pair_refused(&channel)]
    } else {
        refused(&channel)
    };
    for error in errors {
        println!("{:?}\t{error}", error.kind);
    }
}
