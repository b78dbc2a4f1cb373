//! `laneway choose`: which transport to take for a workload, found out by measuring.

mod markdown;
mod screen;
mod stop;

use std::{
    fs,
    io::{self, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use laneway::{
    Address, Registry,
    choose::{Choice, Need, Needs, Objective, Verdict, choose},
    measure::{Progress, Shape, Sizes, Workload},
};
use stop::Stop;

/// Exit code: an answer.
const ANSWER: u8 = 0;
/// Exit code: something else failed, such as writing the file.
const FAILED: u8 = 1;
/// Exit code: the arguments make no sense. Clap's own.
const USAGE: u8 = 2;
/// Exit code: too close to call.
const TIE: u8 = 3;
/// Exit code: no transport qualifies.
const NOTHING: u8 = 4;

const AFTER: &str = "\
Each transport that can carry the workload gets real processes: producers and consumers, each kept
to a core where there are several. Every byte is written, read and checked. Transports take turns,
round by round; figures are medians, and spread is half their 95 % interval. Of transports too close
to call the simplest is taken.

Examples:
  laneway choose                              messages of 64 bytes, one process to one other
  laneway choose --size 4KiB --shape 4x2      four producers, two consumers
  laneway choose --by latency --named         quick answers between unrelated processes
  laneway choose --time 60 --json out.json    more rounds, and every figure in a file
  laneway choose --size 8,64KiB --markdown    a table of several sizes, as in BENCHMARKS.md

Exit codes:
  0  an answer, or a table of several sizes
  1  the file could not be written
  2  wrong usage
  3  a tie: the simplest is taken
  4  no transport qualifies
  128 and the number of the signal that broke it off; nothing is left behind";

/// Measure the transports of this machine for a workload, and say which to take
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER, after_help = AFTER)]
pub(crate) struct Args {
    /// Bytes of a message, as in 64 or 64KiB; several, with commas, for --markdown
    #[arg(long, value_name = "N", default_value = "64", value_delimiter = ',', value_parser = size)]
    size: Vec<usize>,
    /// Processes that send x processes that receive; each message goes to one of them
    #[arg(long, value_name = "PxC", default_value = "1x1")]
    shape: Shape,
    /// What matters: rate, latency or a percentile as in p99.9, cpu, or simplicity
    #[arg(long, value_name = "WHAT")]
    by: Option<Objective>,
    /// Only transports that unrelated processes find by name
    #[arg(long)]
    named: bool,
    /// How long to measure, about, for each size
    #[arg(long, value_name = "SECONDS", default_value = "9", value_parser = seconds)]
    time: Duration,
    /// Write all there is to know as JSON: to FILE, or instead of the table
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Print tables for BENCHMARKS.md instead
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

fn size(text: &str) -> Result<usize, String> {
    let most = Sizes::MOST;
    let form = || format!("write 1 to {most} bytes, as in 64, 64KiB or 1MiB");
    let size = Address::new("size", "").map(|address| address.with("size", text));
    let size = size.and_then(|address| address.size("size"));
    match size {
        Ok(Some(size)) if size <= most => Ok(size),
        _ => Err(form()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let form = || "write seconds from 0.1 to 86400".to_owned();
    let number: f64 = text.parse().map_err(|_| form())?;
    let fits = (0.1..=86_400.0).contains(&number);
    let time = Duration::try_from_secs_f64(number).ok().filter(|_| fits);
    time.ok_or_else(form)
}

/// Why there is no choice to show.
enum End {
    /// A signal came.
    Signal(u8),
    /// The output could not be written.
    Output(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs it.
pub(crate) fn run(args: Args) -> ExitCode {
    if args.size.len() > 1 && !args.markdown {
        let _ = writeln!(
            io::stderr(),
            "error: several sizes go with --markdown; ask for one at a time"
        );
        return USAGE.into();
    }
    match report(&args) {
        Ok(code) => code.into(),
        Err(End::Signal(number)) => (128 + number).into(),
        // Whoever reads has read enough.
        Err(End::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => FAILED.into(),
        Err(End::Output(error)) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            FAILED.into()
        }
    }
}

fn report(args: &Args) -> Result<u8, End> {
    let registry = Registry::BUILTIN;
    let stop = Stop::listen()?;
    let mut choices = Vec::new();
    for &size in &args.size {
        let mut needs = Needs::new(Workload::new(size).shape(args.shape));
        needs.objective = args.by;
        needs.must.extend(args.named.then_some(Need::Named));
        choices.push(measured(&needs, &registry, args.time, &stop)?);
    }
    let mut out = io::stdout().lock();
    if args.markdown {
        markdown::write(&mut out, &choices)?;
        return Ok(ANSWER);
    }
    let mut code = ANSWER;
    for choice in &choices {
        match args.json.as_deref() {
            Some(path) if path == Path::new("-") => writeln!(out, "{}", json(choice)?)?,
            Some(path) => {
                let text = json(choice)? + "\n";
                let named =
                    |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
                fs::write(path, text).map_err(named)?;
                screen::write(&mut out, choice, &registry)?;
            }
            None => screen::write(&mut out, choice, &registry)?,
        }
        code = match choice.recommendation.verdict {
            Verdict::Answer => ANSWER,
            Verdict::Tie => TIE,
            _ => NOTHING,
        };
    }
    out.flush()?;
    Ok(code)
}

fn json(choice: &Choice) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(choice)?)
}

/// Chooses, and shows how far it is where standard error is a terminal.
fn measured(
    needs: &Needs,
    registry: &Registry,
    time: Duration,
    stop: &Stop,
) -> Result<Choice, End> {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut watch = |progress: Progress<'_>| {
        if let Some(signal) = stop.signal() {
            return ControlFlow::Break(End::Signal(signal));
        }
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("{} {}", progress.address, needs.workload.sizes));
        ControlFlow::Continue(())
    };
    let choice = choose(needs, registry, time, &mut watch);
    bar.finish_and_clear();
    choice
}
