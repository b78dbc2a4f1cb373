//! The ring of one producer that waits for nobody, and any number of consumers, each of whom sees every record that it is fast enough for.
//!
//! ```text
//!    oldest                       last      tail
//!     | hdr msg | hdr msg | hdr msg | hdr msg |  may be written at any time, up to oldest
//!
//!   producer:  oldest.store --fence--> write --tail.store(Release)--> published --last.store--> settled
//!                 dies: that many fewer are kept   | dies: never sent     | dies: sent
//!   consumer:  tail.load(Acquire) --> copy --fence--> oldest.load: is the record still kept? then it was copied whole
//! ```
//!
//! Before the producer writes over a record it moves `oldest` behind it, so what lies between `oldest` and `tail` is whole at every moment,
//! whenever the producer dies, and its successor has nothing to repair. A consumer copies first and looks at `oldest` afterwards: if that has
//! passed its record, the copy may be torn and is thrown away, and the consumer goes on at `oldest`. Records have numbers, so it knows how many it
//! has missed. Nobody registers; a consumer that dies leaves nothing.
//!
//! `oldest` moves an eighth of the ring at a time: consumers look at it for every message, and its cache line changes rarely; and who has been
//! overtaken finds an oldest record that stays for a while. The last record is never given up. Records may go round the end of the ring, since
//! all is copied word by word.
//!
//! After the broadcast buffer of Agrona (`BroadcastTransmitter`, whose tail intent is what `oldest` is here), with the fences of a seqlock as in
//! Boehm, "Can seqlocks get along with programming language memory models?" (2012): the copy is of relaxed atomics, never a reference to bytes
//! that may change.

use crate::{
    crash::{self, Point},
    ring::Data,
    sync::{AtomicU64, Ordering, fence},
};

/// Bytes in front of each message: length and mark, then the number.
const HEADER: usize = 16;
/// What the upper half of a header's first word is.
const MARK: u64 = 0x42;
/// The producer gives up this part of the ring at a time.
const STRIDE: u64 = 8;
/// How often a consumer looks for the oldest or last record before it gives up for now: more than a producer that moves them ever asks for.
const ATTEMPTS: u32 = 1 << 10;

/// Where the ring is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a> {
    /// Everything before it is published.
    pub(crate) tail: &'a AtomicU64,
    /// Where the oldest record that is kept starts.
    pub(crate) oldest: &'a AtomicU64,
    /// Where the last record starts, or one shortly before it.
    pub(crate) last: &'a AtomicU64,
    /// The records.
    pub(crate) data: Data<'a>,
}

/// Why nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// No message.
    NotNow,
    /// The buffer is shorter than the message.
    TooSmall(usize),
    /// The record is given up; [`Consumer::catch_up`] tells how many are.
    Lagged,
    /// The bytes are not what a producer writes.
    Corrupt,
}

/// A place between records, and the number of the record that starts there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: u64,
    pub(crate) number: u64,
}

impl Place {
    /// The next one, behind a message of `len` bytes.
    #[inline]
    fn after(self, len: usize) -> Self {
        Self {
            at: self.at.wrapping_add(size(len)),
            number: self.number.wrapping_add(1),
        }
    }
}

/// The bytes that a message of `len` bytes takes.
#[inline]
const fn size(len: usize) -> u64 {
    // No message is so long that this could wrap.
    (len.wrapping_add(HEADER + 7) & !7) as u64
}

/// A record's header, as it was found.
#[derive(Clone, Copy)]
struct Header {
    word: u64,
    number: u64,
}

impl Header {
    /// How long the message is, if it is one.
    #[inline]
    fn len(self) -> usize {
        usize::try_from(self.word & 0xffff_ffff).unwrap_or(usize::MAX)
    }

    /// The bytes that the record takes, if it is one and ends before so many bytes do.
    #[inline]
    fn size_within(self, left: u64) -> Option<u64> {
        let size = size(self.len());
        (self.word >> 32 == MARK && size <= left).then_some(size)
    }
}

