//! What takes inputs, and how it is run.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    time::{Duration, Instant},
};

use fastrand::Rng;

use crate::{What, address, frames, header, records, ring::Kind, values};

/// How many inputs share a ring, or whatever a target makes for them.
pub(crate) const BLOCK: u64 = 32;

/// Which inputs to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// What they are made from.
    pub(crate) seed: u64,
    /// The first.
    pub(crate) from: u64,
    /// How many.
    pub(crate) inputs: u64,
}

/// What became of an input, in a word.
pub(crate) type Outcome = &'static str;

/// Takes what is not to be trusted.
pub(crate) trait Target {
    /// Makes ready for a block of inputs. Nothing that earlier ones left may matter.
    fn begin(&mut self, random: &mut Rng);

    /// Takes one input, and panics if it was not met as it should be.
    fn input(&mut self, random: &mut Rng) -> Outcome;
}

/// Runs a target in this process. Tells what became of the inputs.
pub(crate) fn run(what: What, span: Span) -> bool {
    match what {
        What::Address => drive(what, span, &mut address::Addresses::new()),
        What::Header => drive(what, span, &mut header::Headers::new()),
        What::Spsc => drive(what, span, &mut records::Records::new(Kind::Spsc)),
        What::Lock => drive(what, span, &mut records::Records::new(Kind::Lock)),
        What::Mpmc => drive(what, span, &mut records::Records::new(Kind::Mpmc)),
        What::Frames => drive(what, span, &mut frames::Frames::new()),
        What::Values => drive(what, span, &mut values::Values::new()),
        What::Faulty => drive(what, span, &mut Faulty(0)),
        What::Quick | What::Scribble | What::Scribbler => return false,
    }
    true
}

/// Fails in its fourth block.
struct Faulty(u64);

impl Target for Faulty {
    fn begin(&mut self, _: &mut Rng) {
        self.0 += 1;
    }

    fn input(&mut self, _: &mut Rng) -> Outcome {
        assert!(self.0 < 4, "as it should");
        "sound"
    }
}

/// The random numbers of a block.
fn random(seed: u64, block: u64) -> Rng {
    // Far apart also for seeds and blocks that follow each other.
    Rng::with_seed(
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ block.wrapping_mul(0xd1b5_4a32_d192_ed03),
    )
}

fn drive(what: What, span: Span, target: &mut dyn Target) {
    let note = Note::new();
    let mut counts: BTreeMap<Outcome, u64> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, 0);
    let start = Instant::now();
    let blocks = span.from / BLOCK..(span.from + span.inputs).div_ceil(BLOCK);
    let mut inputs = 0_u64;
    for block in blocks {
        note.write(block);
        let before = Instant::now();
        let mut random = random(span.seed, block);
        target.begin(&mut random);
        for _ in 0..BLOCK {
            *counts.entry(target.input(&mut random)).or_default() += 1;
        }
        inputs += BLOCK;
        slowest = slowest.max((before.elapsed(), block));
    }
    let took = start.elapsed();
    let each = took.as_secs_f64() * 1e6 / inputs.max(1) as f64;
    let told: Vec<String> = counts.iter().map(|(o, n)| format!("{o} {n}")).collect();
    println!(
        "{:8} {inputs} inputs from seed {} in {:.1} s, {each:.1} us each, slowest {BLOCK} {:.1} ms (from {}): {}",
        what.word(),
        span.seed,
        took.as_secs_f64(),
        slowest.0.as_secs_f64() * 1e3,
        slowest.1 * BLOCK,
        told.join(", ")
    );
}

/// Where this process leaves how far it has come, for whoever watches it: its standard input, if that is a file.
#[derive(Debug)]
pub(crate) struct Note(Option<File>);

impl Note {
    pub(crate) fn new() -> Self {
        let input = io::stdin().as_fd().try_clone_to_owned().map(File::from);
        let input = input.ok();
        Self(input.filter(|file| file.metadata().is_ok_and(|meta| meta.is_file())))
    }

    /// Notes that this number is begun.
    pub(crate) fn write(&self, number: u64) {
        if let Some(file) = &self.0 {
            // Whoever watches misses nothing but the number.
            let _ = file.write_all_at(&(number + 1).to_le_bytes(), 0);
        }
    }
}
