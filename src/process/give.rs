//! Giving an open end to a child, by key.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, io,
    os::fd::AsFd,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    Address, BoxChannel, BoxReceiver, BoxSender, Channel, End, Endpoint, Handoff, OpenError,
    OpenErrorKind, Receiver, Registry, Sender,
    sys::inherit::{self, Object},
    typed::{Value, ValueReceiver, ValueSender},
};

/// What the variables start with that carry handoffs to a child.
const VARIABLE: &str = "LANEWAY_GIVEN_";

/// What can be given to a child by key: an end of a channel, or what is made of several.
pub trait Give {
    /// The handoffs it consists of, each with a word that tells it from the others; the word is empty if it is one.
    ///
    /// # Errors
    /// No descriptor left to duplicate.
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>>;
}

impl<E: Endpoint + ?Sized> Give for E {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        Ok(vec![("", self.handoff()?)])
    }
}

impl<T: Value, S: Sender> Give for ValueSender<T, S> {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        self.get_ref().handoffs()
    }
}

impl<T: Value, R: Receiver> Give for ValueReceiver<T, R> {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        self.get_ref().handoffs()
    }
}

/// Gives `what` to the program that `command` will run, which takes it by the same key.
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
pub fn give(command: &mut Command, key: &str, what: &(impl Give + ?Sized)) -> io::Result<()> {
    for (key, handoff) in keyed(key, what)? {
        pass(command, &key, handoff)?;
    }
    Ok(())
}

/// What `what` consists of, each by a key of its own.
pub(super) fn keyed(key: &str, what: &(impl Give + ?Sized)) -> io::Result<Vec<(String, Handoff)>> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if key.is_empty() || !key.chars().all(allowed) {
        let why = "a key is made of letters, digits, '_', '-' and '.'";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let handoffs = what.handoffs()?.into_iter();
    Ok(handoffs
        .map(|(part, handoff)| (part_key(key, part), handoff))
        .collect())
}

/// The key of a part. No key of a user's holds a slash.
fn part_key(key: &str, part: &str) -> String {
    match part {
        "" => key.to_owned(),
        part => format!("{key}/{part}"),
    }
}

/// Passes a handoff to the program that `command` will run.
pub(super) fn pass(command: &mut Command, key: &str, handoff: Handoff) -> io::Result<()> {
    let mut words = vec![word(handoff.end).to_owned()];
    for fd in &handoff.fds {
        words.push(Object::of(fd.as_fd())?.to_string());
    }
    words.push(handoff.address.to_string());
    command.env(format!("{VARIABLE}{key}"), words.join(" "));
    inherit::keep_open(command, handoff.fds);
    Ok(())
}

/// Keeps from the program that `command` will run what was given to this one.
pub(super) fn withhold(command: &mut Command) {
    for (key, _) in env::vars_os() {
        if key.to_string_lossy().starts_with(VARIABLE) {
            command.env_remove(key);
        }
    }
}

/// What was given to this process.
enum Given {
    /// By a parent that ran this program. The words are in the environment; here are the keys that were taken.
    Run(BTreeSet<String>),
    /// By a fork. `None` once taken. The environment is the parent's own, and not looked at.
    Forked(BTreeMap<String, Option<Handoff>>),
}

static GIVEN: Mutex<Given> = Mutex::new(Given::Run(BTreeSet::new()));

fn all_given() -> MutexGuard<'static, Given> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what a fork gave to this process.
pub(super) fn receive(handoffs: Vec<(String, Handoff)>) {
    let handoffs = handoffs.into_iter();
    *all_given() = Given::Forked(
        handoffs
            .map(|(key, handoff)| (key, Some(handoff)))
            .collect(),
    );
}

/// Takes the sender that the parent gave by this key. Once: a second time is [`OpenErrorKind::Handoff`].
///
/// # Errors
/// [`NotFound`](OpenErrorKind::NotFound) if nothing was given by this key, [`Handoff`](OpenErrorKind::Handoff) if a receiver was, else
/// as for [`Channel::adopt_sender`].
pub fn inherited_sender(key: &str) -> Result<BoxSender, OpenError> {
    part_sender(key, "")
}

/// Takes the receiver that the parent gave by this key. Once: a second time is [`OpenErrorKind::Handoff`].
///
/// # Errors
/// As for [`inherited_sender`].
pub fn inherited_receiver(key: &str) -> Result<BoxReceiver, OpenError> {
    part_receiver(key, "")
}

/// Takes the sender that is this part of what was given.
pub(super) fn part_sender(key: &str, part: &str) -> Result<BoxSender, OpenError> {
    let handoff = take_end(&part_key(key, part), End::Sender)?;
    channel(&handoff.address)?.adopt_sender(handoff)
}

/// Takes the receiver that is this part of what was given.
pub(super) fn part_receiver(key: &str, part: &str) -> Result<BoxReceiver, OpenError> {
    let handoff = take_end(&part_key(key, part), End::Receiver)?;
    channel(&handoff.address)?.adopt_receiver(handoff)
}

/// Takes the handoff that is this part of what was given.
pub(super) fn part(key: &str, part: &str) -> Result<Handoff, OpenError> {
    take(&part_key(key, part))
}

/// The channel of a handoff.
pub(super) fn channel(address: &Address) -> Result<BoxChannel, OpenError> {
    Registry::BUILTIN
        .channel(address)
        .map_err(|_| OpenError::new(address.clone(), OpenErrorKind::Handoff))
}

/// Takes what was given, if it is this end; the other end stays to be taken.
fn take_end(key: &str, end: End) -> Result<Handoff, OpenError> {
    let found = match &*all_given() {
        Given::Run(_) => end_of(given(key)?.split(' ').next().unwrap_or_default()),
        // One that was taken has no end any more.
        Given::Forked(all) => match all.get(key) {
            Some(handoff) => handoff.as_ref().map(|handoff| handoff.end),
            None => return Err(refused(key, OpenErrorKind::NotFound)),
        },
    };
    if found != Some(end) {
        return Err(refused(key, OpenErrorKind::Handoff));
    }
    take(key)
}

fn given(key: &str) -> Result<String, OpenError> {
    let text = env::var(format!("{VARIABLE}{key}"));
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

fn end_of(word: &str) -> Option<End> {
    [End::Sender, End::Receiver]
        .into_iter()
        .find(|&end| self::word(end) == word)
}

/// Takes what the parent gave by this key, for a channel that is not in [`Registry::BUILTIN`].
///
/// # Errors
/// As for [`inherited_sender`].
pub fn take(key: &str) -> Result<Handoff, OpenError> {
    let wrong = || refused(key, OpenErrorKind::Handoff);
    match &mut *all_given() {
        Given::Run(taken) => {
            let text = given(key)?;
            if !taken.insert(key.to_owned()) {
                return Err(wrong());
            }
            parse(&text).ok_or_else(wrong)
        }
        Given::Forked(all) => match all.get_mut(key) {
            Some(handoff) => handoff.take().ok_or_else(wrong),
            None => Err(refused(key, OpenErrorKind::NotFound)),
        },
    }
}

/// Reads what `pass` wrote, and takes the descriptors, which must name what they named in the parent.
fn parse(text: &str) -> Option<Handoff> {
    let mut words = text.split(' ');
    let end = end_of(words.next()?)?;
    let address = words.next_back()?.parse().ok()?;
    let objects: io::Result<Vec<Object>> = words.map(str::parse).collect();
    let taken: io::Result<Vec<_>> = objects.ok()?.into_iter().map(inherit::take).collect();
    Some(Handoff {
        address,
        end,
        fds: taken.ok()?,
    })
}
