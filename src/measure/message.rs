//! Numbered messages whose every byte follows from their number, and the account of those that came.

use std::time::Duration;

use crate::measure::{fault::Fault, sizes::Sizes};

/// Bits of a message's number that count; those above are the producer's.
pub(super) const SEQUENCE_BITS: u32 = 40;
/// The bits that count.
const SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;
/// What each word of a message is more than the one before.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Writes every byte of message `number`.
#[inline]
pub(super) fn write(number: u64, message: &mut [u8]) {
    let (words, tail) = message.as_chunks_mut::<8>();
    let mut word = number;
    for place in words {
        *place = word.to_le_bytes();
        word = word.wrapping_add(STEP);
    }
    for (place, byte) in tail.iter_mut().zip(word.to_le_bytes()) {
        *place = byte;
    }
}

/// Reads every byte, and tells whether they are those of message `number`.
#[inline]
pub(super) fn is(number: u64, message: &[u8]) -> bool {
    let (words, tail) = message.as_chunks::<8>();
    let mut word = number;
    let mut wrong = 0;
    for place in words {
        wrong |= u64::from_le_bytes(*place) ^ word;
        word = word.wrapping_add(STEP);
    }
    for (byte, right) in tail.iter().zip(word.to_le_bytes()) {
        wrong |= u64::from(byte ^ right);
    }
    wrong == 0
}

/// The part of `number` that a message of `size` bytes has room for.
#[inline]
pub(super) const fn visible(number: u64, size: usize) -> u64 {
    match size {
        0 => 0,
        1..8 => number & (u64::MAX >> (64 - 8 * size)),
        _ => number,
    }
}

/// The number that a message carries, as far as it has room for it.
#[inline]
pub(super) fn number_of(message: &[u8]) -> u64 {
    if let Some(first) = message.first_chunk() {
        return u64::from_le_bytes(*first);
    }
    message
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What one process sent or received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many messages.
    pub(super) count: u64,
    /// How many bytes they have.
    pub(super) bytes: u64,
    /// The sum of their numbers.
    pub(super) sum: u64,
    /// The sum of the squares, so that two wrong numbers do not make up for each other.
    pub(super) squares: u64,
    /// When it began and ended, in nanoseconds.
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Tally {
    /// Counts a message.
    #[inline]
    pub(super) const fn add(&mut self, number: u64, size: usize) {
        self.count = self.count.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(size as u64);
        self.sum = self.sum.wrapping_add(number);
        self.squares = self.squares.wrapping_add(number.wrapping_mul(number));
    }

    /// From the beginning to the end.
    pub(super) fn seconds(&self) -> f64 {
        Duration::from_nanos(self.end.saturating_sub(self.start)).as_secs_f64()
    }

    /// Both together, from the first beginning to the last end.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_add(other.count),
            bytes: self.bytes.wrapping_add(other.bytes),
            sum: self.sum.wrapping_add(other.sum),
            squares: self.squares.wrapping_add(other.squares),
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// What is wrong if this was sent and `received` came.
    pub(super) const fn compare(&self, received: &Self) -> Result<(), Fault> {
        let (sent, received_count) = (self.count, received.count);
        if sent != received_count {
            return Err(Fault::Miscounted {
                sent,
                received: received_count,
            });
        }
        if self.bytes != received.bytes
            || self.sum != received.sum
            || self.squares != received.squares
        {
            return Err(Fault::Mixed);
        }
        Ok(())
    }
}

/// How long each message is that the producers of a workload send.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lengths {
    sizes: Sizes,
    producers: u64,
}

impl Lengths {
    pub(super) fn new(sizes: Sizes, producers: u16) -> Self {
        let producers = producers.into();
        Self { sizes, producers }
    }

    /// Which of the messages of all producers the one with this number is.
    #[inline]
    pub(super) const fn place(&self, number: u64) -> u64 {
        let (producer, sequence) = (number >> SEQUENCE_BITS, number & SEQUENCE);
        sequence.wrapping_mul(self.producers).wrapping_add(producer)
    }

