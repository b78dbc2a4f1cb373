//! What a process of a pipeline is told when it is started.

use crate::{
    BoxReceiver, BoxSender, Endpoint, OpenError,
    process::{
        give,
        pipeline::{
            counters::{Counters, Line},
            turns::Turns,
        },
    },
    typed::{Plain, Unencodable, Value},
};

/// The key of the counters.
pub(super) const COUNTERS: &str = "pipeline.counters";
/// Bytes of a place.
const LENGTH: usize = 6 * 4;

/// The key of a lane that items come from.
pub(super) fn input_key(lane: usize) -> String {
    format!("pipeline.in.{lane}")
}

/// The key of a lane that items go to.
pub(super) fn output_key(lane: usize) -> String {
    format!("pipeline.out.{lane}")
}

/// Where a process stands in the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its line of the counters.
    pub(super) line: usize,
    /// Its index among the workers of its stage.
    pub(super) worker: usize,
    /// How many those are.
    pub(super) workers: usize,
    /// The lanes that items come from, and whether turns are marked there.
    pub(super) input: (usize, bool),
    /// The lanes that items go to, and the same.
    pub(super) output: (usize, bool),
}

impl Place {
    /// Its turns on the lanes that items come from.
    pub(super) fn input_turns(&self) -> Turns {
        let (lanes, marked) = self.input;
        Turns::new(self.worker, self.workers, lanes, marked)
    }

    /// Its turns on the lanes that items go to.
    pub(super) fn output_turns(&self) -> Turns {
        let (lanes, marked) = self.output;
        Turns::new(self.worker, self.workers, lanes, marked)
    }

    /// Takes the line that the parent gave.
    pub(super) fn take_line(&self) -> Result<Line, OpenError> {
        Ok(Counters::inherited(COUNTERS)?.line(self.line))
    }

    /// Takes the lanes that items come from.
    pub(super) fn take_input(&self) -> Result<Vec<BoxReceiver>, OpenError> {
        let (lanes, _) = self.input;
        (0..lanes)
            .map(|lane| give::inherited_receiver(&input_key(lane)))
            .collect()
    }

    /// Takes the lanes that items go to.
    pub(super) fn take_output(&self) -> Result<Vec<BoxSender>, OpenError> {
        let (lanes, _) = self.output;
        (0..lanes)
            .map(|lane| give::inherited_sender(&output_key(lane)))
            .collect()
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (input, output) = (self.input, self.output);
        let flags = usize::from(input.1) | usize::from(output.1) << 1;
        let words = [
            self.line,
            self.worker,
            self.workers,
            input.0,
            output.0,
            flags,
        ];
        // There are not so many processes or lanes.
        let word = |word: usize| u32::try_from(word).unwrap_or(u32::MAX).to_ne_bytes();
        words.into_iter().flat_map(word).collect()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let Plain(words) = Plain::<[u32; LENGTH / 4]>::read(bytes)?;
        let [line, worker, workers, input, output, flags] =
            words.map(|word| usize::try_from(word).unwrap_or(0));
        Some(Self {
            line,
            worker,
            workers,
            input: (input, flags & 1 != 0),
            output: (output, flags & 2 != 0),
        })
    }
}

/// What the entry of a stage takes: its place, and the arguments of the user's own.
#[derive(Debug)]
pub(super) struct Work<A> {
    pub(super) place: Place,
    pub(super) arguments: A,
}

impl<A: Value> Value for Work<A> {
    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), Unencodable> {
        bytes.extend(self.place.bytes());
        self.arguments.write(bytes)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (place, arguments) = bytes.split_at_checked(LENGTH)?;
        Some(Self {
            place: Place::read(place)?,
            arguments: A::read(arguments)?,
        })
    }

    fn declare(endpoint: &mut dyn Endpoint) -> Result<(), OpenError> {
        A::declare(endpoint)
    }
}

/// The arguments of a stage that has none.
#[derive(Debug)]
pub(super) struct Nothing;

impl Value for Nothing {
    fn write(&self, _: &mut Vec<u8>) -> Result<(), Unencodable> {
        Ok(())
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(Self)
    }

    fn declare(endpoint: &mut dyn Endpoint) -> Result<(), OpenError> {
        Plain::<[u8; 0]>::declare(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = Place {
            line: 7,
            worker: 2,
            workers: 4,
            input: (3, true),
            output: (5, false),
        };
        let mut bytes = Vec::new();
        let work = Work {
            place,
            arguments: Plain(9_u16),
        };
        work.write(&mut bytes).expect("plain");
        let read = Work::<Plain<u16>>::read(&bytes).expect("as written");
        assert_eq!((read.place, read.arguments), (place, Plain(9)));
        assert!(Work::<Nothing>::read(&bytes).is_none());
        assert!(Work::<Nothing>::read(&bytes[..LENGTH]).is_some());
        assert!(Work::<Nothing>::read(&bytes[1..LENGTH]).is_none());
    }
}
