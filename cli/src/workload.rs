//! The workload that a command line describes.

use std::{fmt::Write as _, path::PathBuf};

use laneway::{
    WaitStrategy,
    measure::{Shape, Sizes, Workload},
};

use crate::{
    exit::Failure,
    rate::Rate,
    recording::{self, Gaps},
};

/// Bytes of a message if nothing else is said.
const SIZE: usize = 64;

/// What is sent, between how many, and how fast.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Workload")]
pub(crate) struct Flags {
    /// Bytes of a message, as in 64 or 64KiB, or a range, as in 16..4096 [default: 64]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) size: Vec<Sizes>,
    /// Take the sizes from FILE, a line each, in that order
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    size_file: Option<PathBuf>,
    /// Take sizes and the gaps between messages from FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["size", "size_file"])]
    from_trace: Option<PathBuf>,
    /// Messages a second of all producers together, as in 50k/s, or max for as many as go through [default: max]
    #[arg(long)]
    rate: Option<Rate>,
    /// Processes that send x processes that receive; each message goes to one of them [default: 1x1]
    #[arg(long, value_name = "PxC")]
    shape: Option<Shape>,
    /// Each message is answered by one of the same size
    #[arg(long)]
    reply: bool,
    /// How processes wait where the transport gives the choice: spin, yield, adaptive or park
    #[arg(long, value_name = "HOW", value_parser = wait)]
    wait: Option<WaitStrategy>,
}

fn wait(word: &str) -> Result<WaitStrategy, String> {
    WaitStrategy::from_word(word).ok_or_else(|| "write spin, yield, adaptive or park".to_owned())
}

impl Flags {
    /// What these say, and `base` where they say nothing: a workload for each size.
    pub(crate) fn over(&self, base: Option<&Workload>) -> Result<Vec<Workload>, Failure> {
        let base = base.cloned().unwrap_or(Workload::new(SIZE));
        let sizes = match self.recorded()? {
            Some(sizes) => vec![sizes],
            None if self.size.is_empty() => vec![base.sizes.clone()],
            None => self.size.clone(),
        };
        let of = |sizes| {
            let mut workload = base.clone();
            workload.sizes = sizes;
            if let Some(rate) = self.rate {
                workload.rate = rate.fixed();
            }
            workload.shape = self.shape.unwrap_or(workload.shape);
            workload.reply |= self.reply;
            workload.wait = self.wait.or(workload.wait);
            workload
        };
        Ok(sizes.into_iter().map(of).collect())
    }

    /// The sizes of a file.
    fn recorded(&self) -> Result<Option<Sizes>, Failure> {
        let (path, gaps) = match (&self.size_file, &self.from_trace) {
            (Some(path), _) => (path, Gaps::Ignore),
            (_, Some(path)) => (path, Gaps::Keep),
            _ => return Ok(None),
        };
        let trace = recording::read(path, gaps);
        let failed = |error| Failure::Recording {
            path: path.clone(),
            error,
        };
        trace.map(|trace| Some(Sizes::Trace(trace))).map_err(failed)
    }

    /// Flags that describe this workload, which came from these.
    pub(crate) fn spelled(&self, workload: &Workload) -> String {
        let mut text = String::new();
        let mut put = |flag: &str, value: &dyn std::fmt::Display| {
            let _ = write!(text, " --{flag} {value}");
        };
        match (&workload.sizes, &self.size_file, &self.from_trace) {
            (_, Some(path), _) => put("size-file", &path.display()),
            (_, _, Some(path)) => put("from-trace", &path.display()),
            (Sizes::Range(range), ..) => {
                put("size", &format!("{}..{}", range.start(), range.end()));
            }
            (Sizes::Trace(_), ..) => put("from-trace", &"FILE"),
            (sizes, ..) => put("size", &sizes.most()),
        }
        if let Some(rate) = workload.rate {
            put("rate", &Rate::Fixed(rate));
        }
        if workload.shape != Shape::ONE_TO_ONE {
            put("shape", &workload.shape);
        }
        if let Some(wait) = workload.wait {
            put("wait", &wait.word());
        }
        if workload.reply {
            text.push_str(" --reply");
        }
        text
    }
}
