//! Segments with a name: rings, the queues' and their ledgers.

use std::{ffi::OsStr, fs::File, io, path::Path};

use crate::{
    Address, Counters, Depth, End,
    inventory::{
        Users,
        census::Census,
        folder::Entry,
        object::{Kind, Object, State},
    },
    presence,
    ring::state::SLOT,
    shm::{
        layout::{self, LAYOUT, LEDGER, LINED, MAGIC, QUEUE, Shape},
        name, object, reading,
    },
    transport::family::queue_place::{self, ANONYMOUS, WHO, file_name, key_of, queue_of},
};

/// The kinds of segments with a name, and their schemes.
const RINGS: [(u32, &str); 4] = [
    (layout::LOCKED, "shm+lock"),
    (layout::SPSC, "shm+spsc"),
    (LINED, "shm+mpmc"),
    (layout::BROADCAST, "shm+broadcast"),
];
/// What the names of ledgers start with.
const LEDGER_NAME: &str = "laneway.queue.";
/// What those of queues start with.
const QUEUE_NAME: &str = "laneway.sysv.";

/// The segment with this file name, unless it has gone.
pub(super) fn object(name: &str, census: &Census, entries: &[Entry]) -> Option<Object> {
    let path = name::path(name);
    let meta = std::fs::symlink_metadata(&path).ok()?;
    let kind = if name.starts_with(QUEUE_NAME) {
        Kind::Queue
    } else if name.starts_with(LEDGER_NAME) {
        Kind::Ledger
    } else {
        Kind::Other
    };
    let mut found = Object::found(path, kind, &meta, census.of(&meta));
    found.size = meta.is_file().then_some(meta.len());
    if let Some(why) = name::not_ours(&meta) {
        found.state = State::Foreign(why);
        found.address = match kind {
            Kind::Queue => keyed_address(name, entries),
            Kind::Ledger => ledger_address(name),
            _ => None,
        };
        return Some(found);
    }
    let file = match name::open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(_) => {
            found.state = State::Foreign("it cannot be read");
            return Some(found);
        }
    };
    // The kernel's own word, which misses nobody.
    let has = |end| usize::from(presence::has(&file, end).unwrap_or(true));
    found.users = found.users.at_least(Users {
        senders: has(End::Sender),
        receivers: has(End::Receiver),
    });
    match shape(name, &file, meta.len()) {
        Err(state) => found.state = state,
        Ok(shape) => {
            found.state = match found.users.is_nobody() {
                true => State::Stale,
                false => State::Live,
            };
            (found.kind, found.address) = identity(name, &shape, entries);
            if found.kind == Kind::Queue {
                let held = queue_of(&shape).stat().map_or(0, |stat| stat.bytes);
                found.size = Some(meta.len().saturating_add(held as u64));
            }
        }
    }
    Some(found)
}

/// The constants of a segment, if it is a sound one of the kind that its name says.
fn shape(name: &str, file: &File, len: u64) -> Result<Shape, State> {
    let foreign = State::Foreign("another program made the object");
    let shape = object::raw_shape(file).map_err(|_| foreign)?;
    if shape.magic != MAGIC {
        return Err(foreign);
    }
    if shape.layout != LAYOUT {
        let why = "another version of laneway made the object";
        return Err(State::Foreign(why));
    }
    if !object::is_sound(&shape, len) {
        return Err(State::Corrupt("its sizes do not fit each other"));
    }
    if !is_named_so(name, &shape) {
        return Err(State::Corrupt("its name is not one of its kind"));
    }
    Ok(shape)
}

/// The constants and the channel of a segment of this name, if it is a sound one through which messages go.
pub(super) fn sound(
    name: &str,
    file: &File,
    len: u64,
    entries: &[Entry],
) -> Option<(Shape, Option<Address>)> {
    let shape = shape(name, file, len).ok()?;
    let (kind, address) = identity(name, &shape, entries);
    matches!(kind, Kind::Ring | Kind::Queue).then_some((shape, address))
}

/// The same of one without a name.
pub(super) fn sound_without_name(file: &File, len: u64) -> Option<(Shape, Option<Address>)> {
    let shape = object::raw_shape(file).ok()?;
    let sound = shape.magic == MAGIC && shape.layout == LAYOUT && object::is_sound(&shape, len);
    let (_, scheme) = RINGS
        .iter()
        .find(|(kind, _)| sound && *kind == shape.kind)?;
    Some((shape, Some(Address::of(scheme, OsStr::new("")))))
}

