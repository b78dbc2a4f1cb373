//! How large the caches of this machine are, and what follows for rings.

use std::{fs, ops::RangeInclusive, sync::OnceLock};

/// Where the system tells of the caches of the first core.
const CACHES: &str = "/sys/devices/system/cpu/cpu0/cache";
/// What a default is held to, whatever a system tells.
const SANE: RangeInclusive<usize> = 1 << 20..=8 << 20;
/// If it tells nothing.
const USUAL: usize = 2 << 20;

/// The capacity of a ring if none is named: twice a core's own cache, so that producer and consumer need not meet on the
/// same lines, and within what the cores share. A smaller ring costs up to three quarters of the rate of short messages; a larger one
/// gains little, and its pages are reserved for each channel.
pub(crate) fn default_capacity() -> usize {
    static CAPACITY: OnceLock<usize> = OnceLock::new();

    *CAPACITY.get_or_init(|| {
        let own = size(2).map(|own| own.saturating_mul(2).next_power_of_two());
        let within = match (own, size(3)) {
            (Some(own), Some(shared)) => own.min(previous_power_of_two(shared / 2)),
            (Some(own), None) => own,
            (None, _) => USUAL,
        };
        within.clamp(*SANE.start(), *SANE.end())
    })
}

const fn previous_power_of_two(bytes: usize) -> usize {
    match bytes.checked_ilog2() {
        Some(log) => 1 << log,
        None => 0,
    }
}

/// The bytes of the data cache of this level.
fn size(level: u32) -> Option<usize> {
    (0..8).find_map(|index| {
        let word = |name: &str| {
            let text = fs::read_to_string(format!("{CACHES}/index{index}/{name}")).ok()?;
            Some(text.trim().to_owned())
        };
        let fits = word("level")? == level.to_string() && word("type")? != "Instruction";
        if fits { bytes(&word("size")?) } else { None }
    })
}

/// Reads `1024K`.
fn bytes(text: &str) -> Option<usize> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "K" => 1 << 10,
        "M" => 1 << 20,
        _ => return text.parse().ok(),
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_kernel_writes_them() {
        assert_eq!(bytes("1024K"), Some(1 << 20));
        assert_eq!(bytes("2M"), Some(2 << 20));
        assert_eq!(bytes("512"), Some(512));
        assert_eq!(bytes(""), None);
        assert_eq!(bytes("xK"), None);
    }

    #[test]
    fn a_default_is_a_power_of_two_and_sane() {
        assert!(default_capacity().is_power_of_two());
        assert!(SANE.contains(&default_capacity()));
    }
}
