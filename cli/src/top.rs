//! `laneway top`: how fast messages go, now.

mod page;
mod prometheus;
mod terminal;

use std::{
    io::{IsTerminal, stdin, stdout},
    time::{Duration, Instant},
};

use crate::{
    exit::Failure,
    gauge::{Gauge, Reading},
    ls::Where,
    screen,
    stop::Stop,
    units,
};

use page::{Order, Page};
use terminal::{Key, Terminal};

const HELP: &str = "\
A ring or a System V queue counts in its own memory, once for its senders and once for its receivers, whoever they are. What the kernel
carries is counted by each end for itself. Looking changes nothing, takes no lock and wakes nobody. Seen are this user's
channels, those without a name too as long as a process has them.

  BLOCKED  how much of the time that side waited: senders for room, receivers for messages; more than 100 % if several do
  WAKES/S  how often it slept in the kernel and was woken
  DROPS    messages that the channel gave up, by its overflow policy
  DEPTH    what waits in the channel, of what it holds

On the page, q ends it, r sorts by rate, b by blocked, d by depth, n by name. Where the output is no terminal, one table is printed.
--json prints a line of JSON at each look, until a signal comes.

Examples:
  laneway top
  laneway top --once --json | jq '.endpoints[] | {address, side, rate: .rates.messages}'
  laneway top --prometheus > /var/lib/node_exporter/laneway.prom

Exit codes:
  0  done
  1  /proc or a folder could not be read, or the output failed
  2  wrong usage
  128+N as shells count it, ended by signal N";

/// Show how fast messages go through each channel, who waits, and what is dropped
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Look so often, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = units::measuring)]
    interval: Duration,
    /// Look twice, an interval apart, print that, and end
    #[arg(long)]
    once: bool,
    /// Print JSON, a line a look
    #[arg(long)]
    json: bool,
    /// Look once and print all counters in Prometheus' text format
    #[arg(long, conflicts_with_all = ["json", "once"])]
    prometheus: bool,
    #[command(flatten)]
    place: Where,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match show(arguments) {
        Err(failure) if failure.is_closed_output() => Ok(()),
        done => done,
    }
}

fn show(arguments: &Arguments) -> Result<(), Failure> {
    let mut gauge = Gauge::new(arguments.place.inventory().observer());
    if arguments.prometheus {
        return screen::print(&prometheus::text(&gauge.look()?));
    }
    let stop = Stop::catch()?;
    gauge.look()?;
    let is_live = !arguments.once && !arguments.json && stdout().is_terminal();
    if is_live {
        return live(arguments, &mut gauge, &stop);
    }
    let mut due = Instant::now();
    loop {
        due += arguments.interval;
        pause(due, &stop)?;
        let reading = gauge.look()?;
        let text = match arguments.json {
            true => line(&reading)?,
            false => Page::of(&reading, Order::Rate).table(),
        };
        screen::print_on(&text)?;
        if arguments.once || !arguments.json {
            return Ok(());
        }
    }
}

/// Waits until then, or for a signal.
fn pause(until: Instant, stop: &Stop) -> Result<(), Failure> {
    loop {
        stop.check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

fn line(reading: &Reading) -> Result<String, Failure> {
    let line = serde_json::to_string(reading);
    Ok(line.map_err(|error| Failure::Output(error.into()))? + "\n")
}

/// The page, until somebody has seen enough.
fn live(arguments: &Arguments, gauge: &mut Gauge, stop: &Stop) -> Result<(), Failure> {
    let mut terminal = Terminal::take(stdin().is_terminal()).map_err(Failure::Output)?;
    let mut order = Order::Rate;
    let mut reading = gauge.look()?;
    let mut due = Instant::now() + arguments.interval.min(Duration::from_millis(300));
    loop {
        let (columns, rows) = terminal.size();
        let page = Page::of(&reading, order).full(columns, rows, arguments.interval);
        terminal.draw(&page).map_err(Failure::Output)?;
        stop.check()?;
        match terminal.key(due).map_err(Failure::Output)? {
            Some(Key::Quit) => return Ok(()),
            Some(Key::Sort(by)) => order = by,
            Some(Key::Other) => {}
            None if Instant::now() >= due => {
                reading = gauge.look()?;
                due = Instant::now() + arguments.interval;
            }
            None => {}
        }
    }
}
