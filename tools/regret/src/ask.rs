//! Asking for an answer, and for what is taken for the truth.

use std::{convert::Infallible, ops::ControlFlow, time::Duration};

use laneway::{
    Address, Registry,
    choose::{self, Needs, Recommendation},
    measure::{self, Plan, Progress},
};

fn ranked(needs: &Needs, addresses: &[Address], time: Duration) -> Recommendation {
    let registry = Registry::BUILTIN;
    let plan = Plan::within(time, addresses.len(), &needs.workload);
    let watch = &mut |_: Progress<'_>| ControlFlow::<Infallible>::Continue(());
    let Ok(comparison) = measure::compare(&registry, addresses, &needs.workload, &plan, watch);
    choose::rank(needs, &comparison)
}

/// What `choose` answers, without what it tells about other workloads.
pub(crate) fn answer(needs: &Needs, time: Duration) -> Recommendation {
    let list = choose::shortlist(needs, &Registry::BUILTIN);
    ranked(needs, &list.fit, time)
}

/// The same of every channel that keeps the same promises and waits alike, for longer: also of the variants that `choose`
/// leaves out, because a simpler one of the same transport fits.
pub(crate) fn truth(needs: &Needs, time: Duration) -> Recommendation {
    let registry = Registry::BUILTIN;
    let mut all = choose::shortlist(needs, &registry).fit;
    for driver in registry.drivers() {
        let packets = driver.variants().contains(&"mode=packet");
        let listed = |address: &Address| {
            address.scheme() == driver.scheme() && address.value("mode") == Some("packet")
        };
        if packets && !all.iter().any(listed) {
            let address = Address::new(driver.scheme(), "");
            all.extend(address.map(|address| address.with("mode", "packet")));
        }
    }
    ranked(needs, &all, time)
}
