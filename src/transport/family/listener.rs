//! What has the waker of an end over a segment woken.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
};

use crate::{
    End,
    crash::{self, Step},
    shm::segment::Segment,
    sync::{AtomicBool, Ordering},
    wait::Bell,
    watch::Watch,
};

/// Hears reports about a segment for one of its ends.
#[derive(Debug)]
pub(crate) struct Listener {
    watch: Watch,
    call: Arc<Call>,
}

/// What the end and the thread that hears share.
#[derive(Debug, Default)]
struct Call {
    /// Whom to wake, and what the bell's word was before.
    slot: Mutex<Option<(Waker, u32)>>,
    /// Whether any report has come: not every system makes them.
    heard: AtomicBool,
}

impl Call {
    fn set(&self, next: Option<(Waker, u32)>) -> Option<(Waker, u32)> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, next)
    }

    /// Whom to wake if the bell was rung: its word is this by now.
    fn answer(&self, word: u32) -> Option<Waker> {
        // ORDERING: Relaxed; what is decided by it is only whether to look on a timer too.
        self.heard.store(true, Ordering::Relaxed);
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let (waker, _) = slot.take_if(|(_, seen)| *seen != word)?;
        Some(waker)
    }
}

impl Listener {
    /// Listens for an end of this kind.
    ///
    /// # Errors
    /// As for [`Watch::new`].
    pub(crate) fn new(segment: &Segment, end: End) -> io::Result<Self> {
        let fd = segment.object().clone();
        let fd = fd.ok_or(io::ErrorKind::NotConnected)?;
        let alarm = segment.alarm();
        let alarm = move || {
            if !crash::is_left_out(Step::WatchDeaths) {
                alarm();
            }
        };
        let watch = Watch::new(fd, Box::new(alarm))?;
        let call = Arc::new(Call::default());
        let (answering, rung) = (Arc::clone(&call), segment.rung(end));
        watch.call(Box::new(move || answering.answer(rung())))?;
        Ok(Self { watch, call })
    }

    /// Has `waker` woken when this bell rings, if the barrier of [`settle`](crate::wait::settle) follows.
    pub(crate) fn arm(&self, bell: Bell<'_>, waker: &Waker) {
        if !self.watch.works() {
            // A forked child has the slot as it was, locked perhaps by a thread that it does not have.
            return;
        }
        // The word first, then the waker, then the flag: whoever sees the flag changes the word and finds the waker.
        let before = self.call.set(Some((waker.clone(), bell.word())));
        bell.call();
        // Not while the slot is locked: what it belongs to may go with it.
        drop(before);
    }

    /// Whether reports reach this process.
    pub(crate) fn works(&self) -> bool {
        // ORDERING: Relaxed; as in `answer`.
        self.watch.works() && self.call.heard.load(Ordering::Relaxed)
    }
}
