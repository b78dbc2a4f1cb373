//! How many items each handle of a queue has put, got and done, in a small segment of their own.
//!
//! Every handle has a line that it alone writes, found by a number that is held by a lock of its open file description, like those
//! of `shm+mpmc:`. So counting costs stores to a line of one's own, and a death leaves a line that is known to be dead.
//!
//! * L1. `put` grows before the item can be got, `got` before the item is out of the queue, `done` after it was got. So who reads all
//!   `done` first and all `put` after that, and finds them equal, has found a moment when all was done.
//! * L2. What a dead handle was putting is taken as not put, and what it had got as done. Whoever holds a number, or has just taken that of
//!   a dead one, may do that; nobody else writes that line.

use std::{cell::OnceCell, io, ops::Range, sync::Arc};

use crate::{
    Address, Channel, Deadline, End, Handoff, OpenError, OpenErrorKind, Peer, WaitStrategy,
    presence,
    process::give,
    shm::{
        layout::{self, LAYOUT, MAGIC, Shape},
        name,
        plan::Plan,
        segment::Segment,
    },
    sync::{AtomicU64, Ordering},
    tally::Waits,
    wait::{Look, Waiter},
    watch::Watch,
};

/// Words of a line.
const LINE: usize = 16;
/// Numbers that there are: as many as `shm+mpmc:` has.
const NUMBERS: u16 = 1023;

/// Items that the handle has begun to put.
const PUT: usize = 0;
/// Of these, those that are in the queue.
const SENT: usize = 1;
/// Items that it has got.
const GOT: usize = 2;
/// Of these, those that are done.
const DONE: usize = 3;
/// 1 from the opening of a consumer that has the line until its closing. Still 1 without its number held, it has died.
const CONSUMES: usize = 4;

/// A handle's place in the ledger of its queue.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Rings when somebody dies; `None` inside if nothing can. Above the segment, so that it lets go of it before that closes.
    watch: OnceCell<Option<Watch>>,
    segment: Segment,
    end: End,
    number: u16,
    /// Whether the channel keeps what a consumer had in its hands when it died.
    keeps: bool,
    /// What our line says, so that it need not be read.
    counts: [u64; 4],
}

/// What a wait for the last item found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// Everything that was put is done.
    Done,
    /// There are items, and whoever might have done them is gone.
    Alone,
}

/// Opens with what `open` makes of the plan.
fn with_plan<T>(
    address: &Address,
    open: impl FnOnce(&Plan<'_>) -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    open(&Plan {
        address,
        shape: Shape {
            magic: MAGIC,
            layout: LAYOUT,
            kind: layout::LEDGER,
            capacity: 1 << 10,
            max_message: 0,
            lock: 0,
            flags: 0,
            extra: 0,
            trailer: u64::from(NUMBERS) * LINE as u64 * 8,
        },
        explicit: false,
        exclusive: |_| false,
        is_sound: &|_| true,
        refuse: &|_| None,
        guarded: address.value("peer") == Some(Peer::Untrusted.word()),
        prepare: &|_, _| Ok(()),
        discard: Arc::new(|_| {}),
    })
}

/// The file name of the ledger of the queue over a channel with this name.
fn file_name(address: &Address) -> Result<String, OpenErrorKind> {
    let channel = format!("{}.", address.scheme());
    let name = address.name().to_str().unwrap_or("\0");
    let escaped = name.replace('%', "%25").replace('/', "%2F");
    name::file_name("queue.", (channel + &escaped).as_ref()).map_err(OpenErrorKind::Refused)
}

impl Ledger {
    /// The places of the two ends of a new queue over the channel at `address`, or of the one that is there by that name.
    pub(super) fn pair(address: &Address) -> Result<(Self, Self), OpenError> {
        if !address.is_anonymous() {
            let sender = Self::open(address, End::Sender)?;
            return Ok((sender, Self::open(address, End::Receiver)?));
        }
        let (sender, receiver) = with_plan(address, Segment::pair)?;
        let sender = Self::enter(sender, End::Sender, address)?;
        Ok((sender, Self::enter(receiver, End::Receiver, address)?))
    }

    /// The place of an end that is opened by name.
    pub(super) fn open(address: &Address, end: End) -> Result<Self, OpenError> {
        let wrong = |kind| OpenError::new(address.clone(), kind);
        let name = file_name(address).map_err(wrong)?;
        let segment = with_plan(address, |plan| Segment::open(&name, end, plan))?;
        Self::enter(segment, end, address)
    }

