//! The ring of one producer and one consumer, without a lock.
//!
//! The header of a record is its publication: the consumer polls the header at its head, so a short
//! message and the news of it travel in one cache line. For that the word behind the last record
//! is always 0: a producer clears the next header's place before it stores a header. A batch stores
//! its first header last, so one store publishes all of it.
//!
//! ```text
//!    head                         tail
//!     | hdr msg | hdr msg | hdr msg | 0 ...
//!
//!   writing --clear next--> --header.store(Release)--> published --tail.store--> settled
//!      dies: never sent                                 dies: sent; the successor walks to the 0
//! ```
//!
//! Each side keeps its own position and what it last saw of the other's, after rtrb and `FastForward`.

use crate::{
    crash::{self, Point, Step},
    ring::{
        Data, OutOfBounds, copy, hold_off,
        record::{self, Kind},
    },
    sync::{AtomicU64, Ordering},
    tally::Tally,
};

/// Where the ring is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a> {
    /// Where the producer's successor starts to look for its place. Producer writes.
    pub(crate) tail: &'a AtomicU64,
    /// Everything before it is finished. Consumer writes.
    pub(crate) head: &'a AtomicU64,
    /// The producer's counters, of which only the most bytes are counted here: where it looks how many there are.
    pub(crate) tally: &'a Tally,
    /// The records.
    pub(crate) data: Data<'a>,
}

impl From<OutOfBounds> for Stuck {
    fn from(_: OutOfBounds) -> Self {
        Self::Corrupt
    }
}

/// Why nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// No room, or no message.
    NotNow,
    /// The bytes are not what a producer writes.
    Corrupt,
}

/// The producer's own state.
#[derive(Debug, Default)]
pub(crate) struct Producer {
    /// Where the next record goes.
    tail: u64,
    /// The consumer had finished everything before here.
    head: u64,
    /// A batch that is not published yet: where it starts, and its first header.
    first: Option<(u64, u64)>,
    /// The reserved message: where its record starts, and its length.
    reserved: Option<(u64, usize)>,
}

impl Producer {
    /// Goes on where the last producer stopped, wherever it died.
    pub(crate) fn resume(ring: Ring<'_>) -> Result<Self, Stuck> {
        // ORDERING: Acquire; pairs with the Release in `show`.
        let mut tail = ring.tail.load(Ordering::Acquire) & !7;
        // ORDERING: Acquire; pairs with the Release in `finish`.
        let head = ring.head.load(Ordering::Acquire);
        let overtaken = (1..=ring.data.capacity() as u64).contains(&head.wrapping_sub(tail));
        if overtaken && !crash::is_left_out(Step::FollowHead) {
            // It died before it settled the tail, and what it sent is received by now.
            tail = head & !7;
        }
        // Whoever published without settling the tail is dead; bounded by the ring, whatever the headers say.
        while tail.wrapping_sub(head) <= ring.data.capacity() as u64 {
            // ORDERING: Acquire; pairs with the Release in `show`.
            let word = ring.data.word(tail).load(Ordering::Acquire);
            if word == 0 || crash::is_left_out(Step::WalkToLast) {
                // ORDERING: Release; as in `show`.
                ring.tail.store(tail, Ordering::Release);
                crash::reach(Point::SpscResumed);
                return Ok(Self {
                    tail,
                    head,
                    ..Self::default()
                });
            }
            let (_, len) = record::parse(word, ring.data.place(tail).1)?;
            tail = tail.wrapping_add(record::size(len) as u64);
        }
        Err(Stuck::Corrupt)
    }

    /// Finds room for a message of `len` bytes, with filler before it if need be and the next header behind it, and tells
    /// where the record starts.
    #[inline]
    fn room(&mut self, ring: Ring<'_>, len: usize) -> Result<u64, Stuck> {
        let size = record::size(len);
        let (_, left) = ring.data.place(self.tail);
        let pad = if size > left { left } else { 0 };
        let start = self.tail.wrapping_add(pad as u64);
        let end = start.wrapping_add((size + record::HEADER) as u64);
        let capacity = ring.data.capacity() as u64;
        if end.wrapping_sub(self.head) > capacity {
            self.refresh(ring, end)?;
        }
        Ok(start)
    }

