//! `laneway ls`: what laneway has on this machine, who has it open, and what a crash left.

use std::{path::PathBuf, time::Duration};

use laneway::{
    Address, End, Scope,
    inventory::{Inventory, Kind, Object, State, Users, Watched},
};
use nix::unistd::{Uid, User};
use serde::Serialize;

use crate::{
    command,
    exit::Failure,
    gauge::others,
    saved,
    screen::{self, NONE, headed, lined_table},
    units,
};

/// The number of the JSON's form. Changes when a field goes or means something else.
const SCHEMA: u32 = 1;

const HELP: &str = "\
Listed are the segments in /dev/shm whose names start with laneway., with the System V queues that they belong to, and from the
temporary folder, or those given by --in, the FIFOs that laneway made or that somebody has open as a channel, sockets, and the paths of queues.
What has no name ends with its last process, and is listed with --all only. Who has an object open is told by locks that the kernel
holds for the living, not by process ids, so it is right also in containers.

States:
  live       somebody has it open
  stale      nobody has: they were killed; the next to open it makes it anew, laneway rm --stale removes it
  half-made  its maker was killed while making it, or is making it now
  corrupt    it looks like laneway's and is not sound: nobody can open it
  foreign    it is another user's, or not laneway's

Examples:
  laneway ls
  laneway ls --all --in /run/app --in /tmp
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
    /// List also the channels without a name that this user's processes have open
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where to look.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Where {
    /// Look for FIFOs, sockets and the paths of queues in DIR, not in those below it; may be repeated (the temporary folder)
    #[arg(long = "in", value_name = "DIR")]
    folders: Vec<PathBuf>,
}

impl Where {
    /// What is there.
    pub(crate) fn survey(&self) -> Result<Vec<Object>, Failure> {
        self.inventory().survey().map_err(Failure::Survey)
    }

    /// Where that is.
    pub(crate) fn inventory(&self) -> Inventory {
        match self.folders.as_slice() {
            [] => Inventory::new(),
            folders => Inventory::in_folders(folders.to_vec()),
        }
    }

    /// What goes through the channels there.
    pub(crate) fn watched(&self) -> Result<Vec<Watched>, Failure> {
        let watched = self.inventory().observer().look();
        watched.map_err(Failure::Survey)
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
    let watched = arguments.place.watched()?;
    let mut rows: Vec<Row> = objects
        .iter()
        .map(|object| Row::of(object).with(object, &watched))
        .collect();
    if arguments.all {
        rows.extend(watched.iter().filter_map(Row::nameless));
    }
    let text = if arguments.json {
        saved::json(&Listing {
            schema: SCHEMA,
            objects: rows,
        })?
    } else {
        page(&rows, &objects)
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
    /// None of what has no name.
    age_seconds: Option<u64>,
    /// Bytes, if they can be known.
    size: Option<u64>,
    /// The processes of this user that have it open.
    pub(crate) processes: Vec<u32>,
    /// What waits in the channel, as far as it is told.
    depth_messages: Option<usize>,
    depth_bytes: Option<usize>,
    capacity: Option<u64>,
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
            age_seconds: Some(object.age.as_secs()),
            size: object.size,
            processes: Vec::new(),
            depth_messages: None,
            depth_bytes: None,
            capacity: None,
            state: object.state.word(),
            reason: object.state.reason(),
        }
    }

    /// The same with what is known of the channel that it carries.
    pub(crate) fn with(mut self, object: &Object, watched: &[Watched]) -> Self {
        let is_carrier = !matches!(object.kind, Kind::Ledger | Kind::Other);
        let has = |watched: &&Watched| {
            let address = watched.address.as_ref();
            is_carrier && address.is_some_and(|address| object.belongs_to(address))
        };
        for watched in watched.iter().filter(has) {
            self.processes.extend(others(&watched.processes));
            self.tell(watched);
        }
        self.processes.sort_unstable();
        self.processes.dedup();
        self
    }

    fn tell(&mut self, watched: &Watched) {
        self.depth_messages = watched.depth.messages;
        self.depth_bytes = watched.depth.bytes;
        self.capacity = watched.capacity;
    }

