//! How long the machine stands still by itself.

use std::{thread, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock,
    measure::{cores, latencies::Latencies, quantile::Quantile, recorder::Recorder},
};

/// How long to listen at once.
const TIME: Duration = Duration::from_millis(10);
/// Nanoseconds between two moments that count.
const MOMENT: u64 = 1000;

/// What a thread hears that stays on `core`.
fn hear(core: Option<usize>) -> Latencies {
    if let Some(core) = core {
        // Heard elsewhere is still heard.
        let _ = cores::stay_on(core);
    }
    let mut late = Recorder::new();
    let start = clock::now();
    let mut due = start;
    loop {
        let now = clock::now();
        while due <= now {
            late.record(now - due);
            due += MOMENT;
        }
        if now.saturating_sub(start) >= clock::nanos(TIME) {
            return Latencies::from(&late);
        }
    }
}

/// Interruptions of threads that do nothing but read the clock, on the cores of the peers while these sleep. Any message may
/// be late by as much, on any transport.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hiccups {
    /// How late a message would be that is due at any moment, in nanoseconds.
    pub late: Latencies,
    /// Nanoseconds of listening, of all cores together.
    pub time: u64,
}

impl Hiccups {
    /// Listens for 10 ms.
    pub(super) fn listen(&mut self) {
        let cores = cores::allowed();
        let mut ends = vec![cores::of_producer(&cores, 0), cores::of_consumer(&cores, 0)];
        ends.dedup();
        thread::scope(|scope| {
            let threads: Vec<_> = ends
                .into_iter()
                .map(|core| scope.spawn(move || hear(core)))
                .collect();
            for thread in threads {
                if let Ok(late) = thread.join() {
                    self.late.merge(&late);
                    self.time += clock::nanos(TIME);
                }
            }
        });
    }

    /// Of 1000 moments one is later than that, in nanoseconds; `None` if they were too few.
    #[must_use]
    pub fn p999(&self) -> Option<u64> {
        self.late.at(Quantile::P999)
    }

    /// The longest, in nanoseconds.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.late.max()
    }
}
