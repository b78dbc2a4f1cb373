//! The number of an end: what it holds in shared memory is marked with it, and the kernel tells whether it is anybody's.

use crate::{
    Address, OpenError,
    crash::{self, Point},
    presence,
    shm::segment::Segment,
    transport::family::member::Seat,
};

/// Takes the first number below `end` that no other living end of this segment has. It goes with the end.
pub(crate) fn take(segment: &Segment, end: u16, address: &Address) -> Result<u16, OpenError> {
    let taken = segment.fd().and_then(|fd| presence::take_number(fd, end));
    crash::reach(Point::NumberTaken);
    taken.map_err(|error| OpenError::os(address.clone(), error))
}

/// Whether no living end has this number. The caller's own is not to be asked.
pub(crate) fn is_dead(seat: &Seat, number: u16) -> bool {
    let lives = seat
        .segment()
        .fd()
        .and_then(|fd| presence::has_number(fd, number));
    // If the kernel cannot tell, it is taken to live.
    lives.is_ok_and(|lives| !lives)
}
