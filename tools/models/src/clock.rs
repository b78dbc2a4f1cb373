//! Stands for src/clock.rs: no model looks at the time.

pub(crate) const fn now() -> u64 {
    0
}
