//! Which transports can do what is needed at all. Nothing is measured here.

use crate::{
    Address, Capabilities, Channel, Driver, Endpoint, Fan, OpenErrorKind, Registry, SystemLimit,
    choose::{
        needs::Needs,
        refusal::{HEADERS, Refusal, Refused, Setting},
    },
    measure::{Shape, place, wait},
};

/// How many of the longest messages a raised capacity holds: as many as the system allows.
const HOLDS: [usize; 4] = [8, 4, 2, 1];

/// The transports that can do what is needed, and those that cannot, in the registry's order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shortlist {
    /// One address each: the first of its variants that fits, made larger where that takes it.
    pub fit: Vec<Address>,
    /// Why the others do not.
    pub refused: Vec<Refused>,
}

/// Asks each transport for its capabilities and limits. To learn the limits each opens a channel under a name
/// that nobody else has, which goes again.
#[must_use]
pub fn shortlist(needs: &Needs, registry: &Registry) -> Shortlist {
    let mut list = Shortlist {
        fit: Vec::new(),
        refused: Vec::new(),
    };
    for driver in registry.drivers() {
        match candidate(needs, registry, driver) {
            Ok(address) => list.fit.push(address),
            Err(refused) => list.refused.push(refused),
        }
    }
    list
}

/// The address of `driver`'s channels in one of its variants, without a name.
fn spelling(driver: &Driver, variant: &str) -> Option<Address> {
    let pairs = variant.split('&').filter_map(|pair| pair.split_once('='));
    let address = Address::new(driver.scheme(), "").ok()?;
    Some(pairs.fold(address, |address, (key, value)| address.with(key, value)))
}

fn candidate(needs: &Needs, registry: &Registry, driver: &Driver) -> Result<Address, Refused> {
    let mut closest: Option<Refused> = None;
    for variant in driver.variants() {
        let Some(address) = spelling(driver, variant) else {
            continue;
        };
        let reason = match fitting(needs, registry, driver, &address) {
            Ok(fits) => return Ok(fits),
            Err(reason) => reason,
        };
        let closer = |so_far: &Refused| so_far.reason.distance() < reason.distance();
        if closest.as_ref().is_none_or(closer) {
            let address = address.to_string();
            closest = Some(Refused { address, reason });
        }
    }
    Err(closest.unwrap_or_else(|| Refused {
        address: format!("{}:", driver.scheme()),
        reason: Refusal::Unsupported {
            why: "has no variant".to_owned(),
        },
    }))
}

/// The same address, made larger if it has to be.
fn fitting(
    needs: &Needs,
    registry: &Registry,
    driver: &Driver,
    address: &Address,
) -> Result<Address, Refusal> {
    driver.probe().map_err(|error| Refusal::Unsupported {
        why: error.to_string(),
    })?;
    let address = &wait::waiting(registry, address, needs.workload.wait);
    let named = place::unique(registry, address);
    let channel = driver.channel(&named).map_err(|error| Refusal::Closed {
        why: error.to_string(),
    })?;
    check(needs, driver, &channel.capabilities())?;

    let size = needs.workload.sizes.most();
    let mut obstacle = Refusal::Closed {
        why: "does not open".to_owned(),
    };
    let mut settings: Vec<Setting> = Vec::new();
    let mut note = |limit: SystemLimit| {
        let known = settings.iter().any(|setting| setting.name == limit.name);
        if limit.value < size as u64 && !known {
            settings.push(limit.into());
        }
    };
    for larger in spellings(driver, address, size) {
        match room(registry, driver, &larger, &mut note) {
            Ok(max) if max >= size => return Ok(larger),
            Ok(max) => {
                let best = match obstacle {
                    Refusal::TooLong { max: best, .. } => best.max(max as u64),
                    _ => max as u64,
                };
                obstacle = Refusal::TooLong {
                    size: size as u64,
                    max: best,
                    settings: Vec::new(),
                };
            }
            Err(why) if obstacle.distance() < 4 => obstacle = Refusal::Closed { why },
            Err(_) => {}
        }
    }
    if let Refusal::TooLong {
        settings: named, ..
    } = &mut obstacle
    {
        *named = settings;
    }
    Err(obstacle)
}

/// Whether a channel can do what is needed, apart from the length of the messages.
fn check(needs: &Needs, driver: &Driver, can: &Capabilities) -> Result<(), Refusal> {
    let Shape {
        producers,
        consumers,
    } = needs.workload.shape;
    let (senders, receivers) = (producers.get(), consumers.get());
    if !can.gives_each_once() {
        return Err(Refusal::Lossy);
    }
    let mut must = needs.must.iter();
    if let Some(need) = must.find(|need| !need.is_met(driver, can)) {
        return Err(Refusal::Lacks { need: *need });
    }
    if can.senders == Fan::One && senders > 1 {
        return Err(Refusal::OneSender { wanted: senders });
    }
    if can.receivers == Fan::One && receivers > 1 {
        return Err(Refusal::OneReceiver { wanted: receivers });
    }
    Ok(())
}

