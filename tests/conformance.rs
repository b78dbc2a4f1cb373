//! Every transport of the registry keeps every promise: see `laneway::conformance`.

use std::{
    process,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use laneway::{Registry, conformance};
use libtest_mimic::{Arguments, Trial};

/// No case takes a tenth of it. One that hangs ends the run and tells its name.
const WATCHDOG: Duration = Duration::from_secs(180);

fn main() {
    conformance::serve(&Registry::BUILTIN);
    let drivers = Registry::BUILTIN.drivers().iter();
    let trials = drivers.flat_map(conformance::trials).map(|trial| {
        let name = trial.name.clone();
        Trial::test(trial.name, move || {
            watched(&name, trial.run);
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

#[expect(clippy::print_stderr, reason = "the only trace of a hanging test")]
fn watched(name: &str, run: Box<dyn FnOnce() + Send>) {
    let (done, watch) = mpsc::channel::<()>();
    let name = name.to_owned();
    thread::spawn(move || {
        if watch.recv_timeout(WATCHDOG) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            process::abort();
        }
    });
    run();
    drop(done);
}
