//! Messages that tell who sent them, which they are, and whether they are whole.

use crate::chance::mix;

/// The shortest message.
pub(crate) const LEAST: usize = 24;

/// Writes the message with this number of the sender with this id into all of `room`, which is [`LEAST`] bytes or longer.
pub(crate) fn write(id: u32, number: u64, room: &mut [u8]) {
    let sum = sum(id, number, room.len());
    for (place, chunk) in room.chunks_mut(8).enumerate() {
        let word = word(id, number, sum, place).to_le_bytes();
        for (to, from) in chunk.iter_mut().zip(word) {
            *to = from;
        }
    }
}

/// Who sent this message, and which it is; `None` unless every byte is as it was written.
pub(crate) fn read(message: &[u8]) -> Option<(u32, u64)> {
    let word_at = |place: usize| {
        let bytes = message.get(place * 8..place * 8 + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let id = u32::try_from(word_at(0)?).ok()?;
    let number = word_at(1)?;
    let sum = sum(id, number, message.len());
    let sound = message.chunks(8).enumerate().all(|(place, chunk)| {
        let word = word(id, number, sum, place).to_le_bytes();
        word.starts_with(chunk)
    });
    (sound && message.len() >= LEAST).then_some((id, number))
}

fn sum(id: u32, number: u64, len: usize) -> u64 {
    mix(mix(number) ^ u64::from(id) ^ (len as u64) << 32)
}

/// The eight bytes at a place: who, which, and then what follows from both and the length.
fn word(id: u32, number: u64, sum: u64, place: usize) -> u64 {
    match place {
        0 => id.into(),
        1 => number,
        place => sum.wrapping_add(place as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_again_and_a_changed_one_is_not() {
        for len in LEAST..100 {
            let mut message = vec![0; len];
            write(7, 1 << 40, &mut message);
            assert_eq!(read(&message), Some((7, 1 << 40)));
            assert_eq!(read(&message[..len - 1]), None);
            for at in 0..len {
                let mut changed = message.clone();
                changed[at] ^= 1;
                assert_ne!(read(&changed), Some((7, 1 << 40)));
                assert!(at < 16 || read(&changed).is_none(), "{at} of {len}");
            }
        }
    }
}
