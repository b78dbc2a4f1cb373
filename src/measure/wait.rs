//! How processes wait, as saved and as a channel's address has it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{Address, Registry, WaitStrategy};

/// The key of addresses.
const KEY: &str = "wait";

/// Saves it as the word that addresses use.
#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(crate) fn serialize<S: Serializer>(
    wait: &Option<WaitStrategy>,
    to: S,
) -> Result<S::Ok, S::Error> {
    wait.map(|wait| wait.word()).serialize(to)
}

/// Reads that word.
pub(crate) fn deserialize<'a, D: Deserializer<'a>>(
    from: D,
) -> Result<Option<WaitStrategy>, D::Error> {
    let Some(word) = Option::<String>::deserialize(from)? else {
        return Ok(None);
    };
    match WaitStrategy::from_word(&word) {
        None => Err(D::Error::custom(format!("{word} is no way to wait"))),
        wait => Ok(wait),
    }
}

/// Whether the channel's transport gives the choice.
fn has_choice(registry: &Registry, address: &Address) -> bool {
    let scheme = address.scheme();
    let mut drivers = registry.drivers().iter();
    let driver =
        drivers.find(|driver| driver.scheme() == scheme || driver.aliases().contains(&scheme));
    driver.is_some_and(|driver| driver.keys().iter().any(|key| key.name == KEY))
}

/// The same channel waiting like this, if its transport gives the choice and the address does not say otherwise.
pub(crate) fn waiting(
    registry: &Registry,
    address: &Address,
    wait: Option<WaitStrategy>,
) -> Address {
    match wait {
        Some(wait) if address.value(KEY).is_none() && has_choice(registry, address) => {
            address.clone().with(KEY, wait.word())
        }
        _ => address.clone(),
    }
}

/// How its processes wait; `None` if its transport gives no choice: then they sleep in the kernel.
pub(crate) fn of(registry: &Registry, address: &Address) -> Option<WaitStrategy> {
    if !has_choice(registry, address) {
        return None;
    }
    let word = address.value(KEY);
    Some(
        word.and_then(WaitStrategy::from_word)
            .unwrap_or(WaitStrategy::DEFAULT),
    )
}
