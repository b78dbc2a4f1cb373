//! Messages whose every byte is known from their number.

use std::sync::OnceLock;

use crate::Limits;

/// Bytes that messages are cut from: too irregular for a shift or a loss to go unseen.
fn noise() -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    NOISE.get_or_init(|| {
        (0..(1_u64 << 15))
            .flat_map(|n| mix(n).to_le_bytes())
            .collect()
    })
}

/// The finaliser of `SplitMix64`.
const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Numbered messages between two sizes. The first eight bytes are the number; length and contents follow
/// from it, so a receiver compares every byte without having seen what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The shortest, at least 8 bytes.
    pub min: usize,
    /// The longest, at most 60 KiB.
    pub max: usize,
}

impl Numbered {
    /// From 8 bytes to 60 KiB, or to what the channel carries.
    #[must_use]
    pub fn within(limits: Limits) -> Self {
        Self {
            min: 8,
            max: limits.max_message.min(60 << 10),
        }
    }

    /// The length of message `number`: as many of them short as long, on a logarithmic scale.
    #[must_use]
    pub fn len(&self, number: u64) -> usize {
        let random = mix(number);
        let span = (self.max / self.min).max(1).ilog2() + 1;
        let octave = u32::try_from(random % u64::from(span)).unwrap_or(0);
        let low = self.min << octave;
        let high = (low * 2).min(self.max);
        let width = high.saturating_sub(low).max(1) as u64;
        low + usize::try_from((random >> 32) % width).unwrap_or(0)
    }

    /// Writes message `number`.
    pub fn write(&self, number: u64, message: &mut Vec<u8>) {
        message.clear();
        message.extend_from_slice(&number.to_le_bytes());
        message.extend_from_slice(self.rest(number));
    }

    /// What follows the number.
    fn rest(&self, number: u64) -> &'static [u8] {
        let len = self.len(number) - 8;
        let noise = noise();
        let start = mix(!number) % (noise.len() - len) as u64;
        let start = usize::try_from(start).unwrap_or(0);
        noise.get(start..start + len).unwrap_or_default()
    }

    /// The number of a message, if every byte of it is as it was written.
    #[must_use]
    pub fn check(&self, message: &[u8]) -> Option<u64> {
        let (number, rest) = message.split_first_chunk::<8>()?;
        let number = u64::from_le_bytes(*number);
        (rest == self.rest(number)).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_within_and_every_flipped_bit_is_seen() {
        let numbered = Numbered {
            min: 8,
            max: 60 << 10,
        };
        let mut message = Vec::new();
        for number in 0..2000 {
            numbered.write(number, &mut message);
            assert!((8..=60 << 10).contains(&message.len()));
            assert_eq!(numbered.check(&message), Some(number));
            let at = message.len() - 1;
            message[at] ^= 1;
            assert_ne!(numbered.check(&message), Some(number));
        }
    }
}
