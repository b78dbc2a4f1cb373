//! The channels between two stages.

use std::slice;

use crate::{Address, BoxChannel, BoxReceiver, BoxSender, Channel, Fan, OpenError, OpenErrorKind};

/// One sender and one receiver.
const ONE_TO_ONE: &str = "shm+spsc:";
/// Each of many to each of many. There are as many as workers times workers, so they are smaller.
const LANE: &str = "shm+spsc:?capacity=1MiB";
/// Many to whoever is free.
const MANY: &str = "shm+mpmc:";

/// One kind of ends of a link, of all workers of a stage.
#[derive(Debug)]
pub(super) enum Ends<E> {
    /// One that all share.
    Shared(E),
    /// Each worker's own lanes.
    Own(Vec<Vec<E>>),
}

impl<E> Ends<E> {
    /// Those of this worker.
    pub(super) fn of(&self, worker: usize) -> &[E] {
        match self {
            Self::Shared(end) => slice::from_ref(end),
            Self::Own(all) => all.get(worker).map_or(&[], Vec::as_slice),
        }
    }

    /// Those of the only one.
    pub(super) fn into_only(self) -> Vec<E> {
        match self {
            Self::Shared(end) => vec![end],
            Self::Own(all) => all.into_iter().next().unwrap_or_default(),
        }
    }
}

/// Both ends of a link, open.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) senders: Ends<BoxSender>,
    pub(super) receivers: Ends<BoxReceiver>,
}

/// How many send, how many receive, and whether in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) senders: usize,
    pub(super) receivers: usize,
    pub(super) ordered: bool,
}

impl Form {
    /// Whether everybody has lanes of his own.
    fn has_lanes(self) -> bool {
        self.ordered && (self.senders, self.receivers) != (1, 1)
    }

    /// What is taken if nobody names another.
    pub(super) fn usual(self) -> &'static str {
        match (self.senders, self.receivers) {
            (1, 1) => ONE_TO_ONE,
            _ if self.ordered => LANE,
            _ => MANY,
        }
    }

    /// Opens the link over such channels.
    pub(super) fn open(self, channel: &BoxChannel) -> Result<Link, OpenError> {
        let (address, can) = (channel.address(), channel.capabilities());
        if !can.gives_each_once() {
            return Err(OpenError::new(address, OpenErrorKind::Lossy));
        }
        if !self.has_lanes() {
            let fits = |count, fan| count == 1 || fan == Fan::Many;
            if !fits(self.senders, can.senders) || !fits(self.receivers, can.receivers) {
                return Err(OpenError::new(address, OpenErrorKind::Narrow));
            }
            let (sender, receiver) = channel.pair()?;
            return Ok(Link {
                senders: Ends::Shared(sender),
                receivers: Ends::Shared(receiver),
            });
        }
        refuse_name(address)?;
        let mut senders = Vec::new();
        let mut receivers: Vec<Vec<BoxReceiver>> = Vec::new();
        receivers.resize_with(self.receivers, Vec::new);
        for _ in 0..self.senders {
            let mut lanes = Vec::new();
            for all in &mut receivers {
                let (sender, receiver) = channel.pair()?;
                lanes.push(sender);
                all.push(receiver);
            }
            senders.push(lanes);
        }
        Ok(Link {
            senders: Ends::Own(senders),
            receivers: Ends::Own(receivers),
        })
    }
}

/// Refuses a channel with a name, where several are wanted.
fn refuse_name(address: Address) -> Result<(), OpenError> {
    if address.is_anonymous() {
        return Ok(());
    }
    let why = "in an ordered pipeline each worker has lanes of its own, which cannot share a name";
    Err(OpenError::new(address, OpenErrorKind::Refused(why)))
}