/// The address as it is, then with the keys that its transport has for larger messages.
fn spellings<'a>(
    driver: &'a Driver,
    address: &'a Address,
    size: usize,
) -> impl Iterator<Item = Address> + 'a {
    let headers = usize::try_from(HEADERS).unwrap_or_default();
    let has = |key: &str| driver.keys().iter().any(|known| known.name == key);
    let longest = has("max_message").then(|| address.clone().with("max_message", size));
    let holds = HOLDS.iter().filter(move |_| has("capacity"));
    let capacities = holds.filter_map(move |times| {
        let bytes = size.checked_mul(*times)?.checked_add(headers)?;
        Some(
            address
                .clone()
                .with("capacity", bytes.checked_next_power_of_two()?),
        )
    });
    [address.clone()]
        .into_iter()
        .chain(longest)
        .chain(capacities)
}

/// The longest message of a channel at this address. `note` is told the settings that bound it.
fn room(
    registry: &Registry,
    driver: &Driver,
    address: &Address,
    note: &mut dyn FnMut(SystemLimit),
) -> Result<usize, String> {
    let named = place::unique(registry, address);
    let channel = driver.channel(&named).map_err(|error| error.to_string())?;
    match channel.pair() {
        Ok((tx, _rx)) => {
            let limits = tx.limits();
            limits.system.into_iter().for_each(note);
            Ok(limits.max_message)
        }
        Err(error) => {
            if let OpenErrorKind::Limit(limit) = error.kind {
                note(limit);
            }
            Err(error.kind.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{choose::need::Need, measure::Workload};

    fn list(size: usize, shape: &str) -> Shortlist {
        let shape = shape.parse().expect("a shape");
        let needs = Needs::new(Workload::new(size).shape(shape));
        shortlist(&needs, &Registry::BUILTIN)
    }

    fn schemes(list: &Shortlist) -> Vec<&str> {
        list.fit.iter().map(Address::scheme).collect()
    }

    fn refused<'a>(list: &'a Shortlist, scheme: &str) -> &'a Refused {
        let mut all = list.refused.iter();
        let prefix = format!("{scheme}:");
        all.find(|refused| refused.address.starts_with(&prefix))
            .expect("refused")
    }

    #[test]
    fn everything_carries_a_small_message() {
        let list = list(64, "1x1");
        let drivers = Registry::BUILTIN.drivers().iter();
        let once = |driver: &&Driver| {
            driver
                .capabilities()
                .is_some_and(|can| can.gives_each_once())
        };
        let all: Vec<_> = drivers.filter(once).map(Driver::scheme).collect();
        assert_eq!(schemes(&list), all, "in the registry's order");
        assert!(
            list.fit.iter().all(Address::is_anonymous),
            "no name is kept"
        );
    }

    #[test]
    fn many_senders_take_packets() {
        let list = list(64, "3x2");
        let pipe = list.fit.iter().find(|address| address.scheme() == "pipe");
        assert_eq!(pipe.and_then(|pipe| pipe.value("mode")), Some("packet"));
    }

    #[test]
    fn packets_end_at_a_page_and_streams_at_one_sender() {
        let list = list(5000, "1x2");
        let pipe = refused(&list, "pipe");
        assert_eq!(
            pipe.address, "pipe:?mode=packet",
            "the one that came closest"
        );
        let why = pipe.reason.to_string();
        assert_eq!(why, "message 5000 B > its longest, 4092");
        assert_eq!(pipe.reason.remedy(), "split the messages");
    }

    #[test]
    fn a_setting_that_is_in_the_way_is_named_with_what_to_set() {
        let msgmax = SystemLimit::read("kernel.msgmax").expect("has System V queues");
        let size = usize::try_from(msgmax.value).expect("small") + 808;
        let list = list(size, "1x1");
        let sysv = refused(&list, "sysv");
        let why = sysv.reason.to_string();
        let expected = format!("message {size} B > kernel.msgmax {}", msgmax.value);
        assert!(why.starts_with(&expected), "{why}");
        let enough = (size + 64).next_power_of_two();
        let remedy = sysv.reason.remedy();
        let expected = format!("sysctl -w kernel.msgmax={enough}");
        assert!(remedy.starts_with(&expected), "{remedy}");
    }

    #[test]
    fn a_long_message_gets_a_larger_pipe() {
        let list = list(100_000, "1x1");
        let pipe = list.fit.iter().find(|address| address.scheme() == "pipe");
        let capacity = pipe.and_then(|pipe| pipe.size("capacity").expect("a size"));
        assert!(capacity.is_some_and(|bytes| bytes > 100_000), "{pipe:?}");
        let shm = list
            .fit
            .iter()
            .find(|address| address.scheme() == "shm+lock");
        assert_eq!(
            shm.map(ToString::to_string).as_deref(),
            Some("shm+lock:"),
            "it carries that as it is"
        );
    }

    #[test]
    fn a_name_is_needed_or_not() {
        let needs = Needs::new(Workload::new(64)).must(Need::Named);
        let list = shortlist(&needs, &Registry::BUILTIN);
        let pipe = refused(&list, "pipe");
        let lacks = Refusal::Lacks { need: Need::Named };
        assert_eq!(pipe.reason, lacks);
        assert!(schemes(&list).contains(&"fifo"));
    }
}