    /// The place of an end that was handed over.
    pub(super) fn adopt(handoff: Handoff, end: End) -> Result<Self, OpenError> {
        let address = handoff.address;
        let wrong = || OpenError::new(address.clone(), OpenErrorKind::Handoff);
        let Ok([fd]) = <[_; 1]>::try_from(handoff.fds) else {
            return Err(wrong());
        };
        // The name is that of a queue whose last handle removes it.
        let name = |_: &Shape| file_name(&address).ok().filter(|_| !address.is_anonymous());
        let segment = with_plan(&address, |plan| Segment::adopt(fd, name, plan))?;
        if handoff.end != end {
            return Err(wrong());
        }
        Self::enter(segment, end, &address)
    }

    /// Takes a number, and the line that goes with it.
    fn enter(segment: Segment, end: End, address: &Address) -> Result<Self, OpenError> {
        let os = |error| OpenError::os(address.clone(), error);
        let number = presence::take_number(segment.fd().map_err(os)?, NUMBERS).map_err(os)?;
        let mut ledger = Self {
            segment,
            end,
            number,
            keeps: give::channel(address).is_ok_and(|channel| channel.capabilities().redelivers),
            counts: [0; 4],
            watch: OnceCell::new(),
        };
        ledger.bury(number);
        ledger.write(number, CONSUMES, (end == End::Receiver).into());
        let used = &ledger.segment.header().producer.cursor;
        // ORDERING: Relaxed; of a line of which nobody knows yet, nothing is to be counted.
        used.fetch_max(u64::from(number) + 1, Ordering::Relaxed);
        ledger.counts = [PUT, SENT, GOT, DONE].map(|word| ledger.read(number, word));
        Ok(ledger)
    }

    /// What another process needs for a place of its own.
    pub(super) fn handoff(&self, address: Address) -> io::Result<Handoff> {
        Ok(Handoff {
            address,
            end: self.end,
            fds: vec![self.segment.another(self.end)?],
        })
    }

    /// Settles what the last holder of this number has left: L2.
    fn bury(&self, number: u16) {
        self.write(number, PUT, self.read(number, SENT));
        self.write(number, DONE, self.read(number, GOT));
    }

    #[inline]
    fn word(&self, number: u16, word: usize) -> Option<&AtomicU64> {
        self.segment
            .trailer()
            .get(usize::from(number) * LINE + word)
    }

    #[inline]
    fn read(&self, number: u16, word: usize) -> u64 {
        // ORDERING: Acquire; pairs with the Release in `write`, by L1.
        self.word(number, word)
            .map_or(0, |word| word.load(Ordering::Acquire))
    }

    #[inline]
    fn write(&self, number: u16, word: usize, count: u64) {
        if let Some(word) = self.word(number, word) {
            // ORDERING: Release; pairs with the Acquire in `read`, by L1.
            word.store(count, Ordering::Release);
        }
    }

    #[inline]
    fn add(&mut self, word: usize, more: u64) {
        if let Some(count) = self.counts.get_mut(word) {
            *count = count.wrapping_add(more);
            let count = *count;
            self.write(self.number, word, count);
        }
    }

    /// So many items are about to be put.
    #[inline]
    pub(super) fn putting(&mut self, items: usize) {
        self.add(PUT, items as u64);
    }

    /// So many of them were, the others were not.
    #[inline]
    pub(super) fn put(&mut self, items: usize, of: usize) {
        self.add(SENT, items as u64);
        if items != of {
            self.add(PUT, (items as u64).wrapping_sub(of as u64));
            self.notify();
        }
    }

    /// An item was got.
    #[inline]
    pub(super) fn got(&mut self) {
        self.add(GOT, 1);
    }

    /// So many items are done, of those that were got.
    #[inline]
    pub(super) fn done(&mut self, items: u64) {
        let [_, _, got, done] = self.counts;
        self.add(DONE, items.min(got.wrapping_sub(done)));
        self.notify();
    }

    #[inline]
    fn notify(&self) {
        let bell = self.segment.items();
        bell.notify_if(|| self.unfinished() == 0);
    }

    /// The numbers that are, or were, in use.
    fn numbers(&self) -> Range<u16> {
        let used = &self.segment.header().producer.cursor;
        // ORDERING: Relaxed; as in `enter`.
        let used = used.load(Ordering::Relaxed);
        0..u16::try_from(used).unwrap_or(NUMBERS).min(NUMBERS)
    }

