//! The ends that a process tells of on its board.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    os::unix::fs::FileExt,
};

use crate::{
    Address, Depth, End, clock,
    inventory::{
        descriptors::Place,
        observer::{WatchId, Watched},
    },
    shm::{
        board::{
            CAPACITY, DEV, END, INO, IS_SLOT, LENGTH, MAGIC, MOST, SLOT, TALLY, TEXT, TURN,
            VERSION, WORDS,
        },
        layout::LAYOUT,
        reading::{self, Sum},
    },
};

/// The ends on the board in `file`, which `processes` have. Of these only who has the channel open, as `holders` says, may be using the end.
pub(super) fn read(
    file: &File,
    object: Place,
    processes: &BTreeSet<u32>,
    holders: &HashMap<Place, BTreeSet<u32>>,
) -> Vec<Watched> {
    let len = file.metadata().map_or(0, |meta| meta.len());
    let count = usize::try_from(len).unwrap_or(0) / SLOT;
    let slots = 0..count.min(MOST);
    slots
        .filter_map(|index| slot(file, object, index, processes, holders))
        .collect()
}

fn slot(
    file: &File,
    object: Place,
    index: usize,
    processes: &BTreeSet<u32>,
    holders: &HashMap<Place, BTreeSet<u32>>,
) -> Option<Watched> {
    let at = (index * SLOT) as u64;
    let mut words = [0_u64; WORDS];
    file.read_exact_at(bytemuck::cast_slice_mut(&mut words), at)
        .ok()?;
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let end = match word(END) {
        1 => End::Sender,
        2 => End::Receiver,
        _ => return None,
    };
    if word(IS_SLOT) != MAGIC || word(VERSION) != u64::from(LAYOUT) {
        return None;
    }
    let holders = holders.get(&(word(DEV), word(INO)))?;
    let processes: Vec<u32> = processes.intersection(holders).copied().collect();
    if processes.is_empty() {
        // Of a parent that is gone.
        return None;
    }
    let length = usize::try_from(word(LENGTH))
        .ok()
        .filter(|len| *len <= TEXT);
    let address = length.and_then(|len| {
        let mut text = vec![0; len];
        file.read_exact_at(&mut text, at + WORDS as u64 * 8).ok()?;
        String::from_utf8(text).ok()?.parse::<Address>().ok()
    });
    let mut sum = Sum::default();
    sum.add(words.get(TALLY..).unwrap_or_default(), clock::now(), true);
    Some(Watched {
        id: WatchId {
            object,
            slot: Some((index, word(TURN))),
        },
        address,
        counters: reading::of(end, sum),
        processes,
        senders: Vec::new(),
        receivers: Vec::new(),
        depth: Depth::default(),
        capacity: Some(word(CAPACITY)).filter(|bytes| *bytes > 0),
    })
}
