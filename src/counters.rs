//! What has gone through a channel, and how long it was waited for.

use std::time::Duration;

use crate::End;

/// Whose counters they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Of all ends that the channel has had since it was made, in whatever processes: its memory holds them.
    #[default]
    Channel,
    /// Of one end alone, since it was opened: the kernel holds the channel, and counts nothing.
    End(End),
}

/// What the ends of one side have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flow {
    /// Messages that were sent, or received. A message that was peeked is received when it is consumed.
    pub messages: u64,
    /// Their bytes, without what the channel adds. `None` if this side does not count them, as the receivers of some rings.
    pub bytes: Option<u64>,
    /// How often it had to wait: a sender for room, a receiver for a message. A call that may not wait does not.
    pub waits: u64,
    /// How long it has waited, the wait that still lasts included, if it is one end's that sleeps. What was over before the clock was
    /// looked at, within about a microsecond, is a wait of no time.
    pub waited: Duration,
    /// How often it slept and was woken.
    pub wake_ups: u64,
}

impl Flow {
    /// What was done since `earlier`; nothing, where that is more.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let bytes = self.bytes.zip(earlier.bytes);
        Self {
            messages: self.messages.saturating_sub(earlier.messages),
            bytes: bytes.map(|(now, then)| now.saturating_sub(then)),
            waits: self.waits.saturating_sub(earlier.waits),
            waited: self.waited.saturating_sub(earlier.waited),
            wake_ups: self.wake_ups.saturating_sub(earlier.wake_ups),
        }
    }
}

/// What has gone through a channel, or through one end of it: see [`Endpoint::counters`](crate::Endpoint::counters).
///
/// Nothing is decided by these numbers; they are for people and for what watches a program.
///
/// # Crash behaviour
/// Whoever dies leaves at most what it was just doing uncounted, or counted and not done. A successor goes on counting. The counters of
/// a kernel channel go with the end whose they are, those of a ring or a System V queue with the last end that has it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Whose they are.
    pub scope: Scope,
    /// What senders did; nothing, if these are a receiver's.
    pub sent: Flow,
    /// What receivers did; nothing, if these are a sender's.
    pub received: Flow,
    /// Messages that were given up, by a channel that may.
    pub drops: u64,
    /// The most bytes that were in the channel, headers included, at one of the moments when somebody looked: when there seemed to be no room.
    /// In between there may have been more. `None` if nobody had to look yet.
    pub highest: Option<u64>,
}

impl Counters {
    /// What was done since `earlier`. The most bytes stay what they are.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            scope: self.scope,
            sent: self.sent.since(&earlier.sent),
            received: self.received.since(&earlier.received),
            drops: self.drops.saturating_sub(earlier.drops),
            highest: self.highest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_never_less_than_nothing() {
        let flow = |messages, bytes| Flow {
            messages,
            bytes,
            ..Flow::default()
        };
        let then = Counters {
            sent: flow(5, Some(50)),
            drops: 2,
            highest: Some(64),
            ..Counters::default()
        };
        let now = Counters {
            sent: flow(8, Some(70)),
            received: flow(1, None),
            drops: 1,
            ..then
        };
        let gone = now.since(&then);
        assert_eq!(gone.sent, flow(3, Some(20)));
        assert_eq!(gone.received, flow(1, None));
        assert_eq!((gone.drops, gone.highest), (0, Some(64)));
    }
}
