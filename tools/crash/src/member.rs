//! Those who are killed: what a sending and a receiving process does, until it is told to end or cannot.

use std::{io, thread, time::Duration};

use laneway::{
    BoxChannel, BoxReceiver, BoxSender, Channel, Deadline, Endpoint, OpenErrorKind, Receiver,
    RecvError, SendError, Sender, crash_points,
    process::{inherited_receiver, inherited_sender},
};

use crate::{
    chance::Chance,
    ledger::{DRAIN, Page, STOP, Stage},
    message::{self, LEAST},
    points::Armed,
};

/// The key by which a member is given its end, if that has no name.
pub(crate) const KEY: &str = "end";
/// How long to wait for a new peer before asking whether it is over.
const PATIENCE: Duration = Duration::from_millis(2);
/// The longest pause.
const PAUSE: Duration = Duration::from_millis(1);

/// How a receiver takes messages, and when it writes them down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    /// Peeks, writes down, consumes.
    Peek,
    /// Receives, writes down.
    Receive,
    /// Drains so many at once, and writes each down as it is given.
    Drain(usize),
    /// Drains so many at once, then writes them down.
    DrainFirst(usize),
}

/// What a member is told when it is started.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) id: u32,
    pub(crate) page: Page,
    pub(crate) seed: u64,
    /// The channel, if it has a name to open it by.
    pub(crate) address: Option<laneway::Address>,
    /// The longest message to send.
    pub(crate) longest: usize,
    /// Whether all messages are that long.
    pub(crate) alike: bool,
    pub(crate) taking: Taking,
    /// Whether a stream may turn out to be cut.
    pub(crate) may_be_torn: bool,
    /// The order at which it does nothing any more.
    pub(crate) holds: u64,
    /// Where to die.
    pub(crate) armed: Option<Armed>,
}

/// Why a member ended otherwise than it should.
enum Wrong {
    Torn(String),
    Met(String),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Met(error.to_string())
    }
}

impl Part {
    fn channel(&self) -> Option<BoxChannel> {
        let address = self.address.as_ref()?;
        laneway::Registry::BUILTIN.channel(address).ok()
    }

    /// Opens the end, by name or as it was given. The place of one that was just killed is free.
    fn open<T>(
        &self,
        by_name: impl Fn(&BoxChannel) -> Result<T, laneway::OpenError>,
        given: impl Fn() -> Result<T, laneway::OpenError>,
    ) -> Result<T, Wrong> {
        let opened = match self.channel() {
            Some(channel) => by_name(&channel),
            None => given(),
        };
        opened.map_err(|error| match error.kind {
            OpenErrorKind::Corrupt if self.may_be_torn => Wrong::Torn(error.to_string()),
            _ => Wrong::Met(format!("opening: {error}")),
        })
    }

    fn arm(&self) {
        if let Some(Armed { point, nth, stops }) = self.armed {
            let known = match stops {
                true => crash_points::stop_at(point, nth),
                false => crash_points::die_at(point, nth),
            };
            assert!(known, "{point}");
        }
    }

    /// Has this process die at a point that comes when an end is closed, if that is wanted.
    fn arm_for_the_end(&self) -> Result<(), Wrong> {
        let place = self.page.armed()?.checked_sub(1);
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(point) = place.and_then(|place| crash_points::points().get(place)) {
            crash_points::die_at(point, 1);
        }
        Ok(())
    }

