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
    let mut consumers =
        [(); 3].map(|()| Consumer::now(ring, ring.tail.load(Ordering::Relaxed)).expect("sound"));
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
                for consumer in [
                    Consumer::now(ring, ring.tail.load(Ordering::Relaxed)),
                    Consumer::oldest(ring),
                    Ok(Consumer::at(Place {
                        at: cursor,
                        number: word,
                    })),
                ] {
                    if let Ok(mut consumer) = consumer {
                        let _ = recv(&mut consumer, ring);
                        let _ = consumer.catch_up(ring);
                    }
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
                            let (first, rest) = message.split_first_chunk::<8>().expect("a number");
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