impl Ring<'_> {
    #[inline]
    fn header(&self, at: u64) -> Header {
        // ORDERING: Relaxed, twice; whether they belong together is found out afterwards.
        Header {
            word: self.data.word(at).load(Ordering::Relaxed),
            number: self.data.word(at.wrapping_add(8)).load(Ordering::Relaxed),
        }
    }

    #[inline]
    fn capacity(&self) -> u64 {
        self.data.capacity() as u64
    }

    /// Whether what was read from `at` before this call was not written over.
    #[inline]
    fn is_kept(&self, at: u64) -> bool {
        // ORDERING: Acquire; pairs with the fence in `discard`: who has read a word that was written later sees `oldest` moved.
        fence(Ordering::Acquire);
        // ORDERING: Relaxed; ordered by the fence.
        let oldest = self.oldest.load(Ordering::Relaxed);
        oldest.wrapping_sub(at).cast_signed() <= 0
    }

    /// How many bytes from `at` are kept and published.
    pub(crate) fn left(&self, at: u64) -> u64 {
        // ORDERING: Relaxed, twice; a snapshot for people.
        let oldest = self.oldest.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Relaxed);
        let start = if oldest.wrapping_sub(at).cast_signed() > 0 {
            oldest
        } else {
            at
        };
        tail.wrapping_sub(start).min(self.capacity())
    }

    /// The place of the oldest record that is kept.
    fn find_oldest(&self) -> Result<Place, Stuck> {
        for _ in 0..ATTEMPTS {
            // ORDERING: Acquire; pairs with the Release in `discard`: the record there is published.
            let at = self.oldest.load(Ordering::Acquire);
            // ORDERING: Acquire; pairs with the Release in `publish`.
            if self.tail.load(Ordering::Acquire) == 0 {
                return Ok(Place::default());
            }
            let header = self.header(at);
            if self.is_kept(at) {
                let number = header.number;
                let sound = header.size_within(self.capacity());
                return sound.map(|_| Place { at, number }).ok_or(Stuck::Corrupt);
            }
        }
        Err(Stuck::NotNow)
    }

    /// The place behind the last record.
    fn find_end(&self) -> Result<Place, Stuck> {
        for _ in 0..ATTEMPTS {
            // ORDERING: Acquire; pairs with the Release in `publish`.
            if self.tail.load(Ordering::Acquire) == 0 {
                return Ok(Place::default());
            }
            // ORDERING: Acquire; pairs with the Release in `publish`: the record there is published.
            let at = self.last.load(Ordering::Acquire);
            let header = self.header(at);
            if self.is_kept(at) {
                let number = header.number;
                let sound = header.size_within(self.capacity());
                let place = Place { at, number };
                return sound
                    .map(|_| place.after(header.len()))
                    .ok_or(Stuck::Corrupt);
            }
        }
        Err(Stuck::NotNow)
    }
}

/// The producer's own state.
#[derive(Debug, Default)]
pub(crate) struct Producer {
    /// Where the next record goes, and its number.
    next: Place,
    oldest: u64,
    last: u64,
}

impl Producer {
    /// Goes on where the last producer stopped, wherever it died.
    pub(crate) fn resume(ring: Ring<'_>) -> Result<Self, Stuck> {
        // ORDERING: Acquire; pairs with the Release in `publish`.
        let tail = ring.tail.load(Ordering::Acquire);
        if tail == 0 {
            return Ok(Self::default());
        }
        // ORDERING: Acquire, twice; as above, and nobody else writes them now.
        let oldest = ring.oldest.load(Ordering::Acquire);
        let mut last = ring.last.load(Ordering::Acquire);
        let kept = tail.wrapping_sub(oldest);
        if kept > ring.capacity() || last.wrapping_sub(oldest) >= kept {
            return Err(Stuck::Corrupt);
        }
        // It may have died before it told which the last one was. Each step is 16 bytes at least, and `tail` is not passed.
        loop {
            let header = ring.header(last);
            let size = header
                .size_within(tail.wrapping_sub(last))
                .ok_or(Stuck::Corrupt)?;
            let end = last.wrapping_add(size);
            if end == tail {
                let number = header.number.wrapping_add(1);
                let next = Place { at: tail, number };
                return Ok(Self { next, oldest, last });
            }
            last = end;
        }
    }