    /// Does nothing, if its side shall.
    fn hold(&self) -> Result<(), Wrong> {
        while self.page.orders()? & self.holds != 0 {
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn end(&self, result: Result<(), Wrong>) {
        let told = match result {
            Ok(()) => self.page.set_stage(Stage::Done),
            Err(Wrong::Torn(text)) => self.page.say(Stage::Torn, &text),
            Err(Wrong::Met(text)) => self.page.say(Stage::Wrong, &text),
        };
        told.expect("writes to memory");
    }

    /// Sends until it is told to stop.
    pub(crate) fn send(self) {
        self.arm();
        let result = self.open(|channel| channel.sender(), || inherited_sender(KEY));
        let result = result.and_then(|mut tx| {
            self.send_by(&mut tx)?;
            self.arm_for_the_end()
        });
        self.end(result);
    }

    /// Receives until every sender is gone, and that is for good.
    pub(crate) fn receive(mut self) {
        self.arm();
        let result = self.open(|channel| channel.receiver(), || inherited_receiver(KEY));
        let result = result.and_then(|mut rx| {
            self.receive_by(&mut rx)?;
            self.arm_for_the_end()
        });
        self.end(result);
    }

    /// Receives one after another and does nothing else, until every sender is gone.
    pub(crate) fn receive_patiently(mut self) {
        let result = self.open(|channel| channel.receiver(), || inherited_receiver(KEY));
        let result = result.and_then(|mut rx| {
            let mut buf = vec![0; rx.limits().max_message];
            loop {
                match rx.recv(&mut buf) {
                    Ok(len) => self.log(buf.get(..len).and_then(message::read))?,
                    Err(RecvError::Disconnected) if self.page.orders()? & DRAIN != 0 => {
                        return Ok(());
                    }
                    Err(error) => return Err(Wrong::Met(format!("receiving: {error}"))),
                }
            }
        });
        self.end(result);
    }

    fn send_by(&self, tx: &mut BoxSender) -> Result<(), Wrong> {
        let mut chance = Chance::new(self.seed);
        let longest = self.longest.min(tx.limits().max_message);
        let mut sent = 0;
        self.page.set_stage(Stage::Open)?;
        while self.page.orders()? & STOP == 0 {
            let burst = 1 + chance.below(32);
            let together = chance.one_in(4);
            // How many sends go by before the last one is written down.
            let stride = chance.of(&[1, 1, 4, 16]).unwrap_or(1);
            let mut left = burst;
            while left > 0 {
                let count = stride.min(left);
                self.page.begin(sent + count)?;
                let messages: Vec<Vec<u8>> = (1..=count)
                    .map(|more| {
                        let spread = (longest - LEAST + 1) as u64;
                        let shorter = if self.alike { 0 } else { chance.below(spread) };
                        let mut message = vec![0; longest - usize::try_from(shorter).unwrap_or(0)];
                        message::write(self.id, sent + more, &mut message);
                        message
                    })
                    .collect();
                let all = send(tx, &messages, together, &mut chance, |gone| {
                    sent += gone;
                    self.page.returned(sent)
                });
                match all {
                    Ok(()) => {}
                    Err(Some(SendError::Disconnected)) => {
                        // Those who receive may come again, unless it is over.
                        if self.page.orders()? & DRAIN != 0 {
                            return Ok(());
                        }
                        let _ = tx.wait_peer(Deadline::after(PATIENCE));
                        thread::sleep(chance.time(PAUSE / 4));
                    }
                    Err(Some(SendError::Full)) => {}
                    Err(Some(error)) => return Err(Wrong::Met(format!("sending: {error}"))),
                    Err(None) => return Err(Wrong::Met("writes to memory".to_owned())),
                }
                if self.page.orders()? & STOP != 0 {
                    return Ok(());
                }
                left -= count;
            }
            if chance.one_in(8) {
                thread::sleep(chance.time(PAUSE));
            }
            self.hold()?;
        }
        Ok(())
    }

    fn receive_by(&mut self, rx: &mut BoxReceiver) -> Result<(), Wrong> {
        let mut chance = Chance::new(self.seed);
        self.page.set_stage(Stage::Open)?;
        let mut buf = vec![0; rx.limits().max_message.max(64 << 10)];
        let mut last = Vec::new();
        loop {
            let deadline = if chance.one_in(4) {
                Deadline::after(chance.time(PAUSE * 2))
            } else {
                Deadline::NEVER
            };
            let result = match self.taking {
                Taking::Peek => match rx.peek(deadline) {
                    Ok(message) => {
                        let read = message::read(message);
                        if chance.one_in(32) {
                            thread::sleep(chance.time(PAUSE / 4));
                        }
                        self.log(read)?;
                        rx.consume();
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Taking::Receive => match rx.recv_by(&mut buf, deadline) {
                    Ok(len) => {
                        self.log(buf.get(..len).and_then(message::read))?;
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Taking::Drain(max) => {
                    let mut logged = Ok(());
                    let drained = rx.drain_by(max, deadline, &mut |message| {
                        if logged.is_ok() {
                            logged = self.log(message::read(message));
                        }
                    });
                    logged?;
                    drained.map(drop)
                }
                Taking::DrainFirst(max) => {
                    last.clear();
                    let drained = rx.drain_by(max, deadline, &mut |message| {
                        last.push(message::read(message))
                    });
                    for read in &last {
                        self.log(*read)?;
                    }
                    drained.map(drop)
                }
            };
            match result {
                Ok(()) | Err(RecvError::Empty) => {}
                Err(RecvError::Disconnected) => {
                    if self.page.orders()? & DRAIN != 0 {
                        return Ok(());
                    }
                    let _ = rx.wait_peer(Deadline::after(PATIENCE));
                    thread::sleep(chance.time(PAUSE / 4));
                }
                Err(RecvError::Corrupt) if self.may_be_torn => {
                    return Err(Wrong::Torn("a frame is cut".to_owned()));
                }
                Err(error) => return Err(Wrong::Met(format!("receiving: {error}"))),
            }
            if chance.one_in(64) {
                // So that the channel fills up.
                thread::sleep(chance.time(PAUSE));
                self.hold()?;
            }
        }
    }

    fn log(&mut self, read: Option<(u32, u64)>) -> Result<(), Wrong> {
        match read {
            Some((sender, number)) => Ok(self.page.received(sender, number)?),
            None if self.may_be_torn => Err(Wrong::Torn("not a message".to_owned())),
            None => Err(Wrong::Met("a message is corrupt".to_owned())),
        }
    }
}

/// Sends these in one of the ways there are, and tells how many have gone, whenever some have.
fn send(
    tx: &mut BoxSender,
    messages: &[Vec<u8>],
    together: bool,
    chance: &mut Chance,
    mut gone: impl FnMut(u64) -> io::Result<()>,
) -> Result<(), Option<SendError>> {
    let mut sent = 0;
    if together {
        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        while let Some(rest) = slices.get(sent..).filter(|rest| !rest.is_empty()) {
            let count = tx.send_batch_by(rest, Deadline::NEVER).map_err(Some)?;
            sent += count;
            gone(count as u64).map_err(|_| None)?;
        }
        return Ok(());
    }
    // Written down once for all, so that most of the time goes by in the library.
    let mut result = Ok(());
    for message in messages {
        let deadline = match chance.below(8) {
            0 => Deadline::NOW,
            1 => Deadline::after(chance.time(PAUSE)),
            _ => Deadline::NEVER,
        };
        result = if chance.one_in(4) {
            tx.reserve(message.len(), deadline)
                .map(|room| room.copy_from_slice(message))
                .and_then(|()| tx.commit(message.len()))
        } else {
            tx.send_by(message, deadline)
        };
        if result.is_err() {
            tx.abort();
            break;
        }
        sent += 1;
    }
    gone(sent as u64).map_err(|_| None)?;
    result.map_err(Some)
}
