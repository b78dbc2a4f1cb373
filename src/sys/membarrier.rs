//! A memory barrier in every process that asked to take part, paid by the one who calls.
//!
//! It moves the cost of the store-load fence between publishing and looking for sleepers from every publication to
//! every going to sleep (after Linux's membarrier(2), as liburcu uses it).

use std::sync::OnceLock;

const GLOBAL_EXPEDITED: libc::c_int = 1 << 1;
const REGISTER_GLOBAL_EXPEDITED: libc::c_int = 1 << 2;

fn call(command: libc::c_int) -> bool {
    // SAFETY: takes numbers only.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Takes part from now on. `false` if this system has no such barrier.
pub(crate) fn register() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| call(REGISTER_GLOBAL_EXPEDITED))
}

/// Has every running thread of every process that takes part pass a full barrier. `false` if it has not.
pub(crate) fn barrier() -> bool {
    register() && call(GLOBAL_EXPEDITED)
}
