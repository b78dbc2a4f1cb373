//! Seeds in the tree: what is well-formed, and what was a fault once.

use fastrand::Rng;

/// Addresses, a line each.
pub(crate) fn addresses() -> Vec<&'static str> {
    lines(include_str!("../corpus/addresses"))
}

/// Bytes of pipes, in hexadecimal, a line each.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    lines(include_str!("../corpus/frames"))
        .into_iter()
        .map(bytes)
        .collect()
}

/// Messages that are values, in hexadecimal, a line each.
pub(crate) fn values() -> Vec<Vec<u8>> {
    lines(include_str!("../corpus/values"))
        .into_iter()
        .map(bytes)
        .collect()
}

/// What is no comment.
fn lines(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

fn bytes(line: &str) -> Vec<u8> {
    let digits: Vec<u32> = line.chars().filter_map(|c| c.to_digit(16)).collect();
    let pairs = digits.chunks_exact(2);
    pairs
        .filter_map(|pair| u8::try_from(pair.first()? * 16 + pair.last()?).ok())
        .collect()
}

/// One of these, or the default.
pub(crate) fn any<T: Clone + Default>(random: &mut Rng, all: &[T]) -> T {
    random.choice(all).cloned().unwrap_or_default()
}

/// Changes a few of the bytes: flips, overwrites, removes, doubles, inserts.
pub(crate) fn mutate(random: &mut Rng, bytes: &mut Vec<u8>, fresh: impl Fn(&mut Rng) -> u8) {
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(0..=bytes.len());
        let end = at + random.usize(0..=(bytes.len() - at).min(8));
        match random.u8(0..6) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.u8(0..8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = fresh(random);
                }
            }
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again: Vec<u8> = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, again);
            }
            4 => bytes.truncate(end),
            _ => {
                for _ in 0..random.usize(1..=4) {
                    let byte = fresh(random);
                    bytes.insert(at, byte);
                }
            }
        }
    }
}
