//! `laneway rm`: removes what no live process uses.

use std::path::{Path, PathBuf};

use laneway::{
    Address, Channel,
    inventory::{Object, RemoveError, RemoveErrorKind},
};
use serde::Serialize;

use crate::{
    exit::Failure,
    ls::{Row, Where, title},
    named, saved, screen,
};

/// The number of the JSON's form. Changes when a field goes or means something else.
const SCHEMA: u32 = 1;

const HELP: &str = "\
What a live process has open stays, and what is another user's or not laneway's. Whoever opens a channel meanwhile loses nothing: this
takes the lock that openers take, and looks again under it. laneway ls --help says what is looked at.

Examples:
  laneway rm --stale --dry-run
  laneway rm --stale --in /run/app
  laneway rm shm+spsc:orders

Exit codes:
  0  done: what was asked for is gone, or there was nothing stale
  1  nobody uses it, and the system did not let it go; or a folder could not be read
  2  wrong usage, or an address that cannot be
  3  nothing has this address, or it was left: it is live, corrupt or foreign";

/// Remove what laneway has on this machine and no live process uses
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["address", "stale"]))]
pub(crate) struct Arguments {
    /// The channel whose objects go, or a path, as laneway ls shows it
    address: Option<String>,
    /// All that is stale or half-made
    #[arg(long)]
    stale: bool,
    /// Print what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Where,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The whole of the JSON.
#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    dry_run: bool,
    /// What went, or would.
    removed: Vec<Row>,
    /// What was to go, and is still there.
    left: Vec<Left>,
    /// What is corrupt or foreign, and was not to go with --stale.
    stays: Vec<Row>,
}

/// What was left.
#[derive(Debug, Serialize)]
struct Left {
    object: Row,
    why: String,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (meant, others) = match &arguments.address {
        Some(address) => (with_address(&arguments.place, address)?, Vec::new()),
        None => {
            let objects = arguments.place.survey()?.into_iter();
            objects.partition(|object| object.state.is_removable())
        }
    };
    let mut removed = Vec::new();
    let mut left = Vec::new();
    for object in &meant {
        let done = match arguments.dry_run {
            true => object.check(),
            false => object.remove(),
        };
        match done.err() {
            None => removed.push(object),
            // By now somebody uses it, or it has gone: nothing stale is there any more.
            Some(error) if arguments.stale && is_settled(error.kind) => {}
            Some(error) => left.push((object, error)),
        }
    }
    let text = if arguments.json {
        let row = |(object, error): &(&Object, RemoveError)| Left {
            object: Row::of(object),
            why: error.to_string(),
        };
        saved::json(&Report {
            schema: SCHEMA,
            dry_run: arguments.dry_run,
            removed: removed.iter().map(|object| Row::of(object)).collect(),
            left: left.iter().map(row).collect(),
            stays: odd(&others).map(Row::of).collect(),
        })?
    } else {
        let word = match arguments.dry_run {
            true => "would remove",
            false => "removed",
        };
        let line = |object: &&Object| format!("{word} {} ({})\n", title(object), object.kind);
        removed.iter().map(line).collect::<String>() + &stays(&others)
    };
    screen::print(&text)?;
    if let Some(address) = arguments.address.as_ref().filter(|_| meant.is_empty()) {
        return Err(nothing(address));
    }
    match left.is_empty() {
        true => Ok(()),
        false => Err(Failure::Left(
            left.into_iter().map(|(_, error)| error).collect(),
        )),
    }
}

/// Whether nothing is left to do about an object that was stale.
fn is_settled(kind: RemoveErrorKind) -> bool {
    matches!(kind, RemoveErrorKind::Live | RemoveErrorKind::Gone)
}

/// Those that are corrupt or foreign.
fn odd(objects: &[Object]) -> impl Iterator<Item = &Object> {
    let is_odd = |object: &&Object| object.state.reason().is_some();
    objects.iter().filter(is_odd)
}

/// What is nobody's to use and not ours to remove, in words.
fn stays(others: &[Object]) -> String {
    let mut text = String::new();
    for object in odd(others) {
        let reason = object.state.reason().unwrap_or_default();
        let word = object.state.word();
        text += &format!("left {} ({word}): {reason}\n", object.path.display());
    }
    text
}

/// The objects of the channel at an address, or the one at a path, as `ls` shows what has no address.
pub(crate) fn with_address(place: &Where, text: &str) -> Result<Vec<Object>, Failure> {
    if text.starts_with('/') {
        let path = Path::new(text);
        let mut objects = match path.parent().filter(|folder| folder.is_dir()) {
            Some(folder) => place.and(folder.to_owned()).survey()?,
            None => Vec::new(),
        };
        objects.retain(|object| object.path == path);
        return Ok(objects);
    }
    let address = named::channel(text)?.address();
    let mut objects = match folder_of(&address) {
        Some(folder) => place.and(folder).survey()?,
        None => place.survey()?,
    };
    objects.retain(|object| object.belongs_to(&address));
    Ok(objects)
}

/// What is said if there are none.
pub(crate) fn nothing(text: &str) -> Failure {
    match text.starts_with('/') {
        true => Failure::NoObject(text.into()),
        false => {
            named::channel(text).map_or_else(|failure| failure, |it| Failure::Nothing(it.address()))
        }
    }
}

/// The folder that a path is in, if the name is one and the folder is there.
pub(crate) fn folder_of(address: &Address) -> Option<PathBuf> {
    let folder = Path::new(address.name()).parent()?;
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let is_path = !address.scheme().starts_with("shm");
    (is_path && folder.is_dir()).then(|| folder.to_owned())
}
