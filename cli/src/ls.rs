//! `laneway ls`: what laneway has on this machine, who has it open, and what a crash left.

use std::path::PathBuf;

use laneway::inventory::{Inventory, Object, State, Users};
use nix::unistd::{Uid, User};
use serde::Serialize;

use crate::{
    exit::Failure,
    saved,
    screen::{self, NONE, headed, table},
    units,
};

/// The number of the JSON's form. Changes when a field goes or means something else.
const SCHEMA: u32 = 1;

const HELP: &str = "\
Listed are the segments in /dev/shm whose names start with laneway., with the System V queues that they belong to, and from the
temporary folder, or those given by --in, the FIFOs that laneway made or that somebody has open as a channel, sockets, and the paths of queues.
What has no name ends with its last process, and is not listed. Who has an object open is told by locks that the kernel
holds for the living, not by process ids, so it is right also in containers.

States:
  live       somebody has it open
  stale      nobody has: they were killed; the next to open it makes it anew, laneway rm --stale removes it
  half-made  its maker was killed while making it, or is making it now
  corrupt    it looks like laneway's and is not sound: nobody can open it
  foreign    it is another user's, or not laneway's

Examples:
  laneway ls
  laneway ls --in /run/app --in /tmp
  laneway ls --json | jq '.objects[] | select(.state == \"stale\") | .path'

Exit codes:
  0  done
  1  a folder could not be read, or the output failed
  2  wrong usage";

/// List what laneway has on this machine: who has it open, and what a crash left
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Where,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where to look.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// Look for FIFOs, sockets and the paths of queues in DIR, not in those below it; may be repeated (the temporary folder)
    #[arg(long = "in", value_name = "DIR")]
    folders: Vec<PathBuf>,
}

impl Where {
    /// What is there.
    pub(crate) fn survey(&self) -> Result<Vec<Object>, Failure> {
        let inventory = match self.folders.as_slice() {
            [] => Inventory::new(),
            folders => Inventory::in_folders(folders.to_vec()),
        };
        inventory.survey().map_err(Failure::Survey)
    }

    /// The same, with `folder` before the others.
    pub(crate) fn and(&self, folder: PathBuf) -> Self {
        let mut folders = vec![folder];
        folders.extend_from_slice(&self.folders);
        Self { folders }
    }
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let objects = arguments.place.survey()?;
    let text = if arguments.json {
        saved::json(&Listing {
            schema: SCHEMA,
            objects: objects.iter().map(Row::of).collect(),
        })?
    } else {
        page(&objects)
    };
    screen::print(&text)
}

/// The whole of the JSON.
#[derive(Debug, Serialize)]
struct Listing {
    schema: u32,
    objects: Vec<Row>,
}

/// An object, as the JSON of `ls` and `rm` has it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// The channel that it belongs to, if that is known.
    address: Option<String>,
    path: String,
    kind: String,
    owner: Option<String>,
    uid: u32,
    senders: usize,
    receivers: usize,
    age_seconds: u64,
    /// Bytes, if they can be known.
    size: Option<u64>,
    state: &'static str,
    /// Why it is corrupt or foreign.
    reason: Option<&'static str>,
}

impl Row {
    /// The row of an object.
    pub(crate) fn of(object: &Object) -> Self {
        Self {
            address: object.address.as_ref().map(ToString::to_string),
            path: object.path.to_string_lossy().into_owned(),
            kind: object.kind.to_string(),
            owner: name_of(object.owner),
            uid: object.owner,
            senders: object.users.senders,
            receivers: object.users.receivers,
            age_seconds: object.age.as_secs(),
            size: object.size,
            state: object.state.word(),
            reason: object.state.reason(),
        }
    }
}

/// A user's name, if there is one.
fn name_of(uid: u32) -> Option<String> {
    let user = User::from_uid(Uid::from_raw(uid)).ok()?;
    user.map(|user| user.name)
}

/// What people call an object: its address, or where it is.
pub(crate) fn title(object: &Object) -> String {
    match &object.address {
        Some(address) if !address.is_anonymous() => address.to_string(),
        _ => object.path.display().to_string(),
    }
}

/// Who has it open, in words.
fn users(users: Users) -> String {
    let count = |number, word| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{number} {word}s")),
    };
    let told = [
        count(users.senders, "sender"),
        count(users.receivers, "receiver"),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    match told.as_slice() {
        [] => "nobody".to_owned(),
        told => told.join(", "),
    }
}

/// What people read.
fn page(objects: &[Object]) -> String {
    if objects.is_empty() {
        return "nothing of laneway is here\n".to_owned();
    }
    let mut rows = table();
    rows.set_header(["ADDRESS", "KIND", "OWNER", "USERS", "AGE", "SIZE", "STATE"]);
    for object in objects {
        let size = object.size.and_then(|size| usize::try_from(size).ok());
        rows.add_row([
            title(object),
            object.kind.to_string(),
            name_of(object.owner).unwrap_or_else(|| object.owner.to_string()),
            users(object.users),
            units::age(object.age),
            size.map_or_else(|| NONE.to_owned(), units::show),
            object.state.word().to_owned(),
        ]);
    }
    let mut text = headed(rows);
    let mut gap = "\n";
    for object in objects {
        if let Some(reason) = object.state.reason() {
            text += &format!("{gap}{}: {reason}\n", object.path.display());
            gap = "";
        }
    }
    let removable = |object: &&Object| object.state.is_removable();
    match objects.iter().filter(removable).count() {
        0 => {}
        1 => text += "\nNobody has 1 of them open; laneway rm --stale removes it.\n",
        more => {
            text +=
                &format!("\nNobody has {more} of them open; laneway rm --stale removes those.\n");
        }
    }
    if objects.iter().any(|object| object.state == State::HalfMade) {
        text += "What is half-made may be being made just now; it is removed only if it is not.\n";
    }
    text
}
