//! The clock that all processes of a machine share.

#[cfg(feature = "measure")]
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds on the monotonic clock, which is the same in every process of the machine.
#[inline]
pub(crate) fn now() -> u64 {
    // Every Linux has this clock.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        time.tv_sec()
            .cast_unsigned()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(time.tv_nsec().cast_unsigned())
    })
}

#[cfg(feature = "measure")]
/// A time in nanoseconds; one that no `u64` holds is the longest it does.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
