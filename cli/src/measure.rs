//! `laneway measure`: the figures of channels, and no verdict.

use std::{process::ExitCode, time::Duration};

use laneway::{
    Address, Channel, Registry,
    measure::{Plan, Report, Survey, compare},
};

use crate::{
    cores::Cores, exit::Failure, figures, named, page, progress::watched, recording, saved::Files,
    screen, screen::Screen, units, workload,
};

const MORE: &str = "\
Examples:
  laneway measure pipe: shm+spsc:             two transports, messages of 64 bytes
  laneway measure 'shm+spsc:?wait=park' 'shm+spsc:?wait=spin' --rate 10k/s
                                              two ways to wait, at a rate
  laneway measure sysv: --size 16..4096 --json out.json --html out.html
";

const CODES: &str = "\
Exit codes:
  0  every channel has figures
  1  a file or the output failed
  2  wrong usage, or an address that cannot be
  4  a channel has none: it lost or altered messages, or did not open
  128+N as shells count it, ended by signal N, with nothing left behind";

/// Measure channels beside each other: throughput, latency, processor time
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{MORE}\n{}\n\n{CODES}", recording::FORM))]
pub(crate) struct Args {
    #[arg(required = true, value_name = "ADDRESS", help = named::FORM)]
    addresses: Vec<String>,
    #[command(flatten)]
    workload: workload::Flags,
    /// The cores to measure on, as in 0,1 or 0-3 [default: all that this process may use]
    #[arg(long, value_name = "LIST", help_heading = "Measuring")]
    cores: Option<Cores>,
    /// How long to measure, about
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = units::measuring, help_heading = "Measuring")]
    time: Duration,
    #[command(flatten)]
    files: Files,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let registry = Registry::BUILTIN;
    let mut addresses = Vec::new();
    for text in &args.addresses {
        let address: Address = text.parse().map_err(Failure::Address)?;
        let channel = registry.channel(&address).map_err(Failure::Address)?;
        // Canonical, since a scheme may be an alias. A session gives each channel a name that nobody else has.
        addresses.push(channel.address());
    }
    let workloads = args.workload.over(None)?;
    let [workload] = workloads.as_slice() else {
        return Err(Failure::Sizes);
    };
    if let Some(cores) = &args.cores {
        cores.stay()?;
    }
    let plan = Plan::within(args.time, addresses.len(), workload);
    let comparison = watched(&workload.sizes.to_string(), |watch| {
        compare(&registry, &addresses, workload, &plan, watch)
    })?;
    let survey = Survey::new(workload.clone(), plan, comparison);
    let draw = |json: &str| page::of_survey(&survey, json);
    match args.files.write(&survey, draw)? {
        Some(json) => screen::print(&json)?,
        None => show(&survey).print()?,
    }
    let reports = &survey.comparison.reports;
    let whole = reports.iter().all(|report| report.figures().is_some());
    Ok(if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(4)
    })
}

/// What was asked.
pub(crate) fn question(survey: &Survey) -> String {
    let latency = match survey.workload.arrivals() {
        Some(_) => "from when a message was due until it came",
        None => "there and back",
    };
    format!(
        "{}: {} rounds of {} ms for each figure; latency {latency}",
        survey.workload,
        survey.plan.rounds,
        survey.plan.time.as_millis(),
    )
}

/// All of it on one screen.
fn show(survey: &Survey) -> Screen {
    let comparison = &survey.comparison;
    let mut screen = Screen::default();
    screen.paragraph("FOR", &question(survey));
    screen.gap();
    let mut head = vec!["transport"];
    head.extend(figures::HEADS);
    let row = |report: &Report| {
        let mut cells = vec![figures::short(&report.address)];
        cells.extend(figures::cells(comparison, report));
        cells
    };
    let rows: Vec<_> = comparison.reports.iter().map(row).collect();
    screen.table(&head, &rows, figures::HEADS.len());
    screen.gap();
    for address in figures::cut(comparison) {
        screen.paragraph("IN FULL", &address);
    }
    for mishap in comparison.reports.iter().filter_map(figures::mishap) {
        screen.paragraph("FAULT", &mishap);
    }
    screen.paragraph("FLOOR", &figures::floors(&comparison.floors));
    screen.paragraph("MACHINE", &survey.machine.to_string());
    screen.paragraph("", &figures::conditions(comparison));
    for warning in &survey.warnings {
        screen.paragraph("", &warning.to_string());
    }
    screen
}