    /// The sum of a word over all lines.
    fn sum(&self, word: usize) -> u64 {
        let counts = self.numbers().map(|number| self.read(number, word));
        counts.fold(0, u64::wrapping_add)
    }

    /// How much `a` is ahead of `b`; nothing if a death has put it behind.
    fn ahead(a: u64, b: u64) -> u64 {
        let ahead = a.wrapping_sub(b);
        if ahead > u64::MAX / 2 { 0 } else { ahead }
    }

    /// How many items were put and are not done.
    fn unfinished(&self) -> u64 {
        // In this order: L1.
        let done = self.sum(DONE);
        Self::ahead(self.sum(PUT), done)
    }

    /// How many items were put and not got.
    pub(super) fn waiting(&self) -> u64 {
        let got = self.sum(GOT);
        Self::ahead(self.sum(SENT), got)
    }

    /// Waits until all that was put is done; `None` at the deadline. `own` is the place of a consumer that does nothing meanwhile,
    /// `is_drained` tells whether the channel is empty.
    pub(super) fn join(
        &mut self,
        deadline: Deadline,
        own: Option<&Self>,
        is_drained: &dyn Fn() -> bool,
    ) -> Option<Joined> {
        let this = &*self;
        let mut look = |how| this.look(how, own, is_drained);
        if let found @ Some(_) = look(Look::Kernel) {
            return found;
        }
        let bell = this.segment.items();
        let watched = || this.is_watched();
        let waits = Waits {
            tally: this.segment.header().tally(End::Receiver),
            alone: false,
        };
        Waiter::new(WaitStrategy::Park).wait(bell, deadline, waits, &watched, &mut look)
    }

    fn look(&self, how: Look, own: Option<&Self>, is_drained: &dyn Fn() -> bool) -> Option<Joined> {
        let is_done = || self.unfinished() == 0 && is_drained();
        if is_done() {
            return Some(Joined::Done);
        }
        if how == Look::Memory {
            return None;
        }
        // In this order: whoever has what was in the channel has counted it before (L1), and is seen to be busy.
        let drained = is_drained();
        let others = self.look_after_others();
        // What else is unfinished was lost on its way to somebody who has died.
        let lost = !self.keeps && others.dead && !others.busy && drained && is_drained();
        if is_done() || lost {
            return Some(Joined::Done);
        }
        let fd = own.unwrap_or(self).segment.fd();
        // If the kernel cannot tell, they are taken to be there.
        let there = fd.and_then(|fd| presence::has(fd, End::Receiver));
        let alone = self.segment.has_seen(End::Receiver) && there.is_ok_and(|there| !there);
        alone.then_some(Joined::Alone)
    }

    /// Whether a death rings the bell, from now on at the latest.
    fn is_watched(&self) -> bool {
        let watch = self.watch.get_or_init(|| {
            let fd = self.segment.object().clone()?;
            Watch::new(fd, Box::new(self.segment.alarm())).ok()
        });
        watch.as_ref().is_some_and(Watch::works)
    }

    /// Settles what the dead have left.
    fn look_after_others(&self) -> Others {
        let mut others = Others::default();
        let Ok(fd) = self.segment.fd() else {
            return others;
        };
        for number in self.numbers().filter(|&number| number != self.number) {
            let consumes = self.read(number, CONSUMES) != 0;
            let unequal = |a, b| self.read(number, a) != self.read(number, b);
            let busy = unequal(PUT, SENT) || unequal(GOT, DONE);
            if !consumes && !busy {
                continue;
            }
            // If the kernel cannot tell, it is taken to live. While it is ours, nobody else takes it.
            let dead = presence::take_this_number(fd, number).unwrap_or(false);
            if dead {
                self.bury(number);
                // It fails only if the descriptor is not ours.
                let _ = presence::give_number_back(fd, number);
            }
            others.dead |= dead && consumes;
            others.busy |= !dead && busy;
        }
        others
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.write(self.number, CONSUMES, 0);
    }
}

/// What the lines of the others tell.
#[derive(Clone, Copy, Debug, Default)]
struct Others {
    /// Whether a consumer has died.
    dead: bool,
    /// Whether one that lives is putting something, or has something to do.
    busy: bool,
}
