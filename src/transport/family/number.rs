//! The number of an end: what it holds in shared memory is marked with it, and the kernel tells whether it is anybody's.

use crate::{
    Address, OpenError,
    crash::{self, Point},
    presence,
    shm::segment::Segment,
    trace::Recovery,
    transport::family::member::Seat,
};

/// Takes the first number below `end` that no other living end of this segment has. It goes with the end.
pub(crate) fn take(segment: &Segment, end: u16, address: &Address) -> Result<u16, OpenError> {
    let taken = segment.fd().and_then(|fd| presence::take_number(fd, end));
    crash::reach(Point::NumberTaken);
    taken.map_err(|error| OpenError::os(address.clone(), error))
}

/// What is known of the numbers of the dead during one look.
///
/// The number that was found dead last stays taken until the next one is asked for, or the look ends: else a newcomer could get it, mark the
/// same thing with it, and lose that to whoever still believes it dead.
#[derive(Debug)]
pub(crate) struct Graves<'a> {
    seat: &'a Seat,
    held: Option<u16>,
    /// A bit for each number that was found living: each is asked for once, however much is marked with it.
    living: [u64; WORDS],
}

/// One bit for each number that a ring may give out.
const WORDS: usize = 1024 / 64;

impl<'a> Graves<'a> {
    /// For a look from this seat.
    pub(crate) fn new(seat: &'a Seat) -> Self {
        Self {
            seat,
            held: None,
            living: [0; WORDS],
        }
    }

    /// Whether this number is nobody's, and stays so for now. The caller's own is not to be asked.
    pub(crate) fn has(&mut self, number: u16) -> bool {
        if self.held == Some(number) {
            return true;
        }
        let (word, bit) = (usize::from(number / 64), 1 << (number % 64));
        let Some(known) = self.living.get_mut(word).filter(|word| **word & bit == 0) else {
            return false;
        };
        // If the kernel cannot tell, it is taken to live.
        let fd = self.seat.segment().fd();
        let dead = fd.and_then(|fd| presence::take_this_number(fd, number));
        if !dead.unwrap_or(false) {
            *known |= bit;
            return false;
        }
        self.give_back();
        self.seat.recovered(Recovery::Number);
        self.held = Some(number);
        true
    }

    fn give_back(&mut self) {
        if let (Some(number), Ok(fd)) = (self.held.take(), self.seat.segment().fd()) {
            // Fails only for a descriptor that is none; and with the end it goes in any case.
            let _ = presence::give_number_back(fd, number);
        }
    }
}

impl Drop for Graves<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
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
