//! `laneway recv`: a channel into a file.

use std::{path::PathBuf, time::Duration};

use laneway::{Deadline, End, Receiver, RecvError};

use crate::{
    exit::{self, Failure},
    framing::{Framed, Framing},
    named,
    opening::Opening,
    output::Output,
    stop::Stop,
    units,
};

/// How many messages are taken at once, at most.
const BATCH: u64 = 1024;
/// How many bytes are, about: their room is given back together, and meanwhile the sender needs some too.
const BYTES: u64 = 64 << 10;

const EXAMPLES: &str = "\
Examples:
  laneway recv fifo:/tmp/x
  laneway recv --raw shm+spsc:photos photo.jpg
  laneway recv --count 1 --timeout 5 'sysv:/tmp/log?id=7'
  laneway recv --framing len shm:records > records.bin

Either side may start first. It ends when every sender has gone and all that
they sent has been written. With --framing len each message has its length in
front, 4 bytes, the lowest first: so none is mistaken for two.";

/// Write each message that comes, and a newline, to standard output or a file
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::CODES))]
pub(crate) struct Arguments {
    #[arg(help = named::FORM)]
    address: String,
    /// Where to write, made anew; - is standard output [default: -]
    file: Option<PathBuf>,
    #[command(flatten)]
    framed: Framed,
    /// Stop after so many messages [default: when every sender is gone]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Give up if it does not open, or nothing has come, for so long [default: never]
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
    let opening = Opening::new(&arguments.address, End::Receiver)?;
    let framing = arguments.framed.framing();
    let mut output = Output::open(arguments.file.as_deref(), framing, &stop)?;
    let give_up = || arguments.timeout.map_or(Deadline::NEVER, Deadline::after);
    let mut deadline = give_up();
    let mut receiver = opening.receiver(arguments.timeout, &stop)?;

    let mut left = arguments.count.unwrap_or(u64::MAX);
    let mut gone = 0;
    let mut batch = BATCH;
    while left > 0 {
        let max = usize::try_from(left.min(batch)).unwrap_or(1);
        let mut bytes = 0;
        // What is gathered is written before we sleep.
        let soon = if output.is_flushed() {
            Stop::slice(deadline)
        } else {
            Deadline::NOW
        };
        let mut each = |message: &[u8]| {
            bytes += message.len() as u64;
            output.push(message);
        };
        match receiver.drain_by(max, soon, &mut each) {
            Ok(drained) => {
                let drained = drained as u64;
                left = left.saturating_sub(drained);
                batch = (BYTES * drained / bytes.max(1)).clamp(1, BATCH);
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
                    address: opening.address(),
                    waited: arguments.timeout.unwrap_or_default(),
                });
            }
            Err(RecvError::Empty) => {}
            Err(RecvError::Disconnected) => break,
            Err(RecvError::Lagged { missed }) => {
                gone += missed;
                if framing == Framing::Raw {
                    break;
                }
            }
            Err(error) => {
                output.flush()?;
                let address = opening.address();
                return Err(Failure::Recv { address, error });
            }
        }
        if let Err(stopped) = stop.check() {
            output.flush()?;
            return Err(stopped);
        }
    }
    output.flush()?;
    match gone {
        0 => Ok(()),
        missed => Err(Failure::Missed {
            address: opening.address(),
            missed,
            is_whole: framing == Framing::Raw,
        }),
    }
}