    /// Writes a message, which nobody sees yet. It is no longer than half of the ring, with its header.
    #[inline]
    pub(crate) fn append(&mut self, ring: Ring<'_>, message: &[u8]) -> Result<(), Stuck> {
        let Place { at, number } = self.next;
        let next = self.next.after(message.len());
        if next.at.wrapping_sub(self.oldest) > ring.capacity() {
            self.discard(ring, next.at)?;
        }
        let word = MARK << 32 | message.len() as u64 & 0xffff_ffff;
        // ORDERING: Relaxed, twice; published by the tail, and the fence in `discard` comes before.
        ring.data.word(at).store(word, Ordering::Relaxed);
        let second = ring.data.word(at.wrapping_add(8));
        second.store(number, Ordering::Relaxed);
        ring.data.store(at.wrapping_add(HEADER as u64), message);
        crash::reach(Point::BroadcastWritten);
        self.last = at;
        self.next = next;
        Ok(())
    }

    /// Gives up the oldest records, so that there is room up to `end` and some more.
    #[cold]
    fn discard(&mut self, ring: Ring<'_>, end: u64) -> Result<(), Stuck> {
        // What was appended and not published is never given up, and what is kept is published.
        self.publish(ring);
        let capacity = ring.capacity();
        let mut oldest = self.oldest;
        while end.wrapping_sub(oldest) > capacity - capacity / STRIDE && oldest != self.last {
            let left = self.last.wrapping_sub(oldest);
            let size = ring
                .header(oldest)
                .size_within(left)
                .ok_or(Stuck::Corrupt)?;
            oldest = oldest.wrapping_add(size);
        }
        if end.wrapping_sub(oldest) > capacity {
            return Err(Stuck::Corrupt);
        }
        self.oldest = oldest;
        // ORDERING: Release; pairs with the Acquire in `find_oldest`.
        ring.oldest.store(oldest, Ordering::Release);
        crash::reach(Point::BroadcastDiscarded);
        // ORDERING: Release; pairs with the fence in `is_kept`: before any word that is written from now on.
        fence(Ordering::Release);
        Ok(())
    }

    /// Publishes what was appended.
    #[inline]
    pub(crate) fn publish(&mut self, ring: Ring<'_>) {
        // ORDERING: Release; pairs with the Acquire in `fetch`, `resume` and `find_end`: who sees the tail sees the records.
        ring.tail.store(self.next.at, Ordering::Release);
        crash::reach(Point::BroadcastPublished);
        // ORDERING: Release; pairs with the Acquire in `find_end`.
        ring.last.store(self.last, Ordering::Release);
        crash::reach(Point::BroadcastSettled);
    }
}

/// A consumer's own state.
#[derive(Debug)]
pub(crate) struct Consumer {
    next: Place,
    /// Known to be published up to here.
    tail: u64,
}

impl Consumer {
    /// One that sees what is published behind `tail`, which was the tail before the producer could know of this consumer.
    pub(crate) fn now(ring: Ring<'_>, tail: u64) -> Result<Self, Stuck> {
        if tail == 0 {
            return Ok(Self::at(Place::default()));
        }
        let end = ring.find_end()?;
        if end.at.wrapping_sub(tail).cast_signed() <= 0 {
            return Ok(Self::at(end));
        }
        // More has come since.
        let header = ring.header(tail);
        if !ring.is_kept(tail) {
            return Self::oldest(ring);
        }
        let left = end.at.wrapping_sub(tail);
        let number = header.number;
        let sound = header.size_within(left).ok_or(Stuck::Corrupt);
        sound.map(|_| Self::at(Place { at: tail, number }))
    }

    /// One that sees what is kept.
    pub(crate) fn oldest(ring: Ring<'_>) -> Result<Self, Stuck> {
        ring.find_oldest().map(Self::at)
    }

