//! Waiting for several children at once.

use std::{io, process::ExitStatus};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::{Deadline, process::child::Child};

/// Waits until one of `children` has ended, up to the deadline, and tells which and how. Those that were joined before
/// are not told again: `None` if there are no others, or none of them has ended by the deadline.
///
/// Other children of this program, which somebody else waits for, are not touched.
///
/// # Errors
/// What the system says; as for [`Child::join`] for one that somebody else has reaped, which is not told again.
///
/// ```standalone_crate
/// use laneway::{Deadline, process::{Process, wait_any}};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let start = |code: u8| Process::fork(move || std::process::ExitCode::from(code)).start();
///     let children = [start(1)?, start(2)?];
///     let mut codes = Vec::new();
///     while let Some((_, status)) = wait_any(&children, Deadline::NEVER)? {
///         codes.push(status.code());
///     }
///     codes.sort();
///     assert_eq!(codes, [Some(1), Some(2)]);
///     Ok(())
/// }
/// ```
pub fn wait_any<C: AsRef<Child>>(
    children: &[C],
    deadline: Deadline,
) -> io::Result<Option<(usize, ExitStatus)>> {
    loop {
        let mut descriptors = Vec::new();
        for (index, child) in children.iter().enumerate() {
            let child = child.as_ref();
            if child.has_ended() {
                continue;
            }
            if let Some(status) = child.join_by(Deadline::NOW)? {
                return Ok(Some((index, status)));
            }
            descriptors.push(PollFd::new(child.descriptor(), PollFlags::POLLIN));
        }
        let timeout = match deadline.remaining() {
            _ if descriptors.is_empty() => return Ok(None),
            None => PollTimeout::NONE,
            // Rounded up: poll counts milliseconds, and nobody may wake early.
            Some(left) => PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000))
                .unwrap_or(PollTimeout::MAX),
        };
        match poll(&mut descriptors, timeout) {
            Ok(0) if deadline.has_passed() => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until all of `children` have ended, up to the deadline, and tells how, in their order; also those that were joined
/// before. `None` if one still runs then.
///
/// # Errors
/// As for [`Child::join`], of the first that has one.
pub fn wait_all<C: AsRef<Child>>(
    children: &[C],
    deadline: Deadline,
) -> io::Result<Option<Vec<ExitStatus>>> {
    let mut ended = Vec::with_capacity(children.len());
    for child in children {
        match child.as_ref().join_by(deadline)? {
            Some(status) => ended.push(status),
            None => return Ok(None),
        }
    }
    Ok(Some(ended))
}
