//! Whatever is asked for wrongly, or stands in the way, is a typed error that says what to do, and nothing is created,
//! changed or left behind.
//!
//! Each case runs in a process of its own, and where the system allows in mount and IPC namespaces of its own too: with a small `/dev/shm`,
//! a temporary folder and System V queues that nobody else has, so that a look around sees all that was left.

#[path = "bad_input/addresses.rs"]
mod addresses;
#[path = "bad_input/attempt.rs"]
mod attempt;
#[path = "bad_input/foreign.rs"]
mod foreign;
#[path = "bad_input/permission.rs"]
mod permission;
mod private;
#[path = "bad_input/queues.rs"]
mod queues;
#[path = "bad_input/shape.rs"]
mod shape;
#[path = "bad_input/sockets.rs"]
mod sockets;
#[path = "bad_input/space.rs"]
mod space;
#[path = "bad_input/world.rs"]
mod world;

use libtest_mimic::{Arguments, Failed, Trial};

use private::Place;
use world::{Case, VARIABLE};

fn main() {
    let cases: Vec<Case> = [
        addresses::CASES,
        foreign::CASES,
        permission::CASES,
        queues::CASES,
        shape::CASES,
        sockets::CASES,
        space::CASES,
    ]
    .concat();
    world::serve(&cases);
    let lacking = private::lacking(VARIABLE);
    let trials = cases.into_iter().map(|case| {
        let missing = lacking.as_ref().filter(|_| case.place == Place::Private);
        let name = match missing {
            Some(why) => format!("{} (not run: {why})", case.name),
            None => case.name.to_owned(),
        };
        let place = match &lacking {
            Some(_) => Place::Anywhere,
            None => Place::Private,
        };
        Trial::test(name, move || {
            private::run(place, VARIABLE, &format!("case {}", case.name)).map_err(Failed::from)
        })
        .with_ignored_flag(missing.is_some())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
