//! `laneway send`: a file into a channel.

use std::{path::PathBuf, time::Duration};

use clap::{CommandFactory, error::ErrorKind};
use laneway::{
    Address, BoxSender, Deadline, Depth, End, Endpoint, Limits, Registry, SendError, Sender,
};

use crate::{
    exit::{self, Failure},
    framing::{Framed, Framing},
    input::{Bad, Cut, Input},
    named,
    opening::Opening,
    source::Source,
    stop::Stop,
    units,
};

/// The most that a block has if no size is given.
const BLOCK: usize = 64 << 10;
/// The same where it is read into the channel itself: each is a system call.
const LENT: usize = 128 << 10;
/// The same in a pipe: with its frame within PIPE_BUF, so that there is room for it as soon as the pipe has any.
const PIPED: usize = 4080;

const EXAMPLES: &str = "\
Examples:
  echo hello | laneway send fifo:/tmp/x
  laneway send --raw shm+spsc:photos photo.jpg
  tail -f /var/log/syslog | laneway send 'sysv:/tmp/log?id=7'
  laneway send --framing len shm:records < records.bin
  laneway send pipe: notes.txt | laneway recv pipe:

Either side may start first. At the end of its input this one closes; the
receiver takes what is left, and ends too. A last line needs no newline. With
--framing len each message has its length in front, 4 bytes, the lowest first.";

/// Send a file or standard input, a line a message, once a receiver is there
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::CODES))]
pub(crate) struct Arguments {
    #[arg(help = named::FORM)]
    address: String,
    /// What to send; - is standard input [default: -]
    file: Option<PathBuf>,
    #[command(flatten)]
    framed: Framed,
    /// Bytes of a block with --raw, as in 4096 or 4KiB [default: what has come, as much as goes well]
    #[arg(long, value_parser = units::size)]
    size: Option<usize>,
    /// Give up if it does not open, or no receiver has come, for so long [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = units::seconds)]
    timeout: Option<Duration>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let framing = arguments.framed.framing();
    if arguments.size.is_some() && framing != Framing::Raw {
        let why = "--size goes with --raw";
        let mut command = crate::Arguments::command();
        command.error(ErrorKind::ArgumentConflict, why).exit();
    }
    let stop = Stop::catch()?;
    let opening = Opening::new(&arguments.address, End::Sender)?;
    let source = Source::open(arguments.file.as_deref())?;
    let mut outlet = Outlet {
        address: opening.address(),
        sender: opening.sender(arguments.timeout, &stop)?,
        sent: 0,
        stop: &stop,
    };
    let max = outlet.sender.limits().max_message;
    if let Some(size) = arguments.size.filter(|size| *size > max) {
        let address = outlet.address;
        return Err(Failure::Block { address, size, max });
    }
    if !opening.is_inherited() {
        outlet.await_receiver(arguments.timeout)?;
    }
    let block = max.min(match outlet.address.scheme() {
        "pipe" | "fifo" => PIPED,
        _ if opening.lends() => LENT,
        _ => BLOCK,
    });
    let cut = match framing {
        Framing::Lines => Cut::Lines { max },
        Framing::Len => Cut::Lengths { max },
        Framing::Raw => match arguments.size {
            Some(size) => Cut::Blocks(size),
            None if opening.lends() => return outlet.read_in_place(&source, block),
            None => Cut::Chunks(block),
        },
    };
    let mut input = Input::new(source, cut);
    loop {
        match input.next(&stop)? {
            Ok(messages) if messages.is_empty() => return outlet.finish(),
            Ok(messages) => outlet.send(&messages)?,
            Err(bad) => return Err(outlet.bad(bad)),
        }
    }
}

/// The sending end, and what has gone through it.
struct Outlet<'a> {
    address: Address,
    sender: BoxSender,
    sent: u64,
    stop: &'a Stop,
}

