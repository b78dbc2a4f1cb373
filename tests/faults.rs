//! What the system does to processes in the middle of everything: they are stopped, interrupted, copied, given other clocks and held to limits.
//! Nothing is lost, doubled or cut, nobody is taken for dead, and what cannot be is a typed error.
//!
//! Each case runs for each transport in a process of its own, and where the system allows in mount and IPC namespaces of its own too.

#[path = "faults/clocks.rs"]
mod clocks;
#[path = "faults/copied.rs"]
mod copied;
#[path = "faults/limits.rs"]
mod limits;
#[path = "faults/overwritten.rs"]
mod overwritten;
#[path = "faults/peer.rs"]
mod peer;
mod private;
#[path = "faults/shrunk.rs"]
mod shrunk;
#[path = "faults/stopped.rs"]
mod stopped;
#[path = "faults/storm.rs"]
mod storm;
#[path = "faults/world.rs"]
mod world;

use laneway::Registry;
use libtest_mimic::{Arguments, Failed, Trial};

use private::Place;
use world::{VARIABLE, channel};

fn main() {
    let cases = [
        clocks::CASES,
        copied::CASES,
        limits::CASES,
        overwritten::CASES,
        shrunk::CASES,
        stopped::CASES,
        storm::CASES,
    ]
    .concat();
    world::serve(&cases);
    let lacking = private::lacking(VARIABLE);
    let mut trials = Vec::new();
    for case in cases {
        for (index, driver) in Registry::BUILTIN.drivers().iter().enumerate() {
            for &variant in driver.variants() {
                let can = channel(index, variant).capabilities();
                // A broadcast has faults of its own: tests/broadcast.
                if !can.gives_each_once() || !(case.fits)(can) {
                    continue;
                }
                let mut name = format!("{}/{}/{variant}", case.name, driver.scheme());
                let missing = lacking.as_ref().filter(|_| case.place == Place::Private);
                if let Some(why) = missing {
                    name = format!("{name} (not run: {why})");
                }
                let place = lacking.as_ref().map_or(Place::Private, |_| Place::Anywhere);
                let task = format!("case {} {index} {variant}", case.name);
                let run = move || private::run(place, VARIABLE, &task).map_err(Failed::from);
                trials.push(Trial::test(name, run).with_ignored_flag(missing.is_some()));
            }
        }
    }
    let mut arguments = Arguments::from_args();
    // Many of them wait most of the time.
    arguments.test_threads.get_or_insert(8);
    libtest_mimic::run(&arguments, trials).exit();
}
