//! `laneway recv`: a channel to standard output.

use std::time::Duration;

use laneway::{Channel, Deadline, Receiver, RecvError};

use crate::{
    exit::{self, Failure},
    named,
    output::Output,
    stop::Stop,
    units,
};

/// How many messages are taken at once, at most.
const BATCH: u64 = 1024;

const EXAMPLES: &str = "\
Examples:
  laneway recv fifo:/tmp/x
  laneway recv --raw shm+lock:photos > photo.jpg
  laneway recv --count 1 --timeout 5 'sysv:/tmp/log?id=7'

Either side may start first. It ends when every sender has gone and all that
they sent has been written.";

/// Write each message that comes, and a newline, to standard output
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::CODES))]
pub(crate) struct Arguments {
    #[arg(help = named::FORM)]
    address: String,
    /// Write no newline behind a message
    #[arg(long)]
    raw: bool,
    /// Stop after so many messages [default: when every sender is gone]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Give up if nothing has come for so long [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = units::seconds)]
    timeout: Option<Duration>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match copy(arguments) {
        Err(failure) if failure.is_closed_output() => Ok(()),
        done => done,
    }
}

fn copy(arguments: &Arguments) -> Result<(), Failure> {
    let stop = Stop::catch()?;
    let channel = named::channel(&arguments.address)?;
    let end: &[u8] = if arguments.raw { b"" } else { b"\n" };
    let mut output = Output::new(end, &stop).map_err(Failure::Output)?;
    let mut receiver = channel.receiver().map_err(Failure::Open)?;

    let give_up = || arguments.timeout.map_or(Deadline::NEVER, Deadline::after);
    let mut deadline = give_up();
    let mut left = arguments.count.unwrap_or(u64::MAX);
    while left > 0 {
        let max = usize::try_from(left.min(BATCH)).unwrap_or(1);
        // What is gathered is written before we sleep.
        let soon = if output.is_flushed() {
            Stop::slice(deadline)
        } else {
            Deadline::NOW
        };
        match receiver.drain_by(max, soon, &mut |message| output.push(message)) {
            Ok(drained) => {
                left = left.saturating_sub(drained as u64);
                output.check()?;
                deadline = give_up();
            }
            Err(RecvError::Empty) if !output.is_flushed() => {
                output.flush()?;
                deadline = give_up();
            }
            Err(RecvError::Empty) if output.is_closed() => return Ok(()),
            Err(RecvError::Empty) if deadline.has_passed() => {
                return Err(Failure::Silence {
                    address: channel.address(),
                    waited: arguments.timeout.unwrap_or_default(),
                });
            }
            Err(RecvError::Empty) => {}
            Err(RecvError::Disconnected) => break,
            Err(error) => {
                output.flush()?;
                let address = channel.address();
                return Err(Failure::Recv { address, error });
            }
        }
        if let Err(stopped) = stop.check() {
            output.flush()?;
            return Err(stopped);
        }
    }
    output.flush()
}
