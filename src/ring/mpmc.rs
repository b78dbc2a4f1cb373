//! The ring of many producers and many consumers, without a lock, that no death stops.
//!
//! The data are slots of 64 bytes; a message takes as many as it needs, next to each other. Beside them is one
//! state word a slot. A place is claimed by the state word, not by a ticket: the claim names its owner before the tail
//! moves, and anybody who finds it moves the tail on. So a death leaves no place that nobody owns.
//!
//! ```text
//!   older lap --CAS--> CLAIMED(owner) --CAS--> READY --CAS--> TAKEN(owner) --CAS--> DONE --> next lap
//!                         | owner dead: anybody             | owner dead: another consumer
//!                         +-------> DONE (was never sent)   +-------> TAKEN(other) (received again)
//!   READY --CAS--> DONE (given up by a producer, to make room)
//!
//!        freed           head             tail
//!   free   |  taken, done  |  ready, claimed  |  free
//! ```
//!
//! Each word holds the lap (how often the ring was gone round) for which it is valid. Where a record starts, the first claim of a
//! lap replaces whatever an earlier lap has left, so who slept for a lap or more fails its CAS. The other words of a record are
//! stamped with the lap too before it can become READY: so no word grows so old that its lap looks like a later one.
//! The room of DONE records is given back in order, by producers when they need it.
//!
//! After Vyukov's bounded queue, with claims by state as in protocols for robust futexes.

use crate::{
    crash::{self, Point, Step},
    ring::{
        Data, OutOfBounds, hold_off,
        pace::Pace,
        state::{LAP_MASK, NOBODY, Phase, SLOT, State, slots},
    },
    sync::{AtomicU64, Ordering},
    tally::Tally,
};

/// How often to try again before giving up for now: more than contention ever asks for, so that a peer that
/// writes nonsense all the time holds nobody for ever.
const ATTEMPTS: u32 = 1 << 16;

/// Why nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// No room, or no message that is ready.
    NotNow,
    /// The words are not what we write.
    Corrupt,
}

impl From<OutOfBounds> for Stuck {
    fn from(_: OutOfBounds) -> Self {
        Self::Corrupt
    }
}

/// A message that a consumer has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    place: u64,
    state: State,
}

impl Taken {
    /// How long the message is.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.state.len()
    }
}

/// Makes way for whoever was faster, longer each time: who gets a run of places in a row moves its cache lines once.
#[derive(Debug, Default)]
struct Backoff(u32);

impl Backoff {
    #[cold]
    fn pause(&mut self) {
        for _ in 0..64_u32 << self.0 {
            std::hint::spin_loop();
        }
        self.0 = (self.0 + 2).min(4);
    }
}

/// The ring, as everybody sees it. Positions count slots from the ring's birth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a> {
    /// Everything before it is claimed. A hint: there may be more.
    pub(crate) tail: &'a AtomicU64,
    /// Everything before it is taken. A hint: there may be more.
    pub(crate) head: &'a AtomicU64,
    /// Everything before it is free for the next lap.
    pub(crate) freed: &'a AtomicU64,
    /// One word a slot; a power of two of them.
    pub(crate) states: &'a [AtomicU64],
    /// The producers' counters, of which only the most bytes are counted here.
    pub(crate) tally: &'a Tally,
    /// The slots.
    pub(crate) data: Data<'a>,
}

impl<'a> Ring<'a> {
    fn count(&self) -> u64 {
        self.states.len() as u64
    }

    #[inline]
    fn lap(&self, place: u64) -> u64 {
        place >> self.states.len().trailing_zeros() & LAP_MASK
    }