    /// The row of a channel without a name, which some process has open.
    fn nameless(watched: &Watched) -> Option<Self> {
        let address = watched.address.as_ref().filter(|a| a.is_anonymous())?;
        let [pid, ..] = watched.processes.as_slice() else {
            return None;
        };
        let ends = |end| match watched.counters.scope {
            Scope::End(only) => usize::from(only == end),
            // The kernel lists the locks of what has a name only.
            Scope::Channel => 0,
        };
        let mut row = Self {
            address: Some(address.to_string()),
            path: format!("/proc/{pid}/fd"),
            kind: kind_of(address).to_owned(),
            owner: name_of(Uid::effective().as_raw()),
            uid: Uid::effective().as_raw(),
            senders: ends(End::Sender),
            receivers: ends(End::Receiver),
            age_seconds: None,
            size: watched.capacity,
            processes: watched.processes.clone(),
            depth_messages: None,
            depth_bytes: None,
            capacity: None,
            state: State::Live.word(),
            reason: None,
        };
        row.tell(watched);
        Some(row)
    }

    /// Whether it is in shared memory.
    pub(crate) fn is_segment(&self) -> bool {
        self.path.starts_with("/dev/shm/")
    }

    /// What waits, of what there is room for.
    pub(crate) fn depth_in_words(&self) -> Option<String> {
        let capacity = usize::try_from(self.capacity?).ok()?;
        let bytes = self.depth_bytes.map(units::about);
        let of = format!(" of {}", units::about(capacity));
        match (self.depth_messages, bytes) {
            (Some(messages), Some(bytes)) => Some(format!("{messages} messages, {bytes}{of}")),
            (None, Some(bytes)) => Some(bytes + &of),
            _ => Some(format!("not told{of}")),
        }
    }

    /// What waits, in the fewest words.
    fn depth(&self) -> String {
        match (self.depth_messages, self.depth_bytes) {
            (Some(messages), _) => format!("{messages} msg"),
            (None, Some(bytes)) => units::about(bytes),
            (None, None) => NONE.to_owned(),
        }
    }
}

/// What a channel without a name is.
fn kind_of(address: &Address) -> &'static str {
    match address.scheme() {
        scheme if scheme.starts_with("shm") => "ring",
        "sysv" => "queue",
        _ => "pipe",
    }
}

/// A user's name, if there is one.
pub(crate) fn name_of(uid: u32) -> Option<String> {
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
pub(crate) fn users(users: Users) -> String {
    told(users.senders, users.receivers).unwrap_or_else(|| "nobody".to_owned())
}

fn told(senders: usize, receivers: usize) -> Option<String> {
    let count = |number, word| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{number} {word}s")),
    };
    let told = [count(senders, "sender"), count(receivers, "receiver")];
    let told: Vec<String> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// What people read.
fn page(all: &[Row], objects: &[Object]) -> String {
    if all.is_empty() {
        return "nothing of laneway is here\n".to_owned();
    }
    let mut rows = lined_table();
    rows.set_header([
        "ADDRESS", "KIND", "OWNER", "USERS", "AGE", "SIZE", "DEPTH", "STATE",
    ]);
    for (number, row) in all.iter().enumerate() {
        let size = row.size.and_then(|size| usize::try_from(size).ok());
        let name = match objects.get(number) {
            Some(object) => title(object),
            None => row.address.clone().unwrap_or_default(),
        };
        let users = match told(row.senders, row.receivers) {
            Some(told) => told,
            // Those without a name have no locks that are listed, and processes all the same.
            None if objects.get(number).is_none() => command::names(&row.processes),
            None => "nobody".to_owned(),
        };
        let age = row.age_seconds.map(Duration::from_secs);
        rows.add_row([
            name,
            row.kind.clone(),
            row.owner.clone().unwrap_or_else(|| row.uid.to_string()),
            users,
            age.map_or_else(|| NONE.to_owned(), units::age),
            size.map_or_else(|| NONE.to_owned(), units::about),
            row.depth(),
            row.state.to_owned(),
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
