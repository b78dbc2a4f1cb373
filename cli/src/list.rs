//! `laneway list`: every registered transport, and what it does on this machine.

use std::{error::Error, fmt::Write as _, process};

use laneway::{
    Address, Capabilities, Channel, Delivery, Driver, Endpoint, Fan, Lifetime, Limits, Registry,
};
use serde::Serialize;

use crate::{
    exit::{self, Failure},
    named, saved,
    screen::{self, BOLD, fitted, headed, table},
    stop::Stop,
    units,
};

/// The number of the JSON's form. Changes when a field goes or means something else.
const SCHEMA: u32 = 1;

const EXAMPLES: &str = "\
Examples:
  laneway list
  laneway list --json | jq '.transports[] | select(.named) | .scheme'";

/// List the transports: what each can do, how much it carries, what its addresses take
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::CODES))]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let stop = Stop::catch()?;
    let mut rows = Vec::new();
    for driver in Registry::BUILTIN.drivers() {
        rows.push(Row::of(driver));
        stop.check()?;
    }
    let text = if arguments.json {
        let listing = Listing {
            schema: SCHEMA,
            transports: rows,
        };
        saved::json(&listing)?
    } else {
        tables(&rows)
    };
    screen::print(&text)
}

/// The whole of the JSON.
#[derive(Debug, Serialize)]
struct Listing {
    schema: u32,
    transports: Vec<Row>,
}

/// All that is printed of a transport.
#[derive(Debug, Serialize)]
struct Row {
    scheme: &'static str,
    summary: &'static str,
    /// An address that another process can open, if it has such.
    example: Option<String>,
    senders: Option<&'static str>,
    receivers: Option<&'static str>,
    named: bool,
    anonymous: bool,
    pollable: bool,
    zero_copy_send: bool,
    zero_copy_recv: bool,
    /// Whether each receiver gets every message.
    to_each: bool,
    lossy: bool,
    redelivers: bool,
    kernel_buffered: bool,
    lifetime: Option<&'static str>,
    /// At the defaults of its addresses, if it could be opened.
    limits: Option<Numbers>,
    /// Whether this machine can do it now.
    available: bool,
    /// What stands in the way.
    obstacle: Option<String>,
    /// Spellings of its keys that are worth trying apart.
    variants: &'static [&'static str],
    keys: Vec<Key>,
}

/// The limits of an open channel, in bytes.
#[derive(Debug, Serialize)]
struct Numbers {
    max_message: usize,
    capacity: usize,
    payload_align: usize,
    system: Option<System>,
}

/// A setting of the system.
#[derive(Debug, Serialize)]
struct System {
    name: &'static str,
    value: u64,
}

/// A key of an address.
#[derive(Debug, Serialize)]
struct Key {
    name: &'static str,
    form: &'static str,
    summary: &'static str,
}

impl Row {
    fn of(driver: &Driver) -> Self {
        let can = driver.capabilities();
        let has = |what: fn(&Capabilities) -> bool| can.as_ref().is_some_and(what);
        let limits = limits(driver);
        let key = |key: &laneway::Key| Key {
            name: key.name,
            form: key.form,
            summary: key.summary,
        };
        Self {
            scheme: driver.scheme(),
            summary: driver.summary(),
            example: named::example(driver, "x").map(|address| address.to_string()),
            senders: can.map(|can| fan(can.senders)),
            receivers: can.map(|can| fan(can.receivers)),
            named: has(|can| can.named),
            anonymous: has(|can| can.anonymous),
            pollable: has(|can| can.pollable),
            zero_copy_send: has(|can| can.zero_copy_send),
            zero_copy_recv: has(|can| can.zero_copy_recv),
            to_each: has(|can| can.delivery == Delivery::Each),
            lossy: has(|can| can.lossy),
            redelivers: has(|can| can.redelivers),
            kernel_buffered: has(|can| can.kernel_buffered),
            lifetime: can.map(|can| lifetime(can.lifetime)),
            available: limits.is_ok(),
            obstacle: limits.as_ref().err().map(ToString::to_string),
            limits: limits.ok().map(Numbers::from),
            variants: driver.variants(),
            keys: driver.keys().iter().map(key).collect(),
        }
    }
}

impl From<Limits> for Numbers {
    fn from(limits: Limits) -> Self {
        Self {
            max_message: limits.max_message,
            capacity: limits.capacity,
            payload_align: limits.payload_align,
            system: limits.system.map(|limit| System {
                name: limit.name,
                value: limit.value,
            }),
        }
    }
}

const fn fan(fan: Fan) -> &'static str {
    match fan {
        Fan::One => "one",
        Fan::Many => "many",
    }
}

const fn lifetime(lifetime: Lifetime) -> &'static str {
    match lifetime {
        Lifetime::Endpoints => "endpoints",
        Lifetime::Kernel => "kernel",
        _ => "other",
    }
}

/// The limits of a channel at the defaults, asked of an open one.
fn limits(driver: &Driver) -> Result<Limits, Box<dyn Error>> {
    driver.probe()?;
    let can = driver.capabilities();
    let address = if can.is_some_and(|can| can.anonymous) {
        Address::new(driver.scheme(), "")?
    } else {
        let unique = format!("laneway-list-{}", process::id());
        named::example(driver, &unique).ok_or("it has no address to try")?
    };
    let (sender, _receiver) = driver.channel(&address)?.pair()?;
    Ok(sender.limits())
}

/// What people read: a table of transports, then the keys of each.
fn tables(rows: &[Row]) -> String {
    let mut overview = table();
    overview.set_header([
        "TRANSPORT",
        "SENDERS",
        "RECEIVERS",
        "NAMED",
        "ANONYMOUS",
        "MESSAGE",
        "CAPACITY",
        "HERE",
    ]);
    for row in rows {
        let limit = |of: fn(&Numbers) -> usize| match &row.limits {
            Some(limits) => units::show(of(limits)),
            None => "?".to_owned(),
        };
        overview.add_row([
            format!("{}:", row.scheme),
            row.senders.unwrap_or("?").to_owned(),
            row.receivers.unwrap_or("?").to_owned(),
            yes(row.named),
            yes(row.anonymous),
            limit(|limits| limits.max_message),
            limit(|limits| limits.capacity),
            yes(row.available),
        ]);
    }
    let mut text = headed(overview);
    text += "\nMESSAGE is the longest, CAPACITY what is held, in bytes, if the address does not say otherwise.\n";
    let spelled = |key: &Key| format!("{}={}", key.name, key.form);
    let all = rows.iter().flat_map(|row| &row.keys);
    let longest = all.map(|key| spelled(key).len()).max().unwrap_or_default();
    for row in rows {
        let address = row.example.clone().unwrap_or(format!("{}:", row.scheme));
        let _ = writeln!(text, "\n{BOLD}{address}{BOLD:#}  {}", row.summary);
        if let Some(obstacle) = &row.obstacle {
            let _ = writeln!(text, "  not here: {obstacle}");
        }
        let mut keys = table();
        for key in &row.keys {
            keys.add_row([
                format!("  {:longest$}", spelled(key)),
                key.summary.to_owned(),
            ]);
        }
        for line in fitted(keys).lines() {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}