    /// Looks how far the consumer has come.
    #[cold]
    fn refresh(&mut self, ring: Ring<'_>, end: u64) -> Result<(), Stuck> {
        let capacity = ring.data.capacity() as u64;
        // ORDERING: Acquire; pairs with the Release in `finish`: what is before the head may be overwritten.
        let head = ring.head.load(Ordering::Acquire);
        let used = self.tail.wrapping_sub(head);
        if used > capacity {
            return Err(Stuck::Corrupt);
        }
        ring.tally.saw(used);
        self.head = head;
        if end.wrapping_sub(head) > capacity {
            return Err(Stuck::NotNow);
        }
        Ok(())
    }

    /// Takes room for a message of `len` bytes.
    #[inline]
    pub(crate) fn reserve(&mut self, ring: Ring<'_>, len: usize) -> Result<(), Stuck> {
        self.reserved = Some((self.room(ring, len)?, len));
        Ok(())
    }

    /// The reserved message.
    #[inline]
    pub(crate) fn reserved<'a>(&'a mut self, ring: Ring<'a>) -> &'a mut [u8] {
        let Some((start, len)) = self.reserved else {
            return &mut [];
        };
        match ring
            .data
            .range(start.wrapping_add(record::HEADER as u64), len)
        {
            // SAFETY: by R1, R2 and R4.
            Ok(place) => unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), len) },
            Err(OutOfBounds) => &mut [],
        }
    }

    /// How long the reserved message is.
    #[inline]
    pub(crate) fn reserved_len(&self) -> Option<usize> {
        self.reserved.map(|(_, len)| len)
    }

    /// Gives the reservation back.
    #[inline]
    pub(crate) fn abort(&mut self) {
        self.reserved = None;
    }

    /// Sends the first `len` bytes of the reservation.
    #[inline]
    pub(crate) fn commit(&mut self, ring: Ring<'_>, len: usize) {
        if let Some((start, _)) = self.reserved.take() {
            self.add(ring, start, len);
            self.publish(ring);
        }
    }

    /// Sends a short message, if there is room for it where the last one ended: the shortest way, which is nearly always open.
    /// `false` if not; then [`append`](Self::append) knows more. No batch may be open.
    #[inline(always)]
    pub(crate) fn send(&mut self, ring: Ring<'_>, message: &[u8]) -> bool {
        let size = record::size(message.len());
        let (_, left) = ring.data.place(self.tail);
        let end = self.tail.wrapping_add(size as u64);
        let behind = end.wrapping_add(record::HEADER as u64);
        let used = behind.wrapping_sub(self.head);
        let is_long = message.len() > copy::PIECE;
        if is_long || size > left || used > ring.data.capacity() as u64 {
            return false;
        }
        let text = self.tail.wrapping_add(record::HEADER as u64);
        if ring.data.write_short(text, message).is_err() {
            return false;
        }
        crash::reach(Point::SpscWritten);
        let word = record::header(Kind::Message, message.len());
        Self::show(ring, self.tail, word, end);
        self.tail = end;
        true
    }

    /// Adds a message to the batch.
    #[inline]
    pub(crate) fn append(&mut self, ring: Ring<'_>, message: &[u8]) -> Result<(), Stuck> {
        let start = self.room(ring, message.len())?;
        ring.data
            .write(start.wrapping_add(record::HEADER as u64), message)?;
        crash::reach(Point::SpscWritten);
        self.add(ring, start, message.len());
        Ok(())
    }

    /// Adds a record that is written, but for its header.
    #[inline]
    fn add(&mut self, ring: Ring<'_>, start: u64, len: usize) {
        if start != self.tail {
            let pad = usize::try_from(start.wrapping_sub(self.tail)).unwrap_or(0);
            let filler = record::header(Kind::Padding, pad.saturating_sub(record::HEADER));
            self.store_header(ring, self.tail, filler);
        }
        self.store_header(ring, start, record::header(Kind::Message, len));
        self.tail = start.wrapping_add(record::size(len) as u64);
    }

    #[inline]
    fn store_header(&mut self, ring: Ring<'_>, at: u64, word: u64) {
        if self.first.is_none() {
            self.first = Some((at, word));
        } else {
            // ORDERING: Relaxed; published by the first header of the batch.
            ring.data.word(at).store(word, Ordering::Relaxed);
            crash::reach(Point::SpscAdded);
        }
    }

    /// Publishes the batch.
    #[inline]
    pub(crate) fn publish(&mut self, ring: Ring<'_>) {
        if let Some((at, word)) = self.first.take() {
            Self::show(ring, at, word, self.tail);
        }
    }

    /// Stores the header at `at` that makes everything up to `tail` visible.
    #[inline(always)]
    fn show(ring: Ring<'_>, at: u64, word: u64, tail: u64) {
        // ORDERING: Relaxed; comes before the header that follows, which a consumer passes first.
        ring.data.word(tail).store(0, Ordering::Relaxed);
        crash::reach(Point::SpscCleared);
        // ORDERING: Release; pairs with the Acquire in `look` and `resume`: who sees the header sees the
        // messages and the 0 behind.
        ring.data.word(at).store(word, Ordering::Release);
        crash::reach(Point::SpscShown);
        // ORDERING: Release; pairs with the Acquire in `resume` and `look_ahead`.
        ring.tail.store(tail, Ordering::Release);
        crash::reach(Point::SpscSettled);
    }
}