    /// The size of message `number`.
    #[inline]
    pub(super) fn of(&self, number: u64) -> usize {
        match &self.sizes {
            Sizes::Fixed(size) => *size,
            sizes => sizes.of(self.place(number)),
        }
    }

    /// How long all are.
    pub(super) const fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// The longest.
    pub(super) fn most(&self) -> usize {
        self.sizes.most()
    }

    /// Bytes of a message on average, at least 1.
    pub(super) fn typical(&self) -> usize {
        usize::midpoint(self.sizes.least(), self.sizes.most()).max(1)
    }

    /// The length of the message that ends a producer's sending: one that no other has.
    pub(super) fn mark(&self) -> usize {
        match self.sizes.least() {
            0 => self.most().saturating_add(1),
            _ => 0,
        }
    }
}

/// The account that a consumer keeps.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    lengths: &'a Lengths,
    /// The least number to come from each producer.
    next: Vec<u64>,
    /// Whether this consumer sees every number, so that none may be missing.
    alone: bool,
    pub(super) tally: Tally,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(lengths: &'a Lengths, consumers: u16) -> Self {
        let firsts = (0..lengths.producers).map(|producer| producer << SEQUENCE_BITS);
        Self {
            lengths,
            next: firsts.collect(),
            // Of several producers a short message does not tell whose it is.
            alone: consumers == 1 && (lengths.producers == 1 || lengths.sizes.least() >= 8),
            tally: Tally {
                start: u64::MAX,
                ..Tally::default()
            },
        }
    }

    /// Enters a message, if it is whole and in its place, and tells its number as far as the message has room for it.
    #[inline]
    pub(super) fn enter(&mut self, message: &[u8]) -> Result<u64, Fault> {
        let found = number_of(message);
        let (number, next) = match self.next.as_mut_slice() {
            // Of a short message only the low bytes are seen; the rest must be as expected.
            [next] if self.alone => (*next, next),
            many if message.len() >= 8 => {
                let producer = usize::try_from(found >> SEQUENCE_BITS).unwrap_or(usize::MAX);
                match many.get_mut(producer) {
                    Some(next) => (found, next),
                    None => return Err(self.lengths.wrong(found, found, message)),
                }
            }
            // Too short to tell who sent it, and so which length was sent, unless all have the same.
            _ => {
                if self.lengths.sizes.least() == self.lengths.most()
                    && message.len() != self.lengths.most()
                {
                    return Err(self.lengths.wrong(found, found, message));
                }
                self.tally.add(found, message.len());
                return Ok(found);
            }
        };
        let misplaced = if self.alone {
            visible(*next, message.len()) != found
        } else {
            found < *next
        };
        if misplaced || message.len() != self.lengths.of(number) || !is(number, message) {
            return Err(self.lengths.wrong(*next, found, message));
        }
        *next = number.wrapping_add(1);
        self.tally.add(found, message.len());
        // All of it, since it was in its place.
        Ok(number)
    }
}