    #[inline]
    fn word(&self, place: u64) -> Result<&'a AtomicU64, Stuck> {
        let at = usize::try_from(place & self.count().wrapping_sub(1)).unwrap_or(usize::MAX);
        self.states.get(at).ok_or(Stuck::Corrupt)
    }

    /// By how many laps a state that was found at `place` is older; more than half of all if it is newer.
    #[inline]
    fn age(&self, place: u64, state: State) -> u64 {
        self.lap(place).wrapping_sub(state.lap()) & LAP_MASK
    }

    /// The state of the record at `place`, if it has one in this lap.
    #[inline]
    fn state(&self, place: u64) -> Result<Option<State>, Stuck> {
        // ORDERING: Acquire; pairs with the Release of every change of state: who sees READY sees
        // the message, who sees DONE may overwrite it.
        let state = State(self.word(place)?.load(Ordering::Acquire));
        let valid = state.lap() == self.lap(place) && state.0 != 0;
        Ok(valid.then_some(state))
    }

    /// Changes a state, if it still is what it was.
    #[inline]
    fn change(&self, place: u64, from: State, to: State) -> Result<bool, Stuck> {
        // ORDERING: AcqRel; pairs with the Acquire in `state`.
        let result =
            self.word(place)?
                .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed);
        Ok(result.is_ok())
    }

    /// Changes a state whose owner the caller is. Nobody else changes it as long as the owner lives, so this is no
    /// read-modify-write; `false` if somebody took us for dead, wrongly.
    #[inline]
    fn settle(&self, place: u64, from: State, to: State) -> Result<bool, Stuck> {
        let word = self.word(place)?;
        // ORDERING: Relaxed; what we stored ourselves.
        if word.load(Ordering::Relaxed) != from.0 {
            return Ok(false);
        }
        // ORDERING: Release; pairs with the Acquire in `state`.
        word.store(to.0, Ordering::Release);
        Ok(true)
    }

    /// Moves a cursor from `place` to `behind`, for whoever was to do it. Two that do it at once may move it back: it is a
    /// hint, from which everybody walks on. A plain store, since nobody has to wait for it.
    #[inline]
    fn pass(cursor: &AtomicU64, place: u64, behind: u64) {
        // ORDERING: Relaxed; only whether it is still as it was.
        if cursor.load(Ordering::Relaxed) == place {
            // ORDERING: Release; pairs with the Acquire loads of the cursors.
            cursor.store(behind, Ordering::Release);
        }
    }

    /// Moves a cursor that was left more than a lap behind to where the living records start; `false` if it is not behind.
    #[cold]
    fn catch_up(&self, cursor: &AtomicU64, place: u64) -> bool {
        // ORDERING: Acquire; pairs with the AcqRel in `reclaim`.
        let freed = self.freed.load(Ordering::Acquire);
        let behind = freed.wrapping_sub(place).cast_signed() > 0;
        if behind {
            Self::pass(cursor, place, freed);
        }
        behind
    }

    /// Stamps the words inside a record, before it can become READY.
    #[inline]
    fn stamp(&self, place: u64, state: State) -> Result<(), Stuck> {
        let inside = state.in_phase(Phase::INSIDE, NOBODY).0;
        for slot in 1..state.slots() {
            // ORDERING: Relaxed; published by the change of the record's state that follows.
            self.word(place.wrapping_add(slot))?
                .store(inside, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sends a message as `me`.
    #[inline(always)]
    pub(crate) fn push(&self, me: u16, message: &[u8]) -> Result<(), Stuck> {
        let wanted = slots(message.len());
        let mut backoff = Backoff::default();
        for _ in 0..ATTEMPTS {
            // ORDERING: Acquire; pairs with `pass`.
            let place = self.tail.load(Ordering::Acquire);
            let left = self.count() - (place & self.count().wrapping_sub(1));
            // What is left before the end of the ring is skipped, if the message does not fit there.
            let skip = wanted > left;
            let size = if skip { left } else { wanted };
            if !self.has_room(place, size)? {
                return Err(Stuck::NotNow);
            }
            // ORDERING: Acquire; as in `state`.
            let state = State(self.word(place)?.load(Ordering::Acquire));
            let lap = self.lap(place);
            let age = self.age(place, state);
            if age == 0 && state.0 != 0 {
                Self::pass(self.tail, place, place.wrapping_add(state.slots()));
                continue;
            }
            if age > LAP_MASK / 2 {
                // Of a later lap: it was long ago that somebody stored this tail, or that we read it.
                // ORDERING: Acquire; as above.
                let here = self.tail.load(Ordering::Acquire) == place;
                if here && !self.catch_up(self.tail, place) {
                    return Err(Stuck::Corrupt);
                }
                continue;
            }
            let len = match skip {
                true => usize::try_from(left).map_err(|_| Stuck::Corrupt)? * SLOT,
                false => message.len(),
            };
            let claim = State::new(lap, Phase::CLAIMED, me, len);
            if !self.change(place, state, claim)? {
                backoff.pause();
                continue;
            }
            crash::reach(Point::MpmcClaimed);
            Self::pass(self.tail, place, place.wrapping_add(size));
            crash::reach(Point::MpmcPassed);
            self.stamp(place, claim)?;
            crash::reach(Point::MpmcStamped);
            if skip {
                self.settle(place, claim, claim.in_phase(Phase::DONE, NOBODY))?;
                crash::reach(Point::MpmcSkipped);
                continue;
            }
            self.data.write(place.wrapping_mul(SLOT as u64), message)?;
            crash::reach(Point::MpmcWritten);
            let ready = self.settle(place, claim, claim.in_phase(Phase::READY, NOBODY))?;
            crash::reach(Point::MpmcReady);
            return if ready { Ok(()) } else { Err(Stuck::Corrupt) };
        }
        Err(Stuck::NotNow)
    }

    /// Whether `size` slots from `place` are free.
    #[inline]
    fn has_room(&self, place: u64, size: u64) -> Result<bool, Stuck> {
        let end = place.wrapping_add(size);
        // ORDERING: Acquire; pairs with the AcqRel in `reclaim`: who sees it moved may overwrite what is before it.
        let freed = self.freed.load(Ordering::Acquire);
        // A place read long ago may be behind what is free by now; then the claim fails.
        if end.wrapping_sub(freed) <= self.count() || place.wrapping_sub(freed) > self.count() {
            return Ok(true);
        }
        let freed = self.make_room(place)?;
        Ok(end.wrapping_sub(freed) <= self.count())
    }

    /// Gives back what can be, counts how much is left before `place`, and tells how far everything is free.
    #[cold]
    fn make_room(&self, place: u64) -> Result<u64, Stuck> {
        let freed = self.reclaim()?;
        let used = place.wrapping_sub(freed).min(self.count());
        self.tally.saw(used * SLOT as u64);
        Ok(freed)
    }

    /// Gives the room of finished records back, and tells how far.
    #[cold]
    pub(crate) fn reclaim(&self) -> Result<u64, Stuck> {
        // ORDERING: Acquire; pairs with the AcqRel below.
        let start = self.freed.load(Ordering::Acquire);
        let mut freed = start;
        // Bounded: whatever the words say, it goes round once at most.
        for _ in 0..self.count() {
            match self.state(freed)? {
                Some(state) if state.phase() == Phase::DONE => {
                    freed = freed.wrapping_add(state.slots());
                }
                _ => break,
            }
        }
        if freed == start {
            return Ok(start);
        }
        // ORDERING: AcqRel; pairs with the Acquire in `has_room`. If it fails, somebody else did it.
        match self
            .freed
            .compare_exchange(start, freed, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => {
                crash::reach(Point::MpmcReclaimed);
                Ok(freed)
            }
            Err(other) => Ok(other),
        }
    }

    /// Takes the next message as `me`, at this pace.
    #[inline(always)]
    pub(crate) fn take(&self, me: u16, pace: &mut Pace) -> Result<Taken, Stuck> {
        let mut backoff = Backoff::default();
        for _ in 0..ATTEMPTS {
            // ORDERING: Acquire; pairs with `pass`.
            let place = self.head.load(Ordering::Acquire);
            let known = pace.knows(place, self.count());
            if !known && pace.streams {
                hold_off();
            }
            // ORDERING: Acquire; as in `state`.
            let state = State(self.word(place)?.load(Ordering::Acquire));
            let age = self.age(place, state);
            if age > LAP_MASK / 2 {
                // Of a later lap: the head moved since, or somebody left it behind.
                // ORDERING: Acquire; as above.
                let here = self.head.load(Ordering::Acquire) == place;
                if here && !self.catch_up(self.head, place) {
                    return Err(Stuck::Corrupt);
                }
                continue;
            }
            if age != 0 || state.0 == 0 {
                pace.missed();
                return Err(Stuck::NotNow);
            }
            match state.phase() {
                Phase::CLAIMED => {
                    pace.missed();
                    return Err(Stuck::NotNow);
                }
                Phase::READY => {
                    if !self.fits(place, state) {
                        return Err(Stuck::Corrupt);
                    }
                    let taken = state.in_phase(Phase::TAKEN, me);
                    if self.change(place, state, taken)? {
                        crash::reach(Point::MpmcTaken);
                        let behind = place.wrapping_add(state.slots());
                        Self::pass(self.head, place, behind);
                        crash::reach(Point::MpmcHeadPassed);
                        if !known {
                            pace.found(self.tail, behind);
                        }
                        return Ok(Taken {
                            place,
                            state: taken,
                        });
                    }
                    backoff.pause();
                }
                Phase::TAKEN | Phase::DONE => {
                    Self::pass(self.head, place, place.wrapping_add(state.slots()));
                }
                _ => return Err(Stuck::Corrupt),
            }
        }
        Err(Stuck::NotNow)
    }

    /// Discards the oldest message, if it is what stands before more room and nobody has taken it; `false` if it is not. One change of state, so
    /// a death leaves nothing behind.
    #[cold]
    pub(crate) fn discard(&self) -> Result<bool, Stuck> {
        let place = self.reclaim()?;
        let state = self.state(place)?;
        let Some(state) = state.filter(|state| state.phase() == Phase::READY) else {
            return Ok(false);
        };
        let gone = self.change(place, state, state.in_phase(Phase::DONE, NOBODY))?;
        if gone {
            crash::reach(Point::MpmcDiscarded);
            Self::pass(self.head, place, place.wrapping_add(state.slots()));
        }
        Ok(gone)
    }

    /// Whether a record ends before the ring does, as all do.
    #[inline]
    fn fits(&self, place: u64, state: State) -> bool {
        let (_, left) = self.data.place(place.wrapping_mul(SLOT as u64));
        state.len() <= left
    }

    /// Where a taken message lies.
    #[inline]
    pub(crate) fn message(&self, taken: &Taken) -> &'a [u8] {
        let start = taken.place.wrapping_mul(SLOT as u64);
        match self.data.range(start, taken.state.len()) {
            // SAFETY: by R1, R2 and R4: a taken record is its consumer's until it is DONE.
            Ok(place) => unsafe { std::slice::from_raw_parts(place.as_ptr(), taken.state.len()) },
            Err(OutOfBounds) => &[],
        }
    }

    /// Copies a taken message, which is as long as `buf`.
    #[inline]
    pub(crate) fn copy(&self, taken: &Taken, buf: &mut [u8]) {
        // The length was checked when it was taken.
        let _ = self.data.read(taken.place.wrapping_mul(SLOT as u64), buf);
    }

    /// Finishes a taken message.
    #[inline]
    pub(crate) fn finish(&self, taken: Taken) {
        let done = taken.state.in_phase(Phase::DONE, NOBODY);
        // Not done only if somebody took us for dead, wrongly, or the words were overwritten.
        let _ = self.settle(taken.place, taken.state, done);
        crash::reach(Point::MpmcDone);
    }

    /// Undoes what the dead have left: claims are skipped; what they had taken is taken over as `me`, one message a call.
    ///
    /// `is_dead` tells of an owner. `NOBODY` is dead.
    pub(crate) fn recover(
        &self,
        me: u16,
        mut is_dead: impl FnMut(u16) -> bool,
    ) -> Result<Option<Taken>, Stuck> {
        let mut place = self.reclaim()?;
        for _ in 0..self.count() {
            let Some(state) = self.state(place)? else {
                return Ok(None);
            };
            match state.phase() {
                Phase::CLAIMED if is_dead(state.owner()) => self.skip(place, state)?,
                Phase::TAKEN if crash::is_left_out(Step::AdoptTaken) => {}
                Phase::TAKEN if is_dead(state.owner()) => {
                    if !self.fits(place, state) {
                        return Err(Stuck::Corrupt);
                    }
                    let taken = state.in_phase(Phase::TAKEN, me);
                    if self.change(place, state, taken)? {
                        crash::reach(Point::MpmcAdopted);
                        return Ok(Some(Taken {
                            place,
                            state: taken,
                        }));
                    }
                }
                _ => {}
            }
            place = place.wrapping_add(state.slots());
        }
        Ok(None)
    }

    /// Declares that what owner `me` has left is nobody's: a newcomer does this before it takes that number.
    pub(crate) fn disown(&self, me: u16) -> Result<(), Stuck> {
        let start = self.reclaim()?;
        self.disown_from(start, me)
    }

    /// The same, of what is at `place` or behind it; nothing before it is owned.
    fn disown_from(&self, place: u64, me: u16) -> Result<(), Stuck> {
        let mut place = place;
        for _ in 0..self.count().saturating_add(ATTEMPTS.into()) {
            let Some(state) = self.state(place)? else {
                // ORDERING: Acquire; pairs with the AcqRel in `reclaim`.
                let freed = self.freed.load(Ordering::Acquire);
                if freed.wrapping_sub(place).cast_signed() > 0 {
                    // Not the last record: others freed this place and went on while we came here. What is ours was not freed.
                    place = freed;
                    continue;
                }
                return Ok(());
            };
            match state.phase() {
                phase @ (Phase::CLAIMED | Phase::TAKEN) if state.owner() == me => {
                    self.change(place, state, state.in_phase(phase, NOBODY))?;
                    crash::reach(Point::MpmcDisowned);
                }
                _ => {}
            }
            place = place.wrapping_add(state.slots());
        }
        // As many records as no honest ring passes meanwhile.
        Err(Stuck::Corrupt)
    }

    /// Skips the claim of a dead producer. Its inner words stay as old as they are: they are looked at only once a record starts
    /// there, and then any earlier lap will do.
    fn skip(&self, place: u64, claim: State) -> Result<(), Stuck> {
        if crash::is_left_out(Step::SkipClaim) {
            return Ok(());
        }
        Self::pass(self.tail, place, place.wrapping_add(claim.slots()));
        if self.change(place, claim, claim.in_phase(Phase::DONE, NOBODY))? {
            crash::reach(Point::MpmcClaimSkipped);
        }
        Ok(())
    }

    /// How many slots hold what nobody has taken.
    pub(crate) fn used(&self) -> u64 {
        // ORDERING: Acquire, twice; as in `catch_up` and `take`.
        let freed = self.freed.load(Ordering::Acquire);
        let head = self.head.load(Ordering::Acquire);
        let ahead = head.wrapping_sub(freed) <= self.count();
        let mut place = if ahead { head } else { freed };
        let mut used = 0;
        for _ in 0..self.count() {
            let Ok(Some(state)) = self.state(place) else {
                break;
            };
            match state.phase() {
                Phase::CLAIMED | Phase::READY => used += state.slots(),
                _ => {}
            }
            place = place.wrapping_add(state.slots());
        }
        used.min(self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::NonNull;

    struct Memory {
        tally: Tally,
        words: Vec<u64>,
        states: Vec<AtomicU64>,
        cursors: [AtomicU64; 3],
    }

    impl Memory {
        fn new(slots: usize) -> Self {
            Self {
                tally: Tally::default(),
                words: vec![0; slots * SLOT / 8],
                states: (0..slots).map(|_| AtomicU64::new(0)).collect(),
                cursors: Default::default(),
            }
        }

        fn ring(&mut self) -> Ring<'_> {
            let capacity = size_of_val(self.words.as_slice());
            let start = NonNull::from(self.words.as_mut_slice()).cast();
            let [tail, head, freed] = &self.cursors;
            // SAFETY: R1 holds as long as `self` is borrowed.
            let data = unsafe { Data::new(start, capacity) };
            Ring {
                tail,
                head,
                freed,
                states: &self.states,
                tally: &self.tally,
                data,
            }
        }
    }

    fn pop(ring: Ring<'_>, me: u16) -> Result<Vec<u8>, Stuck> {
        let taken = ring.take(me, &mut Pace::default())?;
        let message = ring.message(&taken).to_vec();
        ring.finish(taken);
        Ok(message)
    }

    #[test]
    fn every_length_passes_at_every_place() {
        let mut memory = Memory::new(8);
        let ring = memory.ring();
        for round in 0..5000_usize {
            let message = vec![u8::try_from(round % 251).expect("small"); round % 257];
            ring.push(1, &message).expect("an empty ring has room");
            assert_eq!(pop(ring, 2), Ok(message));
            assert_eq!(pop(ring, 2), Err(Stuck::NotNow));
        }
    }

    #[test]
    fn it_fills_to_the_last_slot() {
        let mut memory = Memory::new(8);
        let ring = memory.ring();
        for round in 0..100 {
            for _ in 0..8 {
                ring.push(1, &[round]).expect("room");
            }
            assert_eq!(ring.push(1, &[round]), Err(Stuck::NotNow));
            for _ in 0..8 {
                assert_eq!(pop(ring, 2), Ok(vec![round]));
            }
        }
    }

    #[test]
    fn a_dead_producers_claim_is_skipped_and_a_dead_consumers_message_comes_again() {
        let mut memory = Memory::new(8);
        let ring = memory.ring();
        // Died after its claim, before the tail moved.
        let claim = State::new(0, Phase::CLAIMED, 7, 100);
        assert_eq!(ring.change(0, State(0), claim), Ok(true));
        ring.push(1, b"behind").expect("room");
        assert_eq!(pop(ring, 2), Err(Stuck::NotNow));
        assert_eq!(
            ring.recover(2, |owner| owner != 7),
            Ok(None),
            "not while it lives"
        );
        assert_eq!(pop(ring, 2), Err(Stuck::NotNow));
        assert_eq!(ring.recover(2, |owner| owner == 7), Ok(None));
        let lost = ring.take(3, &mut Pace::default()).expect("ready");
        assert_eq!(ring.message(&lost), b"behind");
        // Died with it.
        assert_eq!(pop(ring, 2), Err(Stuck::NotNow));
        let again = ring
            .recover(2, |owner| owner == 3)
            .expect("sound")
            .expect("left");
        assert_eq!(ring.message(&again), b"behind");
        ring.finish(again);
        assert_eq!(ring.recover(2, |_| true), Ok(None));
        // A newcomer with the number of the dead disowns what it left.
        ring.push(1, b"left").expect("room");
        ring.take(4, &mut Pace::default()).expect("ready");
        ring.disown(4).expect("sound");
        let again = ring
            .recover(4, |owner| owner == NOBODY)
            .expect("sound")
            .expect("left");
        assert_eq!(ring.message(&again), b"left");
    }

    #[test]
    fn records_start_where_skipped_claims_had_their_insides() {
        let mut memory = Memory::new(8);
        let ring = memory.ring();
        for lap in 0..9 {
            // Every third lap is wholly claimed by one who dies, the others are full of short messages.
            if lap % 3 == 1 {
                let place = ring.tail.load(Ordering::Relaxed);
                assert_eq!(place, lap * 8);
                assert_eq!(ring.has_room(place, 8), Ok(true));
                let state = State(ring.states[0].load(Ordering::Relaxed));
                let claim = State::new(lap, Phase::CLAIMED, 7, 8 * SLOT);
                assert_eq!(ring.change(place, state, claim), Ok(true));
                assert_eq!(pop(ring, 2), Err(Stuck::NotNow));
                assert_eq!(ring.recover(2, |owner| owner == 7), Ok(None));
                assert_eq!(pop(ring, 2), Err(Stuck::NotNow));
            } else {
                for number in 0..8 {
                    ring.push(1, &[number]).expect("room");
                }
                for number in 0..8 {
                    assert_eq!(pop(ring, 2), Ok(vec![number]));
                }
            }
        }
    }

    #[test]
    fn a_newcomer_whom_others_overtake_disowns_what_is_behind_them() {
        let mut memory = Memory::new(8);
        let ring = memory.ring();
        for _ in 0..6 {
            ring.push(1, b"before").expect("room");
            pop(ring, 2).expect("ready");
        }
        let start = ring.freed.load(Ordering::Relaxed);
        // Owner 7 dies with its claim, and while the newcomer looks at the first place, others free those before the claim and
        // fill them again.
        let claim = State::new(0, Phase::CLAIMED, 7, 1);
        assert_eq!(ring.change(6, State(0), claim), Ok(true));
        while ring.push(1, b"behind").is_ok() {}
        assert!(ring.state(start).expect("sound").is_none());
        ring.disown_from(start, 7).expect("sound");
        assert_eq!(ring.recover(2, |owner| owner == NOBODY), Ok(None));
        assert_eq!(pop(ring, 2), Ok(b"behind".to_vec()));
    }

    #[test]
    fn nonsense_is_never_out_of_bounds() {
        for word in [
            1,
            u64::MAX,
            u64::MAX << 27,
            3 << 37 | 0x7ff_ffff,
            5 << 37 | 0x7ff_ffff,
        ] {
            let mut memory = Memory::new(8);
            for state in &memory.states {
                state.store(word, Ordering::Relaxed);
            }
            memory.cursors[0].store(word, Ordering::Relaxed);
            let ring = memory.ring();
            // Whatever it says, it ends, and touches the ring only.
            let _ = ring.push(1, &[1; 300]);
            if let Ok(taken) = ring.take(2, &mut Pace::default()) {
                assert!(ring.message(&taken).len() <= 512);
            }
            let _ = ring.recover(2, |_| true);
            let _ = ring.disown(2);
        }
    }

    #[test]
    fn a_record_that_would_end_behind_the_ring_is_corrupt_and_no_message() {
        for phase in [Phase::READY, Phase::TAKEN] {
            let mut memory = Memory::new(8);
            let ring = memory.ring();
            ring.push(1, b"before").expect("room");
            pop(ring, 2).expect("ready");
            // From the second slot there are seven.
            let long = State::new(0, phase, NOBODY, 7 * SLOT + 1);
            ring.states[1].store(long.0, Ordering::Relaxed);
            let found = match phase {
                Phase::READY => ring.take(2, &mut Pace::default()).map(Some),
                _ => ring.recover(2, |owner| owner == NOBODY),
            };
            assert_eq!(found, Err(Stuck::Corrupt), "{phase:?}");
        }
    }

    #[test]
    fn threads_get_each_message_once() {
        let mut memory = Memory::new(64);
        let ring = memory.ring();
        let sum = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for me in 0..3 {
                scope.spawn(move || {
                    for number in 0..20_000_u64 {
                        let message = number.to_le_bytes().repeat(1 + usize::from(me) * 8);
                        while ring.push(me, &message) == Err(Stuck::NotNow) {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            for me in 10..13 {
                let sum = &sum;
                scope.spawn(move || {
                    for _ in 0..20_000 {
                        let message = loop {
                            match pop(ring, me) {
                                Ok(message) => break message,
                                Err(Stuck::NotNow) => std::thread::yield_now(),
                                Err(Stuck::Corrupt) => panic!("corrupt"),
                            }
                        };
                        let (first, rest) = message.split_first_chunk::<8>().expect("a number");
                        assert!(rest.chunks(8).all(|chunk| chunk == first));
                        sum.fetch_add(u64::from_le_bytes(*first), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 3 * (0..20_000).sum::<u64>());
    }
}
