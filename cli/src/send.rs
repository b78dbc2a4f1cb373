//! `laneway send`: standard input into a channel.

use std::time::Duration;

use laneway::{
    Address, BoxSender, Channel, Deadline, Depth, Endpoint, Limits, Registry, SendError, Sender,
};

use crate::{
    exit::{self, Failure},
    input::{Cut, Input, TooLong},
    named,
    stop::Stop,
    units,
};

/// The most that a block has if no size is given.
const BLOCK: usize = 64 << 10;

const EXAMPLES: &str = "\
Examples:
  echo hello | laneway send fifo:/tmp/x
  laneway send --raw shm+lock:photos < photo.jpg
  tail -f /var/log/syslog | laneway send 'sysv:/tmp/log?id=7'

Either side may start first. At the end of its input this one closes; the
receiver takes what is left, and ends too.";

/// Send standard input, a line a message, once a receiver is there
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::CODES))]
pub(crate) struct Arguments {
    #[arg(help = named::FORM)]
    address: String,
    /// Cut the input into blocks, not lines, so that any file goes through whole
    #[arg(long)]
    raw: bool,
    /// Bytes of a block, as in 4096 or 4KiB [default: as a message may have, at most 64KiB]
    #[arg(long, requires = "raw", value_parser = units::size)]
    size: Option<usize>,
    /// Give up if no receiver has come for so long [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = units::seconds)]
    timeout: Option<Duration>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let stop = Stop::catch()?;
    let channel = named::channel(&arguments.address)?;
    let mut outlet = Outlet {
        address: channel.address(),
        sender: channel.sender().map_err(Failure::Open)?,
        sent: 0,
        stop: &stop,
    };
    let max = outlet.sender.limits().max_message;
    let cut = match (arguments.raw, arguments.size) {
        (false, _) => Cut::Lines { max },
        (true, Some(size)) if size > max => {
            let address = outlet.address;
            return Err(Failure::Block { address, size, max });
        }
        (true, size) => Cut::Blocks(size.unwrap_or(max.min(BLOCK))),
    };
    let mut input = Input::new(cut).map_err(Failure::Input)?;
    outlet.await_receiver(arguments.timeout)?;
    loop {
        match input.next(&stop)? {
            Ok(messages) if messages.is_empty() => return outlet.finish(),
            Ok(messages) => outlet.send(&messages)?,
            Err(TooLong { line }) => return Err(outlet.too_long(line)),
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

    fn too_long(&self, number: u64) -> Failure {
        let limits = self.sender.limits();
        Failure::Line {
            address: self.address.clone(),
            number,
            max: limits.max_message,
            remedy: larger(&self.address, limits),
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