/// What has gone through a channel, what is in it, and how much it holds.
pub(super) fn watched(file: &File, shape: &Shape) -> Option<(Counters, Depth, u64)> {
    let reading = reading::read(file, shape).ok()?;
    if shape.kind == QUEUE {
        let stat = queue_of(shape).stat().ok()?;
        let depth = Depth::exact(stat.messages, stat.bytes);
        return Some((reading.counters, depth, stat.capacity as u64));
    }
    let unit = if shape.kind == LINED { SLOT as u64 } else { 1 };
    let used = reading.tail.wrapping_sub(reading.head).saturating_mul(unit);
    let bytes = usize::try_from(used.min(shape.capacity)).ok()?;
    // The two were not read at the same moment, and nobody vouches for them.
    let depth = Depth {
        exact: false,
        ..Depth::of_bytes(bytes)
    };
    Some((reading.counters, depth, shape.capacity))
}

/// Whether a segment of this shape can have this file name.
pub(super) fn is_named_so(name: &str, shape: &Shape) -> bool {
    match shape.kind {
        QUEUE => name == file_name(shape.flags, key_of(shape)),
        LEDGER => name.starts_with(LEDGER_NAME),
        kind => RINGS.iter().any(|&(number, _)| number == kind),
    }
}

/// What a sound segment is, and the channel that it belongs to.
fn identity(name: &str, shape: &Shape, entries: &[Entry]) -> (Kind, Option<Address>) {
    let bare = name.strip_prefix(name::PREFIX).unwrap_or(name);
    match shape.kind {
        QUEUE => (Kind::Queue, queue_address(shape, entries)),
        LEDGER => (Kind::Ledger, ledger_address(name)),
        kind => {
            let scheme = RINGS.iter().find(|(number, _)| *number == kind);
            let address = scheme.map(|&(_, scheme)| Address::of(scheme, OsStr::new(bare)));
            (Kind::Ring, address)
        }
    }
}

/// The address of a queue, if its path is among the entries.
fn queue_address(shape: &Shape, entries: &[Entry]) -> Option<Address> {
    if shape.flags & ANONYMOUS != 0 {
        return Some(Address::of("sysv", OsStr::new("")));
    }
    let id = id_of(key_of(shape));
    let meant = (key_of(shape), shape.flags & WHO);
    let is_meant = |entry: &&Entry| queue_place::key(&entry.meta, id) == meant;
    let path = &entries.iter().find(is_meant)?.path;
    Some(with_id(path, id))
}

/// The address of a queue by the key in its segment's name alone, for one that may not be read.
fn keyed_address(name: &str, entries: &[Entry]) -> Option<Address> {
    let key = u32::from_str_radix(name.strip_prefix(QUEUE_NAME)?, 16).ok()?;
    let id = id_of(key);
    let is_meant = |entry: &&Entry| queue_place::key(&entry.meta, id).0 == key;
    let path = &entries.iter().find(is_meant)?.path;
    Some(with_id(path, id))
}

/// The address of the queue of a path and an id.
fn with_id(path: &Path, id: u8) -> Address {
    let address = Address::of("sysv", path.as_os_str());
    match id {
        1 => address,
        id => address.with("id", id),
    }
}

/// The id in a key.
pub(super) fn id_of(key: u32) -> u8 {
    let [id, ..] = key.to_be_bytes();
    id
}

/// The address of the channel that a ledger lies beside: `SCHEME.NAME`, where a slash is `%2F`.
fn ledger_address(name: &str) -> Option<Address> {
    let (scheme, escaped) = name.strip_prefix(LEDGER_NAME)?.split_once('.')?;
    let plain = escaped.replace("%2F", "/").replace("%25", "%");
    Address::new(scheme, plain).ok()
}

/// Undoes what was made outside of a stale segment, but for the path of a queue.
pub(super) fn discard(shape: &Shape) {
    if shape.kind == QUEUE {
        queue_place::remove_queue(shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_tells_its_channel() {
        let told = |name| ledger_address(name).map(|address| address.to_string());
        let mpmc = told("laneway.queue.shm+mpmc.jobs.today");
        assert_eq!(mpmc.as_deref(), Some("shm+mpmc:jobs.today"));
        let fifo = told("laneway.queue.fifo.%2Ftmp%2F100%25");
        assert_eq!(fifo.as_deref(), Some("fifo:/tmp/100%25"));
        assert_eq!(told("laneway.queue.nothing"), None);
        assert_eq!(told("laneway.x"), None);
    }
}
