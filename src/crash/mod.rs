//! Named points of the protocols, where a test can have a process die, and steps of recovery that a test can leave out.
//!
//! Both are there with the feature `crash-points` only, for `laneway-crash`. Without it [`reach`] is nothing and no step is
//! ever left out, so that the compiler leaves nothing of either.

#[cfg(feature = "crash-points")]
pub mod control;

/// Makes an enum whose variants have names and are told of in order.
macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$doc])* $variant,)* }

        #[cfg(feature = "crash-points")]
        impl $name {
            /// All names, each at the place that its variant has as a number.
            const NAMES: &'static [&'static str] = &[$($text),*];
        }
    };
}

named! {
    /// A moment in a protocol: what it is called for has just been done.
    Point {
        /// A free lock was taken.
        LockTaken = "lock.taken",
        /// A lock was taken from a dead holder.
        LockTakenOver = "lock.taken-over",
        /// The mark of a sleeper was left for the holder.
        LockMarked = "lock.marked",
        /// A lock was given back, and sleepers were not woken yet.
        LockGiven = "lock.given",
        /// The records are written, the tail was not moved.
        LockedWritten = "locked.written",
        /// The tail was moved, the lock is held.
        LockedPublished = "locked.published",
        /// The messages are copied, the head was not moved.
        LockedCopied = "locked.copied",
        /// The head was moved, the lock is held.
        LockedFinished = "locked.finished",
        /// The head was moved over messages that are given up, the lock is held.
        LockedDiscarded = "locked.discarded",
        /// The message is written, its header was not.
        SpscWritten = "spsc.written",
        /// A later header of a batch was stored, before its first.
        SpscAdded = "spsc.added",
        /// The place of the next header was cleared.
        SpscCleared = "spsc.cleared",
        /// The header was stored, the tail was not.
        SpscShown = "spsc.shown",
        /// The tail was stored.
        SpscSettled = "spsc.settled",
        /// A sender has found where the one before it stopped.
        SpscResumed = "spsc.resumed",
        /// Filler was stepped over.
        SpscSkipped = "spsc.skipped",
        /// The message is copied or lent, and stepped over.
        SpscStepped = "spsc.stepped",
        /// The head was stored.
        SpscFinished = "spsc.finished",
        /// A place was claimed, the tail was not moved.
        MpmcClaimed = "mpmc.claimed",
        /// The tail was moved.
        MpmcPassed = "mpmc.passed",
        /// The words inside the record are stamped.
        MpmcStamped = "mpmc.stamped",
        /// What is left before the end of the ring was skipped.
        MpmcSkipped = "mpmc.skipped",
        /// The message is written, it is not ready.
        MpmcWritten = "mpmc.written",
        /// The message is ready.
        MpmcReady = "mpmc.ready",
        /// A message was taken, the head was not moved.
        MpmcTaken = "mpmc.taken",
        /// The head was moved.
        MpmcHeadPassed = "mpmc.head-passed",
        /// A message is done.
        MpmcDone = "mpmc.done",
        /// Room was given back.
        MpmcReclaimed = "mpmc.reclaimed",
        /// What a dead receiver had taken was taken over.
        MpmcAdopted = "mpmc.adopted",
        /// The claim of a dead sender was skipped.
        MpmcClaimSkipped = "mpmc.claim-skipped",
        /// Something that the last one with our number left was disowned.
        MpmcDisowned = "mpmc.disowned",
        /// The oldest message was discarded, the head was not moved.
        MpmcDiscarded = "mpmc.discarded",
        /// Old records are given up, nothing was written over them.
        BroadcastDiscarded = "broadcast.discarded",
        /// The record is written, the tail was not moved.
        BroadcastWritten = "broadcast.written",
        /// The tail was moved, where the last record starts is not told.
        BroadcastPublished = "broadcast.published",
        /// That is told.
        BroadcastSettled = "broadcast.settled",
        /// A message was copied and found whole.
        BroadcastCopied = "broadcast.copied",
        /// A receiver that was overtaken has found the oldest record.
        BroadcastCaughtUp = "broadcast.caught-up",
        /// A number was taken.
        NumberTaken = "number.taken",
        /// The flag of a sleeper is up.
        SleepFlagged = "sleep.flagged",
        /// A sleeper was woken.
        SleepWoken = "sleep.woken",
        /// Somebody who wakes has seen the flag.
        WakeSeen = "wake.seen",
        /// It has changed the word that sleepers sleep on.
        WakeChanged = "wake.changed",
        /// It has woken them.
        WakeDone = "wake.done",
        /// The bytes of a segment are reserved.
        SegmentReserved = "segment.reserved",
        /// Its header is written, it has no name.
        SegmentBuilt = "segment.built",
        /// The place of an end was taken, there is no name yet.
        SegmentJoined = "segment.joined",
        /// It has its name.
        SegmentLinked = "segment.linked",
        /// The gate is held by an opener.
        SegmentGate = "segment.gate",
        /// What a stale one had outside of itself was discarded.
        SegmentDiscarded = "segment.discarded",
        /// A stale one was removed.
        SegmentHealed = "segment.healed",
        /// An end is in its place, and mapped.
        SegmentMapped = "segment.mapped",
        /// It said that it is there.
        SegmentAnnounced = "segment.announced",
        /// A place was given up.
        SegmentLeft = "segment.left",
        /// It said that it is gone.
        SegmentGone = "segment.gone",
        /// The gate is held by one who leaves.
        SegmentLastGate = "segment.last-gate",
        /// The last one has discarded what there was outside.
        SegmentLastDiscarded = "segment.last-discarded",
        /// The last one has removed the name.
        SegmentRemoved = "segment.removed",
        /// The file of a queue's path was opened or made.
        SysvFile = "sysv.file",
        /// The queue was made, the segment was not.
        SysvMade = "sysv.made",
        /// A message is in the queue.
        SysvSent = "sysv.sent",
        /// A message was taken from the queue.
        SysvReceived = "sysv.received",
        /// Frames are in the pipe.
        StreamWritten = "stream.written",
        /// Something was read from the pipe.
        StreamRead = "stream.read",
        /// The path of a FIFO is there.
        FifoMade = "fifo.made",
        /// Its gate is held.
        FifoGate = "fifo.gate",
        /// The place of an end was taken.
        FifoJoined = "fifo.joined",
        /// A message is in a socket.
        SocketSent = "socket.sent",
        /// Something was taken from a socket.
        SocketTaken = "socket.taken",
        /// A sender is connected, and has not greeted.
        SocketConnected = "socket.connected",
        /// A receiver took a connection in.
        SocketAccepted = "socket.accepted",
        /// The lock beside a socket's path is there.
        SocketLocked = "socket.locked",
        /// Its gate is held.
        SocketGate = "socket.gate",
        /// The path of a socket is there, and nobody listens.
        SocketBound = "socket.bound",
        /// The place of the receiver was taken.
        SocketJoined = "socket.joined",
    }
}

