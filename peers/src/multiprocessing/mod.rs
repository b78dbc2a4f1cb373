//! Pools and queues beside Python's `multiprocessing` and faster-fifo, round by round in turns.

pub(crate) mod pool;
pub(crate) mod queue;
mod script;
mod ways;

use laneway::process::Entries;

/// Does a worker's work, if this process is one.
pub(crate) fn serve() {
    queue::entries(pool::entries(Entries::new())).serve();
}