impl Lengths {
    /// A message that is whole in itself came at the wrong time; one that is not was cut or altered.
    #[cold]
    fn wrong(&self, expected: u64, found: u64, message: &[u8]) -> Fault {
        let sent = if self.sizes.least() == self.most() {
            self.most()
        } else {
            self.of(found)
        };
        let whole = message.len() == sent && is(found, message);
        if whole && found != expected {
            return Fault::Misplaced {
                expected: expected & SEQUENCE,
                found: found & SEQUENCE,
            };
        }
        let sent = self.of(expected);
        if !whole && message.len() != sent && is(visible(found, message.len()), message) {
            return Fault::Resized {
                sent: sent as u64,
                received: message.len() as u64,
            };
        }
        Fault::Altered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64, size: usize) -> Vec<u8> {
        let mut message = vec![0; size];
        write(number, &mut message);
        message
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        for size in [8, 9, 64, 77] {
            let mut message = message(5, size);
            assert!(is(5, &message));
            for bit in 0..size * 8 {
                message[bit / 8] ^= 1 << (bit % 8);
                assert!(!is(5, &message), "bit {bit} of {size} bytes");
                message[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn one_to_one_nothing_may_be_missing_or_twice() {
        for size in [1, 2, 8, 64] {
            let lengths = Lengths::new(Sizes::Fixed(size), 1);
            let mut ledger = Ledger::new(&lengths, 1);
            for number in 0..1000 {
                ledger.enter(&message(number, size)).expect("in order");
            }
            let again = ledger.enter(&message(999, size));
            assert!(matches!(again, Err(Fault::Misplaced { .. })), "{again:?}");
            let skipped = ledger.enter(&message(1001, size));
            assert!(
                matches!(skipped, Err(Fault::Misplaced { .. })),
                "{skipped:?}"
            );
            let cut = ledger.enter(&message(1000, size - 1));
            assert!(matches!(cut, Err(Fault::Resized { .. })), "{cut:?}");
        }
    }

    #[test]
    fn many_to_many_each_producer_is_in_order() {
        let lengths = Lengths::new(Sizes::Fixed(64), 2);
        let mut ledger = Ledger::new(&lengths, 2);
        let second = 1 << SEQUENCE_BITS;
        for number in [0, second, 3, second + 7, 4] {
            ledger.enter(&message(number, 64)).expect("in order");
        }
        let back = ledger.enter(&message(second + 6, 64));
        assert!(matches!(back, Err(Fault::Misplaced { .. })), "{back:?}");
        let nobody = ledger.enter(&message(2 << SEQUENCE_BITS, 64));
        assert_eq!(nobody, Err(Fault::Altered));
    }

    #[test]
    fn sizes_may_differ_from_message_to_message() {
        for (producers, consumers) in [(1, 1), (2, 1), (2, 2)] {
            let lengths = Lengths::new(Sizes::Range(1..=100), producers);
            let mut ledger = Ledger::new(&lengths, consumers);
            let right = |number| message(number, lengths.of(number));
            for number in 0..1000 {
                ledger.enter(&right(number)).expect("in order");
            }
            let longer = (1000..).find(|n| lengths.of(*n) > 20).expect("one");
            let mut cut = right(longer);
            cut.pop();
            for number in 1000..longer {
                ledger.enter(&right(number)).expect("in order");
            }
            let cut = ledger.enter(&cut);
            assert!(matches!(cut, Err(Fault::Resized { .. })), "{cut:?}");
            let mut flipped = right(longer);
            flipped[19] ^= 1;
            assert_eq!(ledger.enter(&flipped), Err(Fault::Altered));
            let back = (500..).find(|n| lengths.of(*n) > 20).expect("one");
            let back = ledger.enter(&right(back));
            assert!(matches!(back, Err(Fault::Misplaced { .. })), "{back:?}");
        }
        let nothing_too = Lengths::new(Sizes::Range(0..=9), 1);
        assert_eq!(nothing_too.mark(), 10, "a length of its own");
    }

    #[test]
    fn sums_tell_a_loss_and_a_swap() {
        let of = |numbers: &[u64]| {
            let mut tally = Tally::default();
            numbers.iter().for_each(|&number| tally.add(number, 8));
            tally
        };
        let sent = of(&[1, 2, 3, 4]);
        assert_eq!(sent.compare(&of(&[4, 3, 2, 1])), Ok(()));
        assert_eq!(sent.compare(&of(&[1, 1, 4, 4])), Err(Fault::Mixed));
        let lost = Fault::Miscounted {
            sent: 4,
            received: 3,
        };
        assert_eq!(sent.compare(&of(&[1, 2, 3])), Err(lost));
    }
}
