//! `laneway choose`: which transport to take for a workload, found out by measuring.

pub(crate) mod account;
mod compare;
mod markdown;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::builder::BoolishValueParser;
use laneway::{
    Registry,
    choose::{Choice, Need, Needs, Objective, Slo, choose},
};

use crate::{
    cores::Cores,
    exit::Failure,
    figures, page,
    preset::Preset,
    progress::watched,
    recording,
    saved::{self, Files, Saved},
    screen::{self, Screen},
    units, workload,
};

const MORE: &str = "\
Each transport that can carry the workload gets real processes: producers and consumers, each kept
to a core where there are several. Every byte is written, read and checked. Transports take turns,
round by round; figures are medians. What does not keep a bound in every round is not taken; of
transports too close to call the simplest is.

Examples:
  laneway choose                              messages of 64 bytes, one process to one other
  laneway choose --size 4KiB --shape 4x2      four producers, two consumers
  laneway choose --rate 50k/s --slo 'p99.9<50us' --cpu-budget 20%
                                              keep a latency at a rate, with little processor time
  laneway choose --by latency --named         quick answers between unrelated processes
  laneway choose --preset rpc --size 2KiB     a workload that many have, with larger messages
  laneway choose --from-trace app.trace       the messages of your program, as it sent them
  laneway choose --needs select,no-shm        only what can wait together with others, in the kernel
  laneway choose --json out.json --html out.html
                                              every figure in a file, and a page with plots
  laneway choose --replay out.json --by cpu   what would be taken if something else counted
  laneway choose --compare old.json new.json  two machines, two kernels, before and after
  laneway choose --size 8,64KiB --markdown    a table of several sizes, as in BENCHMARKS.md
";

const CODES: &str = "\
Exit codes:
  0  an answer, a comparison, or a table of several sizes
  1  a file or the output failed
  2  wrong usage, or a file that is not what it should be
  3  a tie: the simplest is taken
  4  nothing qualifies: what to relax, and the best that was achieved, stand in WHY
  128+N as shells count it, ended by signal N, with nothing left behind";

/// What a file settles.
const REPLAYED: [&str; 14] = [
    "preset",
    "size",
    "size_file",
    "from_trace",
    "rate",
    "shape",
    "reply",
    "wait",
    "needs",
    "named",
    "related",
    "cores",
    "time",
    "markdown",
];

/// Measure the transports of this machine for a workload, and say which to take
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{MORE}\n{}\n\n{CODES}", recording::FORM))]
pub(crate) struct Args {
    /// Start from a workload that many have; the flags change what they say
    #[arg(long, value_enum, value_name = "NAME")]
    preset: Option<Preset>,
    #[command(flatten)]
    workload: workload::Flags,
    /// What matters: rate, latency or a percentile as in p99.9, cpu, or simplicity
    #[arg(
        long,
        value_name = "WHAT",
        visible_alias = "objective",
        help_heading = "What counts"
    )]
    by: Option<Objective>,
    /// The latency to keep in every round, as in p99.9<50us
    #[arg(long, value_name = "BOUND", help_heading = "What counts")]
    slo: Option<Slo>,
    /// The share of one core that all processes together may take, as in 20%
    #[arg(long, value_name = "SHARE", value_parser = units::share, help_heading = "What counts")]
    cpu_budget: Option<f64>,
    #[arg(long, value_name = "NEED", value_delimiter = ',', help = needs(), help_heading = "What counts")]
    needs: Vec<Need>,
    /// Short for --needs named: only transports that unrelated processes find by name
    #[arg(long, help_heading = "What counts")]
    named: bool,
    /// Whether one process starts the other: no is short for --needs named
    #[arg(long, value_name = "YES|NO", value_parser = BoolishValueParser::new(), help_heading = "What counts")]
    related: Option<bool>,
    /// The cores to measure on, as in 0,1 or 0-3 [default: all that this process may use]
    #[arg(long, value_name = "LIST", help_heading = "Measuring")]
    cores: Option<Cores>,
    /// How long to measure, about, for each size
    #[arg(long, value_name = "SECONDS", default_value = "9", value_parser = units::measuring, help_heading = "Measuring")]
    time: Duration,
    #[command(flatten)]
    files: Files,
    /// Print tables for BENCHMARKS.md instead; --json FILE then saves a list of what they are made of
    #[arg(long, conflicts_with = "html", help_heading = "Output")]
    markdown: bool,
    /// Measure nothing: answer from a file that choose --json wrote; --by, --slo and --cpu-budget change what counts
    #[arg(long, value_name = "FILE", conflicts_with_all = REPLAYED, help_heading = "Saved results")]
    replay: Option<PathBuf>,
    /// Measure nothing: compare two files that choose --json or measure --json wrote
    #[arg(long, num_args = 2, value_names = ["A", "B"], exclusive = true, help_heading = "Saved results")]
    compare: Vec<PathBuf>,
}

