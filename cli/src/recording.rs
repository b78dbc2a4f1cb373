//! A file of recorded messages: a line each, its bytes, then the nanoseconds since the message before it.

use std::{fmt, fs, io, path::Path};

use laneway::measure::{Recorded, Sizes, Trace};

/// What the lines look like, for `--help`.
pub(crate) const FORM: &str = "\
A trace has a line for each message: its bytes, then the nanoseconds since the message before it; what follows a # is
not read. One line in your program makes it: eprintln!(\"{} {}\", message.len(), last.elapsed().as_nanos()).";

/// Why a file is not a recording.
#[derive(Debug)]
pub(crate) enum RecordingError {
    /// It cannot be read.
    Read(io::Error),
    /// It has no message.
    Empty,
    /// A line is not one.
    Line { number: usize, problem: LineProblem },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineProblem {
    /// It does not start with a size that is measured.
    Size,
    /// A gap is wanted, and what follows the size is none.
    Gap,
    /// Something follows.
    More,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = Sizes::MOST;
        match self {
            Self::Read(error) => write!(f, "{error}"),
            Self::Empty => f.write_str("it has no message; write a line for each: its bytes"),
            Self::Line { number, problem } => {
                write!(f, "line {number}: ")?;
                match problem {
                    LineProblem::Size => write!(f, "start with the bytes of a message, 1 to {most}"),
                    LineProblem::Gap => f.write_str(
                        "write the nanoseconds since the message before behind the bytes, or use --size-file",
                    ),
                    LineProblem::More => f.write_str("write nothing behind the nanoseconds"),
                }
            }
        }
    }
}

/// Whether the gaps of a recording are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// As they were recorded: every line has one.
    Keep,
    /// Not read: messages follow each other as fast as they go through, or at a rate.
    Ignore,
}

/// Reads a recording.
pub(crate) fn read(path: &Path, gaps: Gaps) -> Result<Trace, RecordingError> {
    parse(
        &fs::read_to_string(path).map_err(RecordingError::Read)?,
        gaps,
    )
}

fn parse(text: &str, gaps: Gaps) -> Result<Trace, RecordingError> {
    let mut messages = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let message = message(line, gaps);
        messages.push(message.map_err(|problem| RecordingError::Line { number, problem })?);
    }
    Trace::new(messages).map_err(|_| RecordingError::Empty)
}

fn message(line: &str, gaps: Gaps) -> Result<Recorded, LineProblem> {
    let mut words = line.split_whitespace();
    let size = words.next().and_then(|word| word.parse().ok());
    let size = size.filter(|size| (1..=Sizes::MOST).contains(size));
    let size = size.ok_or(LineProblem::Size)?;
    let gap = match gaps {
        Gaps::Ignore => return Ok(Recorded { size, gap: 0 }),
        Gaps::Keep => words.next().and_then(|word| word.parse().ok()),
    };
    let gap = gap.ok_or(LineProblem::Gap)?;
    match words.next() {
        None => Ok(Recorded { size, gap }),
        Some(_) => Err(LineProblem::More),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str, gaps: Gaps) -> Option<(usize, LineProblem)> {
        match parse(text, gaps) {
            Err(RecordingError::Line { number, problem }) => Some((number, problem)),
            _ => None,
        }
    }

    #[test]
    fn lines_are_sizes_and_gaps() {
        let text = "# of today\n64 1000\n\n4096 2000 # a large one\n";
        let trace = parse(text, Gaps::Keep).expect("a trace");
        let messages = [(64, 1000), (4096, 2000)].map(|(size, gap)| Recorded { size, gap });
        assert_eq!(trace.messages(), messages);
        let sizes = parse("64\n8 99 of whatever", Gaps::Ignore).expect("a trace");
        assert_eq!((sizes.len(), sizes.rate()), (2, None));
    }

    #[test]
    fn what_is_wrong_is_told_with_the_line() {
        assert_eq!(problem("64", Gaps::Keep), Some((1, LineProblem::Gap)));
        assert_eq!(
            problem("64 1\n0 1", Gaps::Keep),
            Some((2, LineProblem::Size))
        );
        assert_eq!(problem("many", Gaps::Ignore), Some((1, LineProblem::Size)));
        assert_eq!(problem("64 1 2", Gaps::Keep), Some((1, LineProblem::More)));
        assert!(matches!(
            parse("# none\n", Gaps::Ignore),
            Err(RecordingError::Empty)
        ));
    }
}
