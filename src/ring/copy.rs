//! Copying long messages as fast as the processor can, wherever they lie.
//!
//! Above 4 KiB or so a library's `memcpy` is one `rep movsb`. Where the target lies 1 to 63 bytes behind the source within
//! their pages, many processors execute that many times slower, as if the two overlapped. Which of two
//! processes gets such addresses is chance, so the same channel would be fast in one run and slow in the next.
//! Known to glibc as `Avoid_Short_Distance_REP_MOVSB`, for true distances only.

/// Copies no longer than this are not made by `rep movsb`.
pub(crate) const PIECE: usize = 2048;
/// Addresses are compared within a page.
const PAGE: usize = 4096;
/// Targets this far behind their source are fast again.
const FAR: usize = 64;

/// The bytes to copy at a time, of `len`, from here to there.
#[inline]
pub(crate) fn piece(to: *const u8, from: *const u8, len: usize) -> usize {
    let behind = to.addr().wrapping_sub(from.addr()) % PAGE;
    match (1..FAR).contains(&behind) {
        true => PIECE,
        false => len,
    }
}

/// Copies as [`copy_from_slice`](slice::copy_from_slice) does; the lengths must be the same.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() > PIECE {
        true => copy_long(to, from),
        false => to.copy_from_slice(from),
    }
}

#[cold]
#[inline(never)]
fn copy_long(to: &mut [u8], from: &[u8]) {
    let size = piece(to.as_ptr(), from.as_ptr(), from.len());
    for (to, from) in to.chunks_mut(size).zip(from.chunks(size)) {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use super::*;
    use crate::ring::Data;

    const LEN: usize = 3 * PIECE + 5;

    #[test]
    fn every_byte_arrives_wherever_it_goes() {
        let from: Vec<u8> = (0..LEN)
            .map(|i| u8::try_from(i % 251).unwrap_or(0))
            .collect();
        let mut room = vec![0_u8; 2 * PAGE + LEN];
        let mut slow = 0;
        for start in 0..PAGE + FAR {
            room.fill(0xff);
            let to = &mut room[start..start + LEN];
            slow += usize::from(piece(to.as_ptr(), from.as_ptr(), LEN) < LEN);
            copy(to, &from);
            assert_eq!(to, from, "at {start}");
            assert_eq!(room[start + LEN], 0xff, "at {start}");
        }
        assert!(slow >= FAR - 1, "{slow} places were copied in pieces");
    }

    #[test]
    fn a_ring_takes_and_gives_every_byte_wherever_it_lies() {
        const CAPACITY: usize = 4 * PAGE;
        let mut memory = vec![0_u64; CAPACITY / 8];
        let start = NonNull::from(memory.as_mut_slice()).cast();
        // SAFETY: by R1; `memory` is of this size, aligned to eight, and lives longer.
        let data = unsafe { Data::new(start, CAPACITY) };
        let mut bytes = vec![0_u8; PAGE + LEN];
        let pad = bytes.as_ptr().align_offset(PAGE);
        let from = &mut bytes[..LEN];
        for (at, byte) in from.iter_mut().enumerate() {
            *byte = u8::try_from(at % 251).unwrap_or(0);
        }
        let mut back = vec![0_u8; PAGE + LEN];
        for offset in (0..PAGE as u64).step_by(8) {
            data.write(offset, from).expect("it fits");
            let to = &mut back[pad..pad + LEN];
            to.fill(0);
            data.read(offset, to).expect("it fits");
            assert_eq!(to, from, "at {offset}");
        }
        let far = (CAPACITY - LEN + 1) as u64;
        assert!(data.write(far, from).is_err(), "it would pass the end");
    }
}