impl Outlet<'_> {
    fn await_receiver(&mut self, timeout: Option<Duration>) -> Result<(), Failure> {
        let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
        loop {
            let there = self.sender.wait_peer(Stop::slice(deadline));
            let there = there.map_err(|error| Failure::Channel {
                address: self.address.clone(),
                error,
            })?;
            if there {
                return Ok(());
            }
            self.stop.check()?;
            if deadline.has_passed() {
                return Err(Failure::NoReceiver {
                    address: self.address.clone(),
                    waited: timeout.unwrap_or_default(),
                });
            }
        }
    }

    /// Sends all of them, however long that takes.
    fn send(&mut self, messages: &[&[u8]]) -> Result<(), Failure> {
        // A receiver that was killed while there was nothing to send: who finds room need not notice.
        if self.sender.is_disconnected() {
            return Err(self.failed(SendError::Disconnected));
        }
        let mut rest = messages;
        while !rest.is_empty() {
            self.stop.check()?;
            let soon = Stop::slice(Deadline::NEVER);
            match self.sender.send_batch_by(rest, soon) {
                Ok(sent) => {
                    rest = rest.get(sent..).unwrap_or_default();
                    self.sent += sent as u64;
                }
                Err(SendError::Full) => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// Sends all that there is, read to where the receiver will find it.
    fn read_in_place(&mut self, source: &Source, size: usize) -> Result<(), Failure> {
        loop {
            source.wait(self.stop)?;
            if self.sender.is_disconnected() {
                return Err(self.failed(SendError::Disconnected));
            }
            self.reserve(size)?;
            let read = source.read(self.sender.reserved(), self.stop)?;
            if read == 0 {
                self.sender.abort();
                return self.finish();
            }
            self.sender.commit(read).map_err(|e| self.failed(e))?;
            self.sent += 1;
        }
    }

    /// Takes room for a message, however long that takes.
    fn reserve(&mut self, size: usize) -> Result<(), Failure> {
        loop {
            let soon = Stop::slice(Deadline::NEVER);
            match self.sender.reserve(size, soon) {
                Ok(_) => return Ok(()),
                Err(SendError::Full) => self.stop.check()?,
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Whether what was sent has been received, or somebody is there to do that.
    fn finish(&self) -> Result<(), Failure> {
        let is_empty = |depth: Depth| depth.messages == Some(0) || depth.bytes == Some(0);
        let taken = || self.sender.depth().is_ok_and(is_empty);
        if self.sender.is_disconnected() && !taken() {
            return Err(self.failed(SendError::Disconnected));
        }
        Ok(())
    }

    fn failed(&self, error: SendError) -> Failure {
        Failure::Send {
            address: self.address.clone(),
            sent: self.sent,
            error,
        }
    }

    fn bad(&self, bad: Bad) -> Failure {
        let limits = self.sender.limits();
        match bad {
            Bad::TooLong { number, len } => Failure::TooLong {
                address: self.address.clone(),
                number,
                len,
                max: limits.max_message,
                remedy: larger(&self.address, limits).into(),
            },
            Bad::Torn {
                number,
                found,
                needed,
            } => Failure::Torn {
                number,
                found,
                needed,
            },
        }
    }
}

/// What to do so that the channel carries longer messages.
fn larger(address: &Address, limits: Limits) -> String {
    let mut drivers = Registry::BUILTIN.drivers().iter();
    let driver = drivers.find(|driver| driver.scheme() == address.scheme());
    let keys = driver.map(laneway::Driver::keys).unwrap_or_default();
    let has = |name| keys.iter().any(|key| key.name == name);
    match limits.system {
        _ if has("max_message") => ", or give both sides max_message=SIZE".to_owned(),
        Some(limit) if limit.value == limits.max_message as u64 => {
            format!(", or raise {}", limit.name)
        }
        _ if has("capacity") => ", or give both sides a larger capacity=SIZE".to_owned(),
        _ => String::new(),
    }
}
