//! What has been counted in a segment, read from the object and not from a mapping: nothing that is read can harm the reader, whatever
//! becomes of the object meanwhile.

use std::{fs::File, io, mem::offset_of, os::unix::fs::FileExt, time::Duration};

use crate::{
    Counters, End, Flow, Scope, clock, presence,
    shm::{
        layout::{DATA, Header, LINES, Line, Shape, Side},
        segment::Segment,
    },
    sync::Ordering,
    tally::Tally,
};

/// The words of a tally.
const TALLY: usize = size_of::<Tally>() / 8;
/// The words of a line.
const LINE: usize = size_of::<Line>() / 8;

/// What a segment says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// The producers' cursor.
    pub(crate) tail: u64,
    /// The consumers'.
    pub(crate) head: u64,
    /// The counters of all ends.
    pub(crate) counters: Counters,
}

/// The sum of some tallies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    flow: Flow,
    drops: u64,
    highest: u64,
}

impl Sum {
    /// Adds what the words of a tally say. That a wait lasts is believed only if somebody is there who may be waiting.
    pub(crate) fn add(&mut self, words: &[u64], now: u64, may_wait: bool) {
        let Some(
            &[
                messages,
                bytes,
                waits,
                waited,
                since,
                wake_ups,
                drops,
                highest,
            ],
        ) = words.first_chunk::<TALLY>()
        else {
            return;
        };
        // Begun in the future: nonsense, or the clock of another namespace.
        let lasts = match since {
            1.. if may_wait => now.saturating_sub(since),
            _ => 0,
        };
        let waited = Duration::from_nanos(waited.saturating_add(lasts));
        let Flow { bytes: sum, .. } = self.flow;
        self.flow = Flow {
            messages: self.flow.messages.wrapping_add(messages),
            bytes: Some(sum.unwrap_or(0).wrapping_add(bytes)),
            waits: self.flow.waits.wrapping_add(waits),
            waited: self.flow.waited.saturating_add(waited),
            wake_ups: self.flow.wake_ups.wrapping_add(wake_ups),
        };
        self.drops = self.drops.wrapping_add(drops);
        self.highest = self.highest.max(highest);
    }
}

/// The counters that the sums of both sides make.
pub(crate) fn counters(scope: Scope, sent: Sum, received: Sum) -> Counters {
    let highest = sent.highest.max(received.highest);
    Counters {
        scope,
        sent: sent.flow,
        received: received.flow,
        drops: sent.drops.wrapping_add(received.drops),
        highest: (highest > 0).then_some(highest),
    }
}

/// The counters of one end of this process.
pub(crate) fn of_end(end: End, tally: &Tally) -> Counters {
    let words = [
        &tally.messages,
        &tally.bytes,
        &tally.waits,
        &tally.waited,
        &tally.since,
        &tally.wake_ups,
        &tally.drops,
        &tally.highest,
    ];
    // ORDERING: Relaxed; numbers for people.
    let words = words.map(|word| word.load(Ordering::Relaxed));
    let mut sum = Sum::default();
    sum.add(&words, clock::now(), true);
    of(end, sum)
}

/// The counters of one end.
pub(crate) fn of(end: End, sum: Sum) -> Counters {
    match end {
        End::Sender => counters(Scope::End(end), sum, Sum::default()),
        End::Receiver => counters(Scope::End(end), Sum::default(), sum),
    }
}

fn words<const N: usize>(file: &File, at: u64) -> io::Result<[u64; N]> {
    let mut words = [0; N];
    file.read_exact_at(bytemuck::cast_slice_mut(&mut words), at)?;
    Ok(words)
}

/// Reads a sound segment of this shape.
pub(crate) fn read(file: &File, shape: &Shape) -> io::Result<Reading> {
    let header = words::<{ DATA / 8 }>(file, 0)?;
    let word = |offset: usize| header.get(offset / 8).copied().unwrap_or(0);
    let now = clock::now();
    let mut sums = [Sum::default(); 2];
    let sides = [
        (End::Sender, offset_of!(Header, producer)),
        (End::Receiver, offset_of!(Header, consumer)),
    ];
    for (sum, (end, side)) in sums.iter_mut().zip(sides) {
        // Who was killed while it waited has left that word.
        let may_wait = presence::has(file, end).unwrap_or(false);
        let start = (side + offset_of!(Side, tally)) / 8;
        sum.add(header.get(start..).unwrap_or_default(), now, may_wait);
    }
    if shape.lines() > 0 {
        // However many it says there are.
        let used = word(offset_of!(Header, consumer_lock.seen)).min(LINES.into());
        for number in 0..LINES {
            if u64::from(number) == used {
                break;
            }
            let at = shape.before_lines() + u64::from(number) * size_of::<Line>() as u64;
            let line = words::<LINE>(file, at)?;
            let may_wait = presence::has_number(file, number).unwrap_or(false);
            for (sum, tally) in sums.iter_mut().zip(line.chunks(TALLY)) {
                sum.add(tally, now, may_wait);
            }
        }
    }
    let [sent, mut received] = sums;
    if !shape.counts_received_bytes() {
        received.flow.bytes = None;
    }
    Ok(Reading {
        tail: word(offset_of!(Header, producer.cursor)),
        head: word(offset_of!(Header, consumer.cursor)),
        counters: counters(Scope::Channel, sent, received),
    })
}

impl Segment {
    /// What the ends have done.
    pub(crate) fn counters(&self) -> io::Result<Counters> {
        let file = File::from(self.fd()?.try_clone_to_owned()?);
        Ok(read(&file, self.shape())?.counters)
    }
}
