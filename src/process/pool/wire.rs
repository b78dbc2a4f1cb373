//! What parent and workers say to each other.
//!
//! ```text
//!   job      id u64 | function u32 | the request
//!   answer   id u64 | kind u32     | the response, or what the kind says
//! ```

/// Bytes before a request or a response.
pub(super) const HEADER: usize = 12;

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The response follows.
    Done,
    /// The worker's process id and the message of the panic follow.
    Panicked,
    /// The response was longer than the channel carries: a u64 tells how long.
    TooLarge,
    /// The response's own serialisation refused it.
    Unencodable,
    /// The request could not be read.
    Unreadable,
    /// From the keeper: a worker has died, and its answers are all before this.
    Died,
    /// From the keeper: all workers are gone, and this is the last.
    Over,
}

const KINDS: [Kind; 7] = [
    Kind::Done,
    Kind::Panicked,
    Kind::TooLarge,
    Kind::Unencodable,
    Kind::Unreadable,
    Kind::Died,
    Kind::Over,
];

/// Starts a message.
#[inline]
pub(super) fn start(bytes: &mut Vec<u8>, id: u64, word: u32) {
    bytes.clear();
    bytes.extend_from_slice(&id.to_le_bytes());
    bytes.extend_from_slice(&word.to_le_bytes());
}

/// Starts an answer.
#[inline]
pub(super) fn answer(bytes: &mut Vec<u8>, id: u64, kind: Kind) {
    let word = KINDS.iter().position(|&known| known == kind);
    start(
        bytes,
        id,
        word.and_then(|word| u32::try_from(word).ok())
            .unwrap_or(u32::MAX),
    );
}

/// The id, the word and the rest of a message; `None` if it is too short.
#[inline]
pub(super) fn parts(message: &[u8]) -> Option<(u64, u32, &[u8])> {
    let (id, rest) = message.split_first_chunk()?;
    let (word, rest) = rest.split_first_chunk()?;
    Some((u64::from_le_bytes(*id), u32::from_le_bytes(*word), rest))
}

/// The same of an answer; `None` if it is none.
#[inline]
pub(super) fn read_answer(message: &[u8]) -> Option<(u64, Kind, &[u8])> {
    let (id, word, rest) = parts(message)?;
    let kind = KINDS.get(usize::try_from(word).ok()?)?;
    Some((id, *kind, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_comes_back_and_nothing_else_does() {
        let mut bytes = Vec::new();
        for kind in KINDS {
            answer(&mut bytes, 7 << 40, kind);
            bytes.extend_from_slice(b"rest");
            assert_eq!(read_answer(&bytes), Some((7 << 40, kind, &b"rest"[..])));
        }
        start(&mut bytes, 1, 7);
        assert_eq!(read_answer(&bytes), None);
        assert_eq!(parts(&bytes[..HEADER - 1]), None);
    }
}
