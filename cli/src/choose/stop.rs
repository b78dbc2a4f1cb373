//! Signals that break a measurement off: between two steps, so that nothing is left behind.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

/// Tells whether a signal came. The second one ends the program at once; the peers end by themselves then.
#[derive(Debug)]
pub(super) struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let came = Arc::new(AtomicUsize::new(0));
        let once = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first signal passes the first line, the second one does not.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&once))?;
            flag::register(signal, Arc::clone(&once))?;
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&came), number)?;
        }
        Ok(Self(came))
    }

    /// The signal that came, if one did.
    pub(super) fn signal(&self) -> Option<u8> {
        // Only the number is wanted, nothing that it was written after.
        match u8::try_from(self.0.load(Ordering::Relaxed)) {
            Ok(0) => None,
            signal => signal.ok(),
        }
    }
}
