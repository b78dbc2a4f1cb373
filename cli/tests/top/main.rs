//! `laneway top`, beside real processes that count by themselves.

mod private;
mod rates;
mod terminal;
mod traffic;

use libtest_mimic::{Arguments, Trial};

fn main() {
    traffic::serve();
    rates::serve();
    let cases = rates::CASES.iter().chain(terminal::CASES);
    let trials = cases.map(|&(name, case)| {
        Trial::test(name, move || {
            case();
            Ok(())
        })
    });
    let mut arguments = Arguments::from_args();
    // Rates are compared, and there are two cores.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
