//! Many jobs at once: all, or as they come.

use std::{borrow::Borrow, collections::VecDeque, fmt, iter::Fuse, sync::Arc};

use crate::{
    Deadline,
    process::pool::{
        JobError, SubmitError, core::Core, harvest::Harvest, promise::Outcome, slots::Target,
    },
    typed::Value,
};

/// How many items are put at once if nobody says.
pub(super) const CHUNK: usize = 32;
/// How many chunks for each worker an iterator has in flight.
const AHEAD: usize = 4;

/// Items on their way through the pool.
struct Flow<'a, Resp, I: Iterator> {
    core: &'a Core<Resp>,
    function: Result<u32, SubmitError>,
    items: Fuse<I>,
    /// An item for which there was no room.
    held: Option<I::Item>,
    harvest: Arc<Harvest<Resp>>,
    /// Outcomes that have come, to be sorted.
    come: Vec<(usize, Outcome<Resp>)>,
    chunk: usize,
    /// Whether nothing more is to be pulled.
    ended: bool,
    /// How many items were pulled, and of these how many outcomes have come.
    pulled: usize,
    arrived: usize,
}

impl<'a, Resp: Value, I: Iterator> Flow<'a, Resp, I> {
    fn new(core: &'a Core<Resp>, function: &str, items: I, chunk: usize) -> Self {
        Self {
            core,
            function: core.function(function),
            items: items.fuse(),
            held: None,
            harvest: Arc::new(Harvest::new()),
            come: Vec::new(),
            chunk: chunk.max(1),
            ended: false,
            pulled: 0,
            arrived: 0,
        }
    }

    /// Submits up to `most` items, as far as there is room; whether there may be more.
    fn submit<Req: Value>(&mut self, most: usize) -> bool
    where
        I::Item: Borrow<Req>,
    {
        if self.ended {
            return false;
        }
        let mut counter = self.core.counter();
        for _ in 0..most {
            let Some(item) = self.held.take().or_else(|| self.items.next()) else {
                return false;
            };
            let place = self.pulled;
            let target = || Target::Many(Arc::clone(&self.harvest), place);
            let submitted = match &self.function {
                Ok(function) => counter.submit(*function, item.borrow(), target),
                Err(error) => Err(error.clone()),
            };
            let refused = match submitted {
                Ok(_) => {
                    self.pulled += 1;
                    continue;
                }
                Err(SubmitError::Full { .. }) => {
                    self.held = Some(item);
                    return true;
                }
                Err(refused) => refused,
            };
            self.pulled += 1;
            // It is of this item only, if another may still be taken.
            let last = !matches!(
                refused,
                SubmitError::TooLarge { .. } | SubmitError::Unencodable
            );
            self.come.push((place, Err(refused.into())));
            if last {
                self.ended = true;
                return false;
            }
        }
        true
    }

    /// How many are in the pool.
    fn in_flight(&self) -> usize {
        self.pulled - self.arrived - self.come.len()
    }
}

/// Runs all, and tells all outcomes in their order.
pub(super) fn all<Req: Value, Resp: Value, I: Iterator>(
    core: &Core<Resp>,
    function: &str,
    items: I,
    chunk: usize,
) -> Vec<Outcome<Resp>>
where
    I::Item: Borrow<Req>,
{
    let mut flow = Flow::new(core, function, items, chunk);
    loop {
        let (before, rounds) = (flow.pulled, core.rounds());
        if !flow.submit::<Req>(flow.chunk) {
            break;
        }
        if flow.pulled == before {
            core.wait_for_room(rounds, Deadline::NEVER);
        }
    }
    let mut outcomes: Vec<Option<Outcome<Resp>>> = Vec::new();
    outcomes.resize_with(flow.pulled, || None);
    loop {
        for (place, outcome) in flow.come.drain(..) {
            flow.arrived += 1;
            if let Some(held) = outcomes.get_mut(place) {
                *held = Some(outcome);
            }
        }
        let left = flow.in_flight();
        if left == 0 {
            break;
        }
        flow.harvest.take(left, Deadline::NEVER, &mut flow.come);
    }
    // Each place was settled once.
    outcomes.into_iter().flatten().collect()
}

/// The results of [`Pool::imap`](crate::process::Pool::imap), in the order of the items.
///
/// It pulls items as it goes, some chunks ahead of the results that were asked for. Dropped before its end, it pulls no more; what is in flight is done, and
/// nobody learns the results.
#[must_use = "it pulls no item until a result is asked for"]
pub struct Imap<'a, Req, Resp, I: Iterator> {
    flow: Flow<'a, Resp, I>,
    ahead: usize,
    /// Outcomes from the next one on, as far as they have come.
    next: VecDeque<Option<Outcome<Resp>>>,
    /// How many were told.
    told: usize,
    _requests: std::marker::PhantomData<fn(Req)>,
}

