//! Descriptors that come over a socket.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use crate::sys::fd::retry;

/// The most descriptors that the kernel lets one message carry: its SCM_MAX_FD.
pub(crate) const MOST: usize = 253;
/// Words of eight bytes for so many descriptors, their head, and what else a socket may have been asked to tell.
const WORDS: usize = 256;
/// The bytes in front of what a part of the control data holds.
const HEAD: usize = size_of::<libc::cmsghdr>();

/// What came.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// How many bytes; 0 if nobody will send any more.
    pub(crate) len: usize,
    /// The descriptors that came with the first of them. Close-on-exec.
    pub(crate) fds: Vec<OwnedFd>,
    /// Whether more came than there was room for; what did not fit is closed.
    pub(crate) is_cut: bool,
}

/// Receives what is there, without sleeping.
pub(crate) fn receive(socket: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<Arrived> {
    let mut control = [0_u64; WORDS];
    let mut part = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    let mut head = libc::msghdr {
        msg_name: std::ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: &raw mut part,
        msg_iovlen: 1,
        msg_control: control.as_mut_ptr().cast(),
        msg_controllen: size_of_val(&control),
        msg_flags: 0,
    };
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    let len = retry(|| {
        head.msg_controllen = size_of_val(&control);
        // SAFETY: by S1, with one iovec over `buf` and the control data's own array, all of which live until the call returns.
        unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut head, flags) }
    })?;
    let bytes: &[u8] = bytemuck::cast_slice(&control);
    let bytes = bytes.get(..head.msg_controllen).unwrap_or_default();
    let fds = numbers(bytes).into_iter().map(|fd| {
        // SAFETY: by S6; the kernel has just made it for this message, which is read once.
        unsafe { OwnedFd::from_raw_fd(fd) }
    });
    Ok(Arrived {
        len,
        fds: fds.collect(),
        is_cut: head.msg_flags & (libc::MSG_CTRUNC | libc::MSG_TRUNC) != 0,
    })
}

/// The descriptors in the control data of a message, which the kernel wrote: parts of a length, a level and a kind, each aligned to 8 bytes.
fn numbers(control: &[u8]) -> Vec<RawFd> {
    let word = |bytes: &[u8], at: usize| -> Option<i32> {
        Some(i32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
    };
    let mut found = Vec::new();
    let mut rest = control;
    while let Some(len) = rest.first_chunk().map(|len| usize::from_ne_bytes(*len)) {
        let Some(part) = rest.get(..len).filter(|_| len >= HEAD) else {
            break;
        };
        let kind = (word(part, 8), word(part, 12));
        if kind == (Some(libc::SOL_SOCKET), Some(libc::SCM_RIGHTS)) {
            let data = part.get(HEAD..).unwrap_or_default();
            found.extend(
                data.chunks_exact(size_of::<RawFd>())
                    .filter_map(|fd| word(fd, 0)),
            );
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        // As the kernel has it on this machine: as wide as a pointer.
        let len = u64::try_from(HEAD + data.len()).expect("short");
        let mut part = len.to_ne_bytes().to_vec();
        part.extend(level.to_ne_bytes());
        part.extend(kind.to_ne_bytes());
        part.extend(data);
        part.resize(part.len().next_multiple_of(8), 0);
        part
    }

    #[test]
    fn descriptors_are_found_among_other_parts() {
        let fds: Vec<u8> = [7_i32, 8, 9]
            .iter()
            .flat_map(|fd| fd.to_ne_bytes())
            .collect();
        let other = part(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, &[1; 12]);
        let rights = part(libc::SOL_SOCKET, libc::SCM_RIGHTS, &fds);
        let both = [other.clone(), rights.clone(), rights.clone()].concat();
        assert_eq!(numbers(&both), [7, 8, 9, 7, 8, 9]);
        assert_eq!(numbers(&other), [0; 0]);
        assert_eq!(numbers(&rights[..20]), [0; 0], "cut");
        assert_eq!(numbers(&[0; 64]), [0; 0], "no length");
        assert_eq!(numbers(&[0xff; 64]), [0; 0], "beyond the end");
    }
}
