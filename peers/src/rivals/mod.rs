//! The rows of the table.

#[cfg(feature = "rivals")]
mod boost;
#[cfg(feature = "rivals")]
mod iceoryx2;
#[cfg(feature = "rivals")]
mod ipmpsc;
mod laneway;
#[cfg(feature = "rivals")]
mod lazy;
mod limits;
#[cfg(feature = "rivals")]
mod raw_sync;
mod threads;

use crate::Row;

/// All rows, limits first.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = limits::rows();
    rows.extend(threads::rows());
    #[cfg(feature = "rivals")]
    {
        rows.extend(raw_sync::rows());
        rows.extend(iceoryx2::rows());
        rows.extend(ipmpsc::rows());
        rows.extend(boost::rows());
    }
    #[cfg(not(feature = "rivals"))]
    rows.push(Row::rate("iceoryx2, ipmpsc, boost, raw_sync", |_| {
        std::panic::panic_any(crate::isolated::NotRun("built without `--features rivals`"))
    }));
    rows.extend(laneway::rows());
    rows
}

/// The numbers of a burst: [`END`](crate::slices::END) alone, or a range.
pub(crate) fn numbers(from: u64, to: u64) -> impl Iterator<Item = u64> {
    let end = (from == to).then_some(from);
    (from..to).chain(end)
}