    /// One that goes on where another was.
    pub(crate) const fn at(next: Place) -> Self {
        Self {
            next,
            tail: next.at,
        }
    }

    /// Where it is.
    pub(crate) const fn place(&self) -> Place {
        self.next
    }

    /// Copies the next message into `buf`, and tells its length. It stays the next one until [`advance`](Self::advance). After an error `buf` holds
    /// anything.
    #[inline]
    pub(crate) fn fetch(&mut self, ring: Ring<'_>, buf: &mut [u8]) -> Result<usize, Stuck> {
        let Place { at, number } = self.next;
        if self.tail == at {
            self.look(ring)?;
        }
        let header = ring.header(at);
        let len = header.len();
        let room = buf.get_mut(..len);
        let fits = room.is_some();
        if let Some(room) = room {
            ring.data.load(at.wrapping_add(HEADER as u64), room);
        }
        if !ring.is_kept(at) {
            return Err(Stuck::Lagged);
        }
        let left = self.tail.wrapping_sub(at);
        if header.size_within(left).is_none() || header.number != number {
            return Err(Stuck::Corrupt);
        }
        if !fits {
            return Err(Stuck::TooSmall(len));
        }
        crash::reach(Point::BroadcastCopied);
        Ok(len)
    }

    /// Looks how far the producer has come.
    #[inline]
    fn look(&mut self, ring: Ring<'_>) -> Result<(), Stuck> {
        let at = self.next.at;
        // ORDERING: Acquire; pairs with the Release in `publish`.
        let tail = ring.tail.load(Ordering::Acquire);
        if tail == at {
            return Err(Stuck::NotNow);
        }
        if tail.wrapping_sub(at) > ring.capacity() {
            return Err(match ring.is_kept(at) {
                true => Stuck::Corrupt,
                false => Stuck::Lagged,
            });
        }
        self.tail = tail;
        Ok(())
    }

    /// Steps behind the next message, which has `len` bytes.
    #[inline]
    pub(crate) fn advance(&mut self, len: usize) {
        self.next = self.next.after(len);
    }

