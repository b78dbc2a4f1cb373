//! How fast messages go: counters, looked at again and again.

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use laneway::{
    Counters, End, Flow, Scope,
    inventory::{Observer, WatchId, Watched},
};
use serde::Serialize;

use crate::exit::Failure;

/// The number of the JSON's form. Changes when a field goes or means something else.
const SCHEMA: u32 = 1;

/// Looks, and remembers the look before.
#[derive(Debug)]
pub(crate) struct Gauge {
    observer: Observer,
    before: HashMap<WatchId, Counters>,
    at: Option<Instant>,
}

impl Gauge {
    /// One that has not looked yet.
    pub(crate) fn new(observer: Observer) -> Self {
        Self {
            observer,
            before: HashMap::new(),
            at: None,
        }
    }

    /// What there is now, and how fast it went since the look before.
    pub(crate) fn look(&mut self) -> Result<Reading, Failure> {
        let all = self.observer.look().map_err(Failure::Survey)?;
        // The counters are what is read last.
        let now = Instant::now();
        let elapsed = self.at.map(|before| now.duration_since(before));
        let mut sides = Vec::new();
        for watched in &all {
            let before = self.before.get(&watched.id);
            let since = elapsed.zip(before);
            let since = since.map(|(time, before)| (time, watched.counters.since(before)));
            sides.extend(ends(watched).map(|end| Side::of(watched, end, since)));
        }
        sides.sort_by(|a, b| a.key().cmp(&b.key()));
        let counters = all.iter().map(|watched| (watched.id, watched.counters));
        self.before = counters.collect();
        self.at = Some(now);
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Reading {
            schema: SCHEMA,
            at: at.unwrap_or_default().as_secs_f64(),
            interval_seconds: elapsed.map(|elapsed| elapsed.as_secs_f64()),
            endpoints: sides,
        })
    }
}

/// The sides that counters tell of.
fn ends(watched: &Watched) -> impl Iterator<Item = End> + use<> {
    let only = match watched.counters.scope {
        Scope::Channel => None,
        Scope::End(end) => Some(end),
    };
    [End::Sender, End::Receiver]
        .into_iter()
        .filter(move |end| only.is_none_or(|only| only == *end))
}

/// One look: the whole of the JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reading {
    schema: u32,
    /// Seconds since 1970.
    at: f64,
    /// Since the look before.
    pub(crate) interval_seconds: Option<f64>,
    pub(crate) endpoints: Vec<Side>,
}

/// All senders of a ring or a queue, all its receivers, or one end of a kernel channel.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Side {
    /// The same at every look, and nobody else's meanwhile.
    pub(crate) id: String,
    /// Without a name if the channel has none.
    pub(crate) address: Option<String>,
    pub(crate) side: &'static str,
    /// `channel` for all ends of that side since the channel was made, `end` for one since it was opened.
    pub(crate) scope: &'static str,
    /// Who has this side open; everybody who has the channel, if that is not known.
    pub(crate) processes: Vec<u32>,
    pub(crate) messages: u64,
    /// None if this side does not count them.
    pub(crate) bytes: Option<u64>,
    pub(crate) waits: u64,
    pub(crate) waited_seconds: f64,
    pub(crate) wake_ups: u64,
    /// Of the whole channel.
    pub(crate) drops: u64,
    pub(crate) depth: Depth,
    pub(crate) capacity: Option<u64>,
    /// The most bytes that were seen in the channel when somebody found no room.
    pub(crate) highest: Option<u64>,
    /// A second, since the look before; none at the first.
    pub(crate) rates: Option<Rates>,
}

/// What waits in the channel, as far as it is told.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Depth {
    pub(crate) messages: Option<usize>,
    pub(crate) bytes: Option<usize>,
}

/// How much of each a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Rates {
    pub(crate) messages: f64,
    pub(crate) bytes: Option<f64>,
    pub(crate) waits: f64,
    /// Seconds waited a second: 1 is one end that always waits.
    pub(crate) blocked: f64,
    pub(crate) wake_ups: f64,
    pub(crate) drops: f64,
}

impl Side {
    fn of(watched: &Watched, end: End, since: Option<(Duration, Counters)>) -> Self {
        let flow = |counters: &Counters| match end {
            End::Sender => counters.sent,
            End::Receiver => counters.received,
        };
        let all = flow(&watched.counters);
        let users = match end {
            _ if watched.senders.is_empty() && watched.receivers.is_empty() => &watched.processes,
            End::Sender => &watched.senders,
            End::Receiver => &watched.receivers,
        };
        let rates = since.map(|(time, gone)| Rates::of(&flow(&gone), gone.drops, time));
        Self {
            id: watched.id.to_string(),
            address: watched.address.as_ref().map(ToString::to_string),
            side: match end {
                End::Sender => "send",
                End::Receiver => "recv",
            },
            scope: match watched.counters.scope {
                Scope::Channel => "channel",
                Scope::End(_) => "end",
            },
            // We look, and have it open for that only.
            processes: others(users),
            messages: all.messages,
            bytes: all.bytes,
            waits: all.waits,
            waited_seconds: all.waited.as_secs_f64(),
            wake_ups: all.wake_ups,
            drops: watched.counters.drops,
            depth: Depth {
                messages: watched.depth.messages,
                bytes: watched.depth.bytes,
            },
            capacity: watched.capacity,
            highest: watched.counters.highest,
            rates,
        }
    }

    /// The order of what does not move: addresses, senders first.
    fn key(&self) -> (&Option<String>, &str, bool) {
        let channel = match self.scope {
            "channel" => self.id.as_str(),
            _ => "",
        };
        (&self.address, channel, self.side == "recv")
    }

    /// Messages a second, 0 if that is not known.
    pub(crate) fn rate(&self) -> f64 {
        self.rates.map_or(0.0, |rates| rates.messages)
    }
}

/// All but this process.
pub(crate) fn others(processes: &[u32]) -> Vec<u32> {
    let ours = std::process::id();
    let others = processes.iter().copied();
    others.filter(|pid| *pid != ours).collect()
}

impl Rates {
    fn of(flow: &Flow, drops: u64, time: Duration) -> Self {
        let seconds = time.as_secs_f64().max(1e-9);
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let each = |count: u64| count as f64 / seconds;
        Self {
            messages: each(flow.messages),
            bytes: flow.bytes.map(each),
            waits: each(flow.waits),
            blocked: flow.waited.as_secs_f64() / seconds,
            wake_ups: each(flow.wake_ups),
            drops: each(drops),
        }
    }
}