named! {
    /// A step of recovery.
    Step {
        /// The lock of a dead holder is taken over.
        TakeLockOver = "take-lock-over",
        /// A newcomer gives back the lock that the dead one with its number held.
        GiveLockBack = "give-lock-back",
        /// A dead sender's claim is skipped.
        SkipClaim = "skip-claim",
        /// What a dead receiver had taken is taken over.
        AdoptTaken = "adopt-taken",
        /// A newcomer disowns what the dead one with its number left.
        Disown = "disown",
        /// A sender that takes over walks to the last header that was stored.
        WalkToLast = "walk-to-last",
        /// A sender that takes over goes to where the receiver is, if that is further.
        FollowHead = "follow-head",
        /// Whoever sleeps is woken by a death.
        WatchDeaths = "watch-deaths",
        /// Whoever awaits a report gets it.
        ReportNews = "report-news",
        /// The kernel is asked whether the other side lives.
        AskKernel = "ask-kernel",
        /// A name that no living end holds is made anew.
        HealStale = "heal-stale",
    }
}

/// The process is at this point, and ends here if a test wants it.
#[cfg(feature = "crash-points")]
#[inline]
pub(crate) fn reach(point: Point) {
    control::reach(point as u32);
}

/// Nothing.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) const fn reach(_: Point) {}

/// Whether a test leaves this step out.
#[cfg(feature = "crash-points")]
#[inline]
pub(crate) fn is_left_out(step: Step) -> bool {
    control::is_left_out(step as u32)
}

/// No.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) const fn is_left_out(_: Step) -> bool {
    false
}