    /// Goes on at the oldest record that is kept, and tells how many were missed.
    #[cold]
    pub(crate) fn catch_up(&mut self, ring: Ring<'_>) -> Result<u64, Stuck> {
        let oldest = ring.find_oldest()?;
        let missed = oldest.number.wrapping_sub(self.next.number);
        let passed = oldest.at.wrapping_sub(self.next.at);
        // A record is 16 bytes at least.
        if missed == 0 || missed > passed / HEADER as u64 {
            return Err(Stuck::Corrupt);
        }
        *self = Self::at(oldest);
        crash::reach(Point::BroadcastCaughtUp);
        Ok(missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::NonNull;

    struct Memory {
        words: Vec<u64>,
        cursors: [AtomicU64; 3],
    }

    impl Memory {
        fn new(capacity: usize) -> Self {
            Self {
                words: vec![0; capacity / 8],
                cursors: Default::default(),
            }
        }

        fn ring(&mut self) -> Ring<'_> {
            let capacity = size_of_val(self.words.as_slice());
            let start = NonNull::from(self.words.as_mut_slice()).cast();
            let [tail, oldest, last] = &self.cursors;
            // SAFETY: R1 holds as long as `self` is borrowed.
            let data = unsafe { Data::new(start, capacity) };
            Ring {
                tail,
                oldest,
                last,
                data,
            }
        }
    }

    fn send(producer: &mut Producer, ring: Ring<'_>, message: &[u8]) {
        producer.append(ring, message).expect("sound");
        producer.publish(ring);
    }

    fn recv(consumer: &mut Consumer, ring: Ring<'_>) -> Result<Vec<u8>, Stuck> {
        let mut buf = vec![0; 512];
        let len = consumer.fetch(ring, &mut buf)?;
        consumer.advance(len);
        buf.truncate(len);
        Ok(buf)
    }

    #[test]
    fn every_length_passes_at_every_place_to_everybody() {
        let mut memory = Memory::new(256);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        let mut consumers = [(); 3]
            .map(|()| Consumer::now(ring, ring.tail.load(Ordering::Relaxed)).expect("sound"));
        for round in 0..3000_usize {
            let message = vec![u8::try_from(round % 251).expect("small"); round % 113];
            send(&mut producer, ring, &message);
            for consumer in &mut consumers {
                assert_eq!(recv(consumer, ring), Ok(message.clone()));
                assert_eq!(recv(consumer, ring), Err(Stuck::NotNow));
            }
        }
    }

    #[test]
    fn who_is_overtaken_is_told_by_how_many_and_goes_on_at_the_oldest() {
        let mut memory = Memory::new(256);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        let mut consumer = Consumer::now(ring, ring.tail.load(Ordering::Relaxed)).expect("sound");
        let mut next = 0_u64;
        let mut told = 0;
        for number in 0..5000_u64 {
            let len = 8 + usize::try_from(number * 7 % 60).expect("small");
            let mut message = vec![0; len];
            message[..8].copy_from_slice(&number.to_ne_bytes());
            send(&mut producer, ring, &message);
            // Asleep for a while, now and then.
            if number % 37 < number % 61 {
                continue;
            }
            loop {
                match recv(&mut consumer, ring) {
                    Ok(message) => {
                        let found = message.first_chunk().map(|n| u64::from_ne_bytes(*n));
                        assert_eq!(found, Some(next));
                        next += 1;
                    }
                    Err(Stuck::NotNow) => break,
                    Err(Stuck::Lagged) => {
                        let missed = consumer.catch_up(ring).expect("sound");
                        assert_eq!(recv(&mut Consumer::oldest(ring).expect("sound"), ring), {
                            let mut same = Consumer::at(consumer.place());
                            recv(&mut same, ring)
                        });
                        next += missed;
                        told += missed;
                    }
                    Err(stuck) => panic!("{stuck:?}"),
                }
            }
            assert_eq!(next, number + 1);
        }
        assert!(told > 0);
    }

    #[test]
    fn at_least_the_last_is_kept_and_at_least_three_quarters_of_short_ones() {
        let mut memory = Memory::new(1024);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        for round in 0..200 {
            send(&mut producer, ring, &[round; 16]);
            if round > 32 {
                let kept = ring.left(0);
                assert!(kept >= 768, "{kept}");
            }
        }
        for round in 0..50 {
            // Half of the ring each, with the header.
            send(&mut producer, ring, &[round; 496]);
            let mut consumer = Consumer::oldest(ring).expect("sound");
            let mut last = Vec::new();
            while let Ok(message) = recv(&mut consumer, ring) {
                last = message;
            }
            assert_eq!(last, [round; 496]);
        }
    }

    #[test]
    fn a_successor_goes_on_wherever_the_one_before_it_died() {
        let mut memory = Memory::new(256);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        let mut consumer = Consumer::now(ring, ring.tail.load(Ordering::Relaxed)).expect("sound");
        for number in 0..500_u64 {
            let message = number.to_ne_bytes();
            producer.append(ring, b"never sent").expect("sound");
            // Died before it was published, having given up what was in its way.
            producer = Producer::resume(ring).expect("sound");
            send(&mut producer, ring, &message);
            if number > 0 {
                // Died before it told where the last one is.
                let last = ring.last.load(Ordering::Relaxed);
                let before = last - 8 - HEADER as u64;
                ring.last.store(before, Ordering::Relaxed);
                producer = Producer::resume(ring).expect("sound");
                assert_eq!(producer.last, last);
            }
            assert_eq!(recv(&mut consumer, ring), Ok(message.to_vec()));
            assert_eq!(recv(&mut consumer, ring), Err(Stuck::NotNow));
        }
    }

    #[test]
    fn a_late_one_starts_now_or_at_the_oldest() {
        let mut memory = Memory::new(256);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        for number in 0..100_u64 {
            let mut late = Consumer::now(ring, ring.tail.load(Ordering::Relaxed)).expect("sound");
            assert_eq!(late.place().number, number);
            let before = late.place();
            let tail = ring.tail.load(Ordering::Relaxed);
            send(&mut producer, ring, &number.to_ne_bytes());
            assert_eq!(recv(&mut late, ring), Ok(number.to_ne_bytes().to_vec()));
            // Met before it looked where it was.
            let met = Consumer::now(ring, tail).expect("sound");
            assert_eq!(met.place(), before);
            let mut again = Consumer::at(before);
            assert_eq!(recv(&mut again, ring), Ok(number.to_ne_bytes().to_vec()));
            let mut oldest = Consumer::oldest(ring).expect("sound");
            let first = oldest.place().number;
            assert!(number < 9 && first == 0 || number - first >= 6, "{first}");
            for expected in first..=number {
                let found = recv(&mut oldest, ring);
                assert_eq!(found, Ok(expected.to_ne_bytes().to_vec()));
            }
        }
    }

    #[test]
    fn a_batch_longer_than_the_ring_is_published_as_it_goes() {
        let mut memory = Memory::new(256);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        let mut consumer = Consumer::now(ring, ring.tail.load(Ordering::Relaxed)).expect("sound");
        for number in 0..100_u64 {
            producer.append(ring, &number.to_ne_bytes()).expect("sound");
        }
        producer.publish(ring);
        assert_eq!(recv(&mut consumer, ring), Err(Stuck::Lagged));
        let mut next = consumer.catch_up(ring).expect("sound");
        while let Ok(message) = recv(&mut consumer, ring) {
            assert_eq!(message, next.to_ne_bytes());
            next += 1;
        }
        assert_eq!(next, 100);
    }

    #[test]
    fn nonsense_is_never_out_of_bounds() {
        let words = [
            0,
            1,
            8,
            255,
            MARK << 32 | 0xffff_ffff,
            MARK << 32 | 3,
            u64::MAX,
        ];
        for word in words {
            for cursor in words {
                for which in 0..3 {
                    let mut memory = Memory::new(256);
                    memory.words.fill(word);
                    memory.cursors[which].store(cursor, Ordering::Relaxed);
                    let ring = memory.ring();
                    // Whatever it says, it ends, and touches the ring only.
                    let _ = ring.left(cursor);
                    if let Ok(mut producer) = Producer::resume(ring) {
                        for _ in 0..20 {
                            let _ = producer.append(ring, &[1; 100]);
                        }
                    }
                    let consumers = [
                        Consumer::now(ring, ring.tail.load(Ordering::Relaxed)),
                        Consumer::oldest(ring),
                        Ok(Consumer::at(Place {
                            at: cursor,
                            number: word,
                        })),
                    ];
                    for mut consumer in consumers.into_iter().flatten() {
                        let _ = recv(&mut consumer, ring);
                        let _ = consumer.catch_up(ring);
                    }
                }
            }
        }
    }

    #[test]
    fn threads_see_whole_messages_or_are_told() {
        let mut memory = Memory::new(1024);
        let ring = memory.ring();
        let count = 100_000_u64;
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let mut consumer =
                    Consumer::now(ring, ring.tail.load(Ordering::Relaxed)).expect("sound");
                scope.spawn(move || {
                    let mut next = 0;
                    while next < count {
                        match recv(&mut consumer, ring) {
                            Ok(message) => {
                                let (first, rest) =
                                    message.split_first_chunk::<8>().expect("a number");
                                assert_eq!(u64::from_ne_bytes(*first), next);
                                assert!(rest.chunks(8).all(|chunk| chunk == first), "torn");
                                next += 1;
                            }
                            Err(Stuck::NotNow) => std::thread::yield_now(),
                            Err(Stuck::Lagged) => next += consumer.catch_up(ring).unwrap_or(0),
                            Err(stuck) => panic!("{stuck:?}"),
                        }
                    }
                    assert_eq!(next, count);
                });
            }
            let mut producer = Producer::resume(ring).expect("sound");
            for number in 0..count {
                let times = 1 + usize::try_from(number % 8).expect("small");
                send(&mut producer, ring, &number.to_ne_bytes().repeat(times));
            }
        });
    }
}
