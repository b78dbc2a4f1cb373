//! Giving an open end to a child, by key.

use std::{
    collections::BTreeSet,
    io,
    os::fd::AsFd,
    process::Command,
    sync::{Mutex, PoisonError},
};

use crate::{
    Address, BoxReceiver, BoxSender, Channel, End, Endpoint, Handoff, OpenError, OpenErrorKind,
    Registry,
    sys::inherit::{self, Object},
};

/// What the variables start with that carry handoffs to a child.
const VARIABLE: &str = "LANEWAY_GIVEN_";

/// Gives `endpoint` to the program that `command` will run, which takes it by the same key.
///
/// From here until `command` is dropped the end counts as open in this process too: drop both the
/// command and, on a channel that takes one handle at this end, the endpoint, once the child runs.
///
/// # Errors
/// No descriptor left to duplicate; [`InvalidInput`](io::ErrorKind::InvalidInput) for a key that is not made of
/// letters, digits, `_`, `-` and `.`.
///
/// ```no_run
/// use std::process::Command;
/// use laneway::{Channel, process::give};
///
/// let (mut tx, rx) = laneway::channel("pipe:")?.pair()?;
/// let mut command = Command::new("worker");
/// give(&mut command, "orders", &rx)?;
/// let child = command.spawn()?;
/// drop((command, rx));
/// // In the worker: laneway::process::inherited_receiver("orders")
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn give(
    command: &mut Command,
    key: &str,
    endpoint: &(impl Endpoint + ?Sized),
) -> io::Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if key.is_empty() || !key.chars().all(allowed) {
        let why = "a key is made of letters, digits, '_', '-' and '.'";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let handoff = endpoint.handoff()?;
    let mut words = vec![word(handoff.end).to_owned()];
    for fd in &handoff.fds {
        let Object { fd, dev, ino } = Object::of(fd.as_fd())?;
        words.push(format!("{fd}:{dev}:{ino}"));
    }
    words.push(handoff.address.to_string());
    command.env(format!("{VARIABLE}{key}"), words.join(" "));
    inherit::keep_open(command, handoff.fds);
    Ok(())
}

/// Takes the sender that the parent gave by this key. Once: a second time is [`OpenErrorKind::Handoff`].
///
/// # Errors
/// [`NotFound`](OpenErrorKind::NotFound) if nothing was given by this key, [`Handoff`](OpenErrorKind::Handoff) if a receiver was, else
/// as for [`Channel::adopt_sender`].
pub fn inherited_sender(key: &str) -> Result<BoxSender, OpenError> {
    let handoff = take_end(key, End::Sender)?;
    channel(&handoff.address)?.adopt_sender(handoff)
}

/// Takes the receiver that the parent gave by this key. Once: a second time is [`OpenErrorKind::Handoff`].
///
/// # Errors
/// As for [`inherited_sender`].
pub fn inherited_receiver(key: &str) -> Result<BoxReceiver, OpenError> {
    let handoff = take_end(key, End::Receiver)?;
    channel(&handoff.address)?.adopt_receiver(handoff)
}

fn channel(address: &Address) -> Result<crate::BoxChannel, OpenError> {
    Registry::BUILTIN
        .channel(address)
        .map_err(|_| OpenError::new(address.clone(), OpenErrorKind::Handoff))
}

/// Takes what was given, if it is this end; the other end stays to be taken.
fn take_end(key: &str, end: End) -> Result<Handoff, OpenError> {
    if given(key)?.split(' ').next() != Some(word(end)) {
        return Err(refused(key, OpenErrorKind::Handoff));
    }
    take(key)
}

fn given(key: &str) -> Result<String, OpenError> {
    let text = std::env::var(format!("{VARIABLE}{key}"));
    text.map_err(|_| refused(key, OpenErrorKind::NotFound))
}

fn refused(key: &str, kind: OpenErrorKind) -> OpenError {
    OpenError::new(Address::of("given", key.as_ref()), kind)
}

const fn word(end: End) -> &'static str {
    match end {
        End::Sender => "sender",
        End::Receiver => "receiver",
    }
}

/// Takes what the parent gave by this key, for a channel that is not in [`Registry::BUILTIN`].
///
/// # Errors
/// As for [`inherited_sender`].
pub fn take(key: &str) -> Result<Handoff, OpenError> {
    static TAKEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

    let text = given(key)?;
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !taken.insert(key.to_owned()) {
        return Err(refused(key, OpenErrorKind::Handoff));
    }
    parse(&text).ok_or_else(|| refused(key, OpenErrorKind::Handoff))
}

/// Reads what `give` wrote, and takes the descriptors, which must name what they named in the parent.
fn parse(text: &str) -> Option<Handoff> {
    let mut words = text.split(' ');
    let end = match words.next()? {
        "sender" => End::Sender,
        "receiver" => End::Receiver,
        _ => return None,
    };
    let address = words.next_back()?.parse().ok()?;
    let mut objects = Vec::new();
    for word in words {
        let mut numbers = word.split(':');
        objects.push(Object {
            fd: numbers.next()?.parse().ok()?,
            dev: numbers.next()?.parse().ok()?,
            ino: numbers.next()?.parse().ok()?,
        });
    }
    let taken: io::Result<Vec<_>> = objects.into_iter().map(inherit::take).collect();
    Some(Handoff {
        address,
        end,
        fds: taken.ok()?,
    })
}