/// The consumer's own state.
#[derive(Debug, Default)]
pub(crate) struct Consumer {
    head: u64,
    /// Known to be published up to here, so that nothing the producer is writing is touched before it must be.
    tail: u64,
    /// Whether the last look found a message.
    hit: bool,
    /// Whether it found several.
    streams: bool,
    /// The length of the message at the head, once it was looked at.
    peeked: Option<usize>,
}

impl Consumer {
    /// Goes on where the last consumer stopped: what it had not finished is received again.
    pub(crate) fn resume(ring: Ring<'_>) -> Self {
        // ORDERING: Acquire; pairs with the Release in `finish` of the consumer before.
        let head = ring.head.load(Ordering::Acquire) & !7;
        Self {
            head,
            tail: head,
            hit: false,
            streams: false,
            peeked: None,
        }
    }

    /// The header at the head, 0 if there is none yet.
    #[inline(always)]
    fn look(&mut self, ring: Ring<'_>) -> u64 {
        let known = self.head != self.tail;
        if !known && self.streams {
            hold_off();
        }
        // ORDERING: Acquire; pairs with the Release in `show`.
        let word = ring.data.word(self.head).load(Ordering::Acquire);
        if word == 0 {
            (self.hit, self.streams) = (false, false);
        } else if !known {
            // A lone message is not worth a look at the tail's line, which the producer has.
            if self.hit {
                self.look_ahead(ring, word);
            }
            self.hit = true;
        }
        word
    }

    /// Whether the next message was found.
    #[inline]
    pub(crate) const fn has_found(&self) -> bool {
        self.peeked.is_some()
    }

    /// Finds the next message.
    #[inline(always)]
    pub(crate) fn peek(&mut self, ring: Ring<'_>) -> Result<usize, Stuck> {
        if let Some(len) = self.peeked {
            return Ok(len);
        }
        let word = self.look(ring);
        if word == 0 {
            return Err(Stuck::NotNow);
        }
        let len = record::message(word, ring.data.place(self.head).1);
        if let Some(len) = len {
            self.peeked = Some(len);
            return Ok(len);
        }
        self.skip(ring, word)
    }

    /// Receives the next message, if it is there and short, and `buf` has room for it, and tells its length: the shortest way, which
    /// is nearly always open. `None` if not; then [`peek`](Self::peek) knows more.
    #[inline(always)]
    pub(crate) fn recv(&mut self, ring: Ring<'_>, buf: &mut [u8]) -> Option<usize> {
        if self.peeked.is_some() {
            return None;
        }
        let word = self.look(ring);
        let len = record::message(word, ring.data.place(self.head).1)?;
        if len > copy::PIECE {
            self.peeked = Some(len);
            return None;
        }
        let text = self.head.wrapping_add(record::HEADER as u64);
        if len == buf.len() {
            // A length that the compiler may know: then these are a few moves and no call.
            ring.data.read_short(text, buf).ok()?;
        } else {
            ring.data.read_short(text, buf.get_mut(..len)?).ok()?;
        }
        self.advance(len);
        crash::reach(Point::SpscStepped);
        self.finish(ring);
        Some(len)
    }

