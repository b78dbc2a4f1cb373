//! `laneway ls` and `laneway rm`: what a crash left is shown and goes, and what anybody uses stays.
//!
//! Each case runs in a process of its own, with a `/dev/shm`, a temporary folder and System V queues that nobody else has, so that
//! removing all that is stale touches nobody.

mod foreign;
mod half;
mod live;
#[path = "../../../tests/private/mod.rs"]
mod private;
mod race;
mod shown;
mod stale;
mod world;

use libtest_mimic::{Arguments, Failed, Trial};

use private::Place;
use world::VARIABLE;

fn main() {
    let cases = [
        foreign::CASES,
        half::CASES,
        live::CASES,
        race::CASES,
        shown::CASES,
        stale::CASES,
    ]
    .concat();
    world::serve(&cases);
    let lacking = private::lacking(VARIABLE);
    let place = lacking.as_ref().map_or(Place::Private, |_| Place::Anywhere);
    let trials = cases.into_iter().map(|(case, _)| {
        let name = match &lacking {
            Some(why) => format!("{case} (not run: {why})"),
            None => case.to_owned(),
        };
        let run =
            move || private::run(place, VARIABLE, &format!("case {case}")).map_err(Failed::from);
        Trial::test(name, run).with_ignored_flag(lacking.is_some())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