/// The results of [`Pool::imap_unordered`](crate::process::Pool::imap_unordered), each with the place of its item, as they come.
///
/// It pulls items as [`Imap`] does.
#[must_use = "it pulls no item until a result is asked for"]
pub struct ImapUnordered<'a, Req, Resp, I: Iterator> {
    flow: Flow<'a, Resp, I>,
    ahead: usize,
    next: VecDeque<(usize, Outcome<Resp>)>,
    _requests: std::marker::PhantomData<fn(Req)>,
}

impl<'a, Req: Value, Resp: Value, I: Iterator<Item: Borrow<Req>>> Imap<'a, Req, Resp, I> {
    pub(super) fn new(core: &'a Core<Resp>, function: &str, items: I, workers: u32) -> Self {
        Self {
            flow: Flow::new(core, function, items, CHUNK),
            ahead: ahead(workers),
            next: VecDeque::new(),
            told: 0,
            _requests: std::marker::PhantomData,
        }
    }

    /// Puts so many items at once: more for short jobs, fewer to pull less far ahead. 32 if nobody says.
    pub fn chunk(mut self, items: usize) -> Self {
        self.flow.chunk = items.max(1);
        self
    }
}

impl<'a, Req: Value, Resp: Value, I: Iterator<Item: Borrow<Req>>> ImapUnordered<'a, Req, Resp, I> {
    pub(super) fn new(core: &'a Core<Resp>, function: &str, items: I, workers: u32) -> Self {
        Self {
            flow: Flow::new(core, function, items, CHUNK),
            ahead: ahead(workers),
            next: VecDeque::new(),
            _requests: std::marker::PhantomData,
        }
    }

    /// As [`Imap::chunk`].
    pub fn chunk(mut self, items: usize) -> Self {
        self.flow.chunk = items.max(1);
        self
    }
}

/// How many chunks are in flight.
fn ahead(workers: u32) -> usize {
    usize::try_from(workers).unwrap_or(1).saturating_mul(AHEAD)
}

impl<Resp: Value, I: Iterator> Flow<'_, Resp, I> {
    /// Keeps `chunks` in flight, counting the `held` outcomes that were not asked for, and waits for outcomes if none has come; `false` if there are
    /// no more.
    fn advance<Req: Value>(&mut self, chunks: usize, held: usize) -> bool
    where
        I::Item: Borrow<Req>,
    {
        loop {
            let most = chunks.saturating_mul(self.chunk);
            let busy = self.in_flight() + held;
            let rounds = self.core.rounds();
            let more = most.saturating_sub(busy) >= self.chunk && self.submit::<Req>(most - busy);
            if !self.come.is_empty() {
                return true;
            }
            if self.in_flight() > 0 {
                self.harvest.take(1, Deadline::NEVER, &mut self.come);
                return true;
            }
            if !more {
                return false;
            }
            // Others fill the pool.
            self.core.wait_for_room(rounds, Deadline::NEVER);
        }
    }
}

impl<Req: Value, Resp: Value, I: Iterator<Item: Borrow<Req>>> Iterator for Imap<'_, Req, Resp, I> {
    type Item = Result<Resp, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(Some(_)) = self.next.front() {
                self.told += 1;
                return self.next.pop_front().flatten();
            }
            let held = self.flow.arrived - self.told;
            if !self.flow.advance::<Req>(self.ahead, held) {
                return None;
            }
            for (place, outcome) in self.flow.come.drain(..) {
                self.flow.arrived += 1;
                let at = place - self.told;
                if self.next.len() <= at {
                    self.next.resize_with(at + 1, || None);
                }
                if let Some(next) = self.next.get_mut(at) {
                    *next = Some(outcome);
                }
            }
        }
    }
}

impl<Req: Value, Resp: Value, I: Iterator<Item: Borrow<Req>>> Iterator
    for ImapUnordered<'_, Req, Resp, I>
{
    type Item = (usize, Result<Resp, JobError>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.next.pop_front() {
                return Some(next);
            }
            if !self.flow.advance::<Req>(self.ahead, 0) {
                return None;
            }
            self.flow.arrived += self.flow.come.len();
            self.next.extend(self.flow.come.drain(..));
        }
    }
}

impl<Req, Resp, I: Iterator> fmt::Debug for Imap<'_, Req, Resp, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap").finish_non_exhaustive()
    }
}

impl<Req, Resp, I: Iterator> fmt::Debug for ImapUnordered<'_, Req, Resp, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapUnordered").finish_non_exhaustive()
    }
}