    /// Looks how far the producer has come behind the record with this header.
    #[inline]
    fn look_ahead(&mut self, ring: Ring<'_>, word: u64) {
        // ORDERING: Acquire; pairs with the Release in `show`. May not have come yet.
        let tail = ring.tail.load(Ordering::Acquire);
        let ahead = tail.wrapping_sub(self.head);
        if ahead <= ring.data.capacity() as u64 && tail & 7 == 0 {
            self.tail = tail;
        }
        self.streams = ahead > record::length(word) + 256;
    }

    /// Steps over the filler at the end of the ring, or over nonsense not.
    #[cold]
    fn skip(&mut self, ring: Ring<'_>, word: u64) -> Result<usize, Stuck> {
        let (kind, len) = record::parse(word, ring.data.place(self.head).1)?;
        if kind != Kind::Padding {
            return Err(Stuck::Corrupt);
        }
        self.advance(len);
        crash::reach(Point::SpscSkipped);
        // ORDERING: Acquire; pairs with the Release in `show`.
        let word = ring.data.word(self.head).load(Ordering::Acquire);
        if word == 0 {
            return Err(Stuck::NotNow);
        }
        // Filler is followed by a message, never by filler.
        self.peeked = record::message(word, ring.data.place(self.head).1);
        self.peeked.ok_or(Stuck::Corrupt)
    }

    #[inline]
    fn advance(&mut self, len: usize) {
        let known = self.head != self.tail;
        self.head = self.head.wrapping_add(record::size(len) as u64);
        if !known {
            self.tail = self.head;
        }
    }

    /// The message that was found.
    #[inline]
    pub(crate) fn peeked<'a>(&'a self, ring: Ring<'a>) -> &'a [u8] {
        let Some(len) = self.peeked else {
            return &[];
        };
        let start = self.head.wrapping_add(record::HEADER as u64);
        match ring.data.range(start, len) {
            // SAFETY: by R1, R2 and R4.
            Ok(place) => unsafe { std::slice::from_raw_parts(place.as_ptr(), len) },
            Err(OutOfBounds) => &[],
        }
    }

    /// Copies the message that was found, which is as long as `buf`.
    pub(crate) fn copy(&self, ring: Ring<'_>, buf: &mut [u8]) {
        let start = self.head.wrapping_add(record::HEADER as u64);
        // The length was checked when it was found.
        let _ = ring.data.read(start, buf);
    }

    /// Steps behind the message that was found, without giving its room back yet. `false` if there was none.
    #[inline]
    pub(crate) fn step(&mut self) -> bool {
        let Some(len) = self.peeked.take() else {
            return false;
        };
        self.advance(len);
        crash::reach(Point::SpscStepped);
        true
    }

    /// Gives back the room of everything before the head.
    #[inline]
    pub(crate) fn finish(&self, ring: Ring<'_>) {
        // ORDERING: Release; pairs with the Acquire in `Producer::reserve`.
        ring.head.store(self.head, Ordering::Release);
        crash::reach(Point::SpscFinished);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::NonNull;

    struct Memory {
        words: Vec<u64>,
        tail: AtomicU64,
        head: AtomicU64,
        tally: Tally,
    }

    impl Memory {
        /// Positions start at `at`.
        fn new(capacity: usize, at: u64) -> Self {
            Self {
                words: vec![0; capacity / 8],
                tail: AtomicU64::new(at),
                head: AtomicU64::new(at),
                tally: Tally::default(),
            }
        }

        fn ring(&mut self) -> Ring<'_> {
            let capacity = size_of_val(self.words.as_slice());
            let start = NonNull::from(self.words.as_mut_slice()).cast();
            // SAFETY: R1 holds as long as `self` is borrowed.
            let data = unsafe { Data::new(start, capacity) };
            Ring {
                tail: &self.tail,
                head: &self.head,
                tally: &self.tally,
                data,
            }
        }
    }

