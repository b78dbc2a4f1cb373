//! `laneway inspect`: all that can be known of one channel without opening it.

mod header;
mod kernel;

use laneway::{
    Channel,
    inventory::{Object, State},
};
use serde::Serialize;

use crate::{
    command,
    exit::Failure,
    gauge::{Gauge, Side},
    ls::{Row, Where, title, users},
    named, rm, saved,
    screen::{self, NONE, Screen},
    units,
};

/// The number of the JSON's form. Changes when a field goes or means something else.
const SCHEMA: u32 = 1;

const HELP: &str = "\
It reads, takes no lock, and is no end of the channel: whoever uses it does not notice. Of a ring, and of the segment beside a queue, every
field of the header is shown as docs/layout.md names them; of a System V queue what the kernel tells of it; of all, who has it open and
what went through, as laneway top counts it. Of a FIFO the kernel tells nothing to who does not have it open.

Examples:
  laneway inspect shm+spsc:orders
  laneway inspect --json sysv:/tmp/jobs | jq .objects[0].kernel

Exit codes:
  0  done
  1  a folder or /proc could not be read, or the output failed
  2  wrong usage, or an address that cannot be
  3  nothing has this address, or what has is corrupt or foreign, which was shown";

/// Show the state of one channel: its header decoded, who has it open, what is in it
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    #[arg(help = named::FORM)]
    address: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// The whole of the JSON.
#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    address: String,
    objects: Vec<Shown>,
    endpoints: Vec<Side>,
}

/// An object, and what is in it.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    row: Row,
    /// Every field of a segment's header; none if it is no segment or may not be read.
    header: Option<Vec<header::Shown>>,
    /// Why there is no header.
    obstacle: Option<String>,
    /// The kernel's own words about a System V queue.
    kernel: Option<kernel::Queue>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let objects = rm::with_address(&arguments.place, &arguments.address)?;
    if objects.is_empty() {
        return Err(rm::nothing(&arguments.address));
    }
    let address = named::channel(&arguments.address).map(|channel| channel.address());
    let place = match address.as_ref().ok().and_then(rm::folder_of) {
        Some(folder) => arguments.place.and(folder),
        None => arguments.place.clone(),
    };
    let address = match &address {
        Ok(address) => address.to_string(),
        Err(_) => arguments.address.clone(),
    };
    let watched = place.watched()?;
    let reading = Gauge::new(place.inventory().observer()).look()?;
    let of_us = |side: &Side| {
        let theirs = side.address.as_ref().and_then(|text| text.parse().ok());
        theirs.is_some_and(|theirs| objects.iter().any(|object| object.belongs_to(&theirs)))
    };
    let endpoints: Vec<Side> = reading.endpoints.into_iter().filter(of_us).collect();
    let shown: Vec<Shown> = objects
        .iter()
        .map(|object| {
            let header = object.header();
            let fields = header.as_ref().ok().map(|fields| header::shown(fields));
            Shown {
                row: Row::of(object).with(object, &watched),
                kernel: header
                    .as_ref()
                    .ok()
                    .and_then(|fields| kernel::queue(fields)),
                header: fields,
                obstacle: header.err().map(|error| obstacle(object, &error)),
            }
        })
        .collect();
    let report = Report {
        schema: SCHEMA,
        address,
        objects: shown,
        endpoints,
    };
    match arguments.json {
        true => screen::print(&saved::json(&report)?)?,
        false => page(&objects, &report).print()?,
    }
    let is_odd = |object: &&Object| matches!(object.state, State::Corrupt(_) | State::Foreign(_));
    match objects.iter().find(is_odd) {
        None => Ok(()),
        Some(object) => Err(Failure::Unsound {
            path: object.path.clone(),
            state: object.state,
        }),
    }
}

fn obstacle(object: &Object, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::InvalidData if object.path.starts_with("/dev/shm") => {
            "it has no header of laneway's".to_owned()
        }
        std::io::ErrorKind::InvalidData => "it is no segment".to_owned(),
        _ => error.to_string(),
    }
}

fn page(objects: &[Object], report: &Report) -> Screen {
    let mut screen = Screen::default();
    for (object, shown) in objects.iter().zip(&report.objects) {
        let row = &shown.row;
        let reason = object.state.reason().map(|why| format!(": {why}"));
        let line = format!(
            "{} ({}), {}",
            title(object),
            object.kind,
            object.state.word()
        );
        screen.paragraph("OBJECT", &(line + &reason.unwrap_or_default()));
        screen.paragraph("PATH", &object.path.display().to_string());
        let owner = crate::ls::name_of(object.owner);
        let owner = owner.unwrap_or_else(|| object.owner.to_string());
        let size = object.size.and_then(|size| usize::try_from(size).ok());
        let size = size.map_or_else(|| NONE.to_owned(), units::about);
        let age = units::age(object.age);
        screen.paragraph("OWNER", &format!("{owner}, made {age} ago, {size} large"));
        let mut open = users(object.users);
        if !row.processes.is_empty() {
            open += &format!(": {}", command::names(&row.processes));
        }
        screen.paragraph("OPEN BY", &open);
        if let Some(depth) = row.depth_in_words() {
            screen.paragraph("DEPTH", &depth);
        }
        if let Some(kernel) = &shown.kernel {
            screen.paragraph("KERNEL", &kernel.words());
        }
        screen.gap();
    }
    for side in &report.endpoints {
        let whose = match side.scope {
            "channel" => "all ends".to_owned(),
            _ => command::names(&side.processes),
        };
        let bytes = side
            .bytes
            .map_or_else(String::new, |bytes| format!(", {bytes} bytes"));
        let drops = match (side.side, side.drops) {
            ("send", drops @ 1..) => format!("; {drops} dropped"),
            _ => String::new(),
        };
        let text = format!(
            "{} messages{bytes}; waited {} times, {:.3} s; woken {} times{drops} ({whose})",
            side.messages, side.waits, side.waited_seconds, side.wake_ups
        );
        let label = match side.side {
            "send" => "SENT",
            _ => "RECEIVED",
        };
        screen.paragraph(label, &text);
    }
    for shown in &report.objects {
        if let Some(fields) = &shown.header {
            screen.gap();
            let rows: Vec<Vec<String>> = fields.iter().map(header::Shown::cells).collect();
            screen.table(&["FIELD", "AT", "VALUE", "MEANING"], &rows, 2);
        } else if let Some(why) = shown.obstacle.as_ref().filter(|_| shown.row.is_segment()) {
            screen.paragraph("HEADER", why);
        }
    }
    screen
}
