//! The rows of the table.

mod laneway;
mod limits;
mod threads;

use crate::Row;

/// All rows, limits first.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = limits::rows();
    rows.extend(threads::rows());
    rows.extend(laneway::rows());
    rows
}

/// The numbers of a burst: [`END`](crate::slices::END) alone, or a range.
pub(crate) fn numbers(from: u64, to: u64) -> impl Iterator<Item = u64> {
    let end = (from == to).then_some(from);
    (from..to).chain(end)
}