    fn pop(consumer: &mut Consumer, ring: Ring<'_>) -> Result<Vec<u8>, Stuck> {
        consumer.peek(ring)?;
        let message = consumer.peeked(ring).to_vec();
        consumer.step();
        consumer.finish(ring);
        Ok(message)
    }

    fn push(producer: &mut Producer, ring: Ring<'_>, message: &[u8]) -> Result<(), Stuck> {
        producer.append(ring, message)?;
        producer.publish(ring);
        Ok(())
    }

    #[test]
    fn every_length_passes_at_every_place_also_where_positions_wrap() {
        for start in [0, u64::MAX - 1023, (1 << 32) - 512] {
            let mut memory = Memory::new(256, start & !255);
            let ring = memory.ring();
            let mut producer = Producer::resume(ring).expect("sound");
            let mut consumer = Consumer::resume(ring);
            for round in 0..2000_usize {
                let message = vec![u8::try_from(round % 251).expect("small"); round % 105];
                push(&mut producer, ring, &message).expect("an empty ring has room");
                assert_eq!(pop(&mut consumer, ring), Ok(message));
                assert_eq!(pop(&mut consumer, ring), Err(Stuck::NotNow));
            }
        }
    }

    #[test]
    fn a_batch_is_invisible_until_it_is_published() {
        let mut memory = Memory::new(256, 0);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        let mut consumer = Consumer::resume(ring);
        for message in [b"one", b"two"] {
            producer.append(ring, message).expect("room");
            assert_eq!(pop(&mut consumer, ring), Err(Stuck::NotNow));
        }
        producer.publish(ring);
        assert_eq!(pop(&mut consumer, ring).as_deref(), Ok(&b"one"[..]));
        assert_eq!(pop(&mut consumer, ring).as_deref(), Ok(&b"two"[..]));
    }

    #[test]
    fn a_successor_finds_what_was_published_and_not_what_was_not() {
        let mut memory = Memory::new(256, 0);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        push(&mut producer, ring, b"sent").expect("room");
        // Died between the header and the tail.
        ring.tail.store(0, Ordering::Relaxed);
        let mut successor = Producer::resume(ring).expect("sound");
        successor.reserve(ring, 4).expect("room");
        successor.reserved(ring).copy_from_slice(b"lost");
        // Died before the header.
        let mut third = Producer::resume(ring).expect("sound");
        push(&mut third, ring, b"next").expect("room");
        let mut consumer = Consumer::resume(ring);
        consumer.peek(ring).expect("there");
        // Died before it finished.
        let mut consumer = Consumer::resume(ring);
        assert_eq!(pop(&mut consumer, ring).as_deref(), Ok(&b"sent"[..]));
        assert_eq!(pop(&mut consumer, ring).as_deref(), Ok(&b"next"[..]));
        assert_eq!(pop(&mut consumer, ring), Err(Stuck::NotNow));
    }

    #[test]
    fn a_successor_goes_on_where_the_consumer_is_if_that_is_further() {
        let mut memory = Memory::new(256, 0);
        let ring = memory.ring();
        let mut producer = Producer::resume(ring).expect("sound");
        let mut consumer = Consumer::resume(ring);
        push(&mut producer, ring, b"sent").expect("room");
        // Died between the header and the tail, and the message was received.
        ring.tail.store(0, Ordering::Relaxed);
        assert_eq!(pop(&mut consumer, ring).as_deref(), Ok(&b"sent"[..]));
        let mut successor = Producer::resume(ring).expect("sound");
        push(&mut successor, ring, b"next").expect("room");
        assert_eq!(pop(&mut consumer, ring).as_deref(), Ok(&b"next"[..]));
    }

    #[test]
    fn nonsense_is_corrupt_and_never_out_of_bounds() {
        for word in [
            1,
            u64::MAX,
            record::header(Kind::Message, 1 << 20),
            0x4d << 32 | 249,
        ] {
            let mut memory = Memory::new(256, 0);
            memory.words[0] = word;
            let ring = memory.ring();
            assert_eq!(Consumer::resume(ring).peek(ring), Err(Stuck::Corrupt));
            assert_eq!(Producer::resume(ring).map(drop), Err(Stuck::Corrupt));
        }
    }
}