fn needs() -> String {
    let words = Need::ALL.map(Need::word).join(", ");
    format!("What the channel must be able to do, with commas: {words}")
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if !args.compare.is_empty() {
        return compare::run(&args.compare).map(|()| ExitCode::SUCCESS);
    }
    if let Some(path) = &args.replay {
        return answer(args, &replayed(args, path)?);
    }
    if let Some(cores) = &args.cores {
        cores.stay()?;
    }
    let all = wanted(args)?;
    if args.markdown {
        let choices: Vec<Choice> = all
            .iter()
            .map(|needs| measured(needs, args.time))
            .collect::<Result<_, _>>()?;
        let mut text = Vec::new();
        markdown::write(&mut text, &choices).map_err(Failure::Output)?;
        if let Some(path) = args.files.json.as_deref() {
            if path == Path::new("-") {
                return Err(Failure::NoFile);
            }
            saved::write(path, &saved::json(&choices)?)?;
        }
        let text = String::from_utf8(text).map_err(io::Error::other);
        screen::print(&text.map_err(Failure::Output)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let [needs] = all.as_slice() else {
        return Err(Failure::Sizes);
    };
    answer(args, &measured(needs, args.time)?)
}

/// The saved choice, and what follows from it if other things count.
fn replayed(args: &Args, path: &Path) -> Result<Choice, Failure> {
    let Saved::Choice(mut choice) = Saved::read(path)? else {
        return Err(Failure::NoChoice(path.to_owned()));
    };
    let needs = &mut choice.needs;
    needs.slo = args.slo.or(needs.slo);
    needs.objective = args.by.or(needs.objective);
    needs.cpu_budget = args.cpu_budget.or(needs.cpu_budget);
    Ok(choice.ranked_again())
}

/// Writes and prints a choice.
fn answer(args: &Args, choice: &Choice) -> Result<ExitCode, Failure> {
    let registry = Registry::BUILTIN;
    let again = args.workload.spelled(&choice.needs.workload);
    let draw = |json: &str| page::of_choice(choice, &registry, &again, json);
    match args.files.write(choice, draw)? {
        Some(json) => screen::print(&json)?,
        None => show(choice, &registry, &again).print()?,
    }
    Ok(choice.recommendation.verdict.exit_code().into())
}

/// What the flags ask for, a size each.
fn wanted(args: &Args) -> Result<Vec<Needs>, Failure> {
    let preset = args.preset.map(Preset::needs);
    let workloads = args.workload.over(preset.as_ref().map(|p| &p.workload))?;
    let of = |workload| {
        let mut needs = Needs::new(workload);
        if let Some(preset) = &preset {
            needs.must.clone_from(&preset.must);
            (needs.slo, needs.objective) = (preset.slo, preset.objective);
        }
        needs.must.extend(&args.needs);
        needs
            .must
            .extend((args.named || args.related == Some(false)).then_some(Need::Named));
        needs.slo = args.slo.or(needs.slo);
        needs.objective = args.by.or(needs.objective);
        needs.cpu_budget = args.cpu_budget;
        needs
    };
    Ok(workloads.into_iter().map(of).collect())
}

fn measured(needs: &Needs, time: Duration) -> Result<Choice, Failure> {
    let about = needs.workload.sizes.to_string();
    watched(&about, |watch| {
        choose(needs, &Registry::BUILTIN, time, watch)
    })
}

/// All of it on one screen.
fn show(choice: &Choice, registry: &Registry, again: &str) -> Screen {
    let mut screen = Screen::default();
    screen.paragraph("FOR", &account::question(choice));
    for entry in account::before(choice) {
        screen.paragraph(entry.label, &entry.text);
    }
    screen.gap();
    let mut head = vec!["transport"];
    head.extend(figures::HEADS);
    head.push("verdict");
    let rows: Vec<Vec<String>> = choice
        .comparison
        .reports
        .iter()
        .map(|report| {
            let mut cells = vec![figures::short(&report.address)];
            cells.extend(figures::cells(&choice.comparison, report));
            cells.push(account::verdict(choice, report).to_owned());
            cells
        })
        .collect();
    screen.table(&head, &rows, figures::HEADS.len());
    screen.gap();
    for address in figures::cut(&choice.comparison) {
        screen.paragraph("IN FULL", &address);
    }
    for entry in account::after(choice, registry, again) {
        screen.paragraph(entry.label, &entry.text);
    }
    screen
}
