//! The rows of the table.

#[cfg(feature = "rivals")]
mod boost;
#[cfg(feature = "rivals")]
mod iceoryx2;
#[cfg(feature = "rivals")]
mod ipc_channel;
#[cfg(feature = "rivals")]
mod ipc_ring;
#[cfg(feature = "rivals")]
mod ipmpsc;
mod laneway;
#[cfg(any(feature = "rivals", feature = "zeromq"))]
mod lazy;
mod limits;
mod posix;
pub(crate) mod python;
#[cfg(feature = "rivals")]
mod raw_sync;
mod sockets;
mod threads;
#[cfg(feature = "zeromq")]
mod zeromq;

use crate::row::Row;
#[cfg(not(all(feature = "rivals", feature = "zeromq")))]
use crate::row::{Wait, Work};

/// All rows, limits first.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = limits::rows();
    rows.extend(threads::rows());
    rows.extend(sockets::rows());
    rows.extend(posix::rows());
    #[cfg(feature = "rivals")]
    {
        rows.extend(ipc_channel::rows());
        rows.extend(raw_sync::rows());
        rows.extend(iceoryx2::rows());
        rows.extend(ipc_ring::rows());
        rows.extend(ipmpsc::rows());
        rows.extend(boost::rows());
    }
    #[cfg(not(feature = "rivals"))]
    for (who, wait) in [
        ("boost message_queue", Wait::Park),
        ("iceoryx2 loan", Wait::Spin),
        ("ipc-channel bytes", Wait::Kernel),
        ("ipc_ring", Wait::Park),
        ("ipmpsc", Wait::Park),
        ("raw_sync + shared_memory", Wait::Spin),
    ] {
        let need = || Err("built without `--features rivals`".to_owned());
        rows.push(Row::left_out(Work::Stream(64), who, wait, need));
    }
    #[cfg(feature = "zeromq")]
    rows.extend(zeromq::rows());
    #[cfg(not(feature = "zeromq"))]
    {
        let need =
            || Err("built without `--features zeromq`, which takes a C++ compiler".to_owned());
        let (work, who) = (Work::Stream(64), "zeromq ipc");
        rows.push(Row::left_out(work, who, Wait::Kernel, need));
    }
    rows.extend(python::rows());
    rows.extend(laneway::rows());
    rows
}

/// The numbers of a burst: [`END`](crate::slices::END) alone, or a range.
pub(crate) fn numbers(from: u64, to: u64) -> impl Iterator<Item = u64> {
    let end = (from == to).then_some(from);
    (from..to).chain(end)
}
