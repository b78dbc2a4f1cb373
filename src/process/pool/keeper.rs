//! The thread that starts workers, sees them die, and puts others in their places.
//!
//! Workers end with the thread that starts them, so it lives as long as they do.

use std::{
    io::{self, PipeReader, Read},
    os::fd::AsFd,
    process::ExitStatus,
    sync::mpsc,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::{
    Deadline, Sender,
    process::{
        Child, Process, StartError,
        pool::{
            cells::Hands,
            core::{Death, Shared, Stage},
            orders::{Orders, Outfit},
            promise::lock,
            wire::{self, Kind},
        },
    },
};

/// How many workers in a row may die before they have come, or not be started, while none is there; beside two for each that there shall be.
const STILLBORN: u32 = 10;
/// After a start that failed it waits so many milliseconds longer for each that did.
const PAUSE: u16 = 20;

/// What the keeper has.
pub(super) struct Keeper<T> {
    core: Shared<T>,
    outfit: Outfit,
    bell: PipeReader,
    /// By their numbers; `None` for one that has ended for good.
    workers: Vec<Place>,
    stillborn: u32,
    message: Vec<u8>,
}

/// A worker's place.
enum Place {
    /// It is there.
    Held(Child),
    /// It shall be there.
    Vacant,
    /// It is not needed any more.
    Over,
}

impl<T> Keeper<T> {
    pub(super) fn new(core: Shared<T>, outfit: Outfit, bell: PipeReader, workers: u32) -> Self {
        Self {
            core,
            outfit,
            bell,
            workers: (0..workers).map(|_| Place::Vacant).collect(),
            stillborn: 0,
            message: Vec::new(),
        }
    }

    /// Starts the workers, tells whether that went well, and keeps them to their end.
    pub(super) fn run(mut self, started: &mpsc::Sender<Result<(), StartError>>) {
        let all = (0..self.workers.len()).try_for_each(|at| self.start(at));
        let well = all.is_ok();
        // Whoever made the pool waits for this.
        let _ = started.send(all);
        if !well {
            self.core.end(Stage::Broken);
        }
        while self.keep() {}
        self.kill();
        self.report(Kind::Over);
    }

    fn start(&mut self, at: usize) -> Result<(), StartError> {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let worker = number(at);
        self.outfit.cells.say(worker, Hands::Absent);
        let orders = Orders {
            worker,
            workers: number(self.workers.len()),
            functions: self.core.functions.clone(),
        };
        let process = Process::worker(orders.write()).end_with_parent();
        let child = process.give(Outfit::KEY, &self.outfit)?.start()?;
        if let Some(place) = self.workers.get_mut(at) {
            *place = Place::Held(child);
        }
        self.list();
        Ok(())
    }

    /// Says who is there.
    fn list(&self) {
        let pids = self.workers.iter().filter_map(|place| match place {
            Place::Held(child) => Some(child.pid()),
            _ => None,
        });
        *lock(&self.core.pids) = pids.collect();
    }

    /// Waits for something to happen, and sees to it; `false` if there is nothing more to do.
    fn keep(&mut self) -> bool {
        if self.core.stage() >= Stage::Terminated {
            return false;
        }
        self.fill();
        if self.stillborn > self.patience() && !self.has_some() {
            self.core.end(Stage::Broken);
            return false;
        }
        let all_over = self
            .workers
            .iter()
            .all(|place| matches!(place, Place::Over));
        if all_over {
            return false;
        }
        if self.wait().is_err() {
            // Nobody could be kept without knowing of their deaths.
            self.core.end(Stage::Broken);
            return false;
        }
        for at in 0..self.workers.len() {
            let ended = match self.workers.get(at) {
                Some(Place::Held(child)) => match child.join_by(Deadline::NOW) {
                    Ok(None) => continue,
                    Ok(Some(status)) => (child.pid(), Some(status)),
                    Err(_) => (child.pid(), None),
                },
                _ => continue,
            };
            self.bury(at, ended.0, ended.1);
        }
        true
    }

    /// Whether a worker has come, and lives.
    fn has_some(&self) -> bool {
        (0..).zip(&self.workers).any(|(worker, place)| {
            matches!(place, Place::Held(_)) && self.outfit.cells.hands(worker) != Hands::Absent
        })
    }

    /// How many may be stillborn in a row.
    fn patience(&self) -> u32 {
        let workers = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
        STILLBORN.saturating_add(workers.saturating_mul(2))
    }

    /// Starts a worker at every place that wants one.
    fn fill(&mut self) {
        for at in 0..self.workers.len() {
            let vacant = matches!(self.workers.get(at), Some(Place::Vacant));
            if vacant && self.start(at).is_err() {
                self.stillborn += 1;
                return;
            }
        }
    }

    /// Waits until a worker has ended, or somebody rings, or it is time to try again what failed.
    fn wait(&mut self) -> io::Result<()> {
        let vacant = self
            .workers
            .iter()
            .any(|place| matches!(place, Place::Vacant));
        let timeout = match vacant {
            true => u16::try_from(self.stillborn)
                .unwrap_or(u16::MAX)
                .saturating_mul(PAUSE)
                .into(),
            false => PollTimeout::NONE,
        };
        let mut descriptors = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        for place in &self.workers {
            if let Place::Held(child) = place {
                descriptors.push(PollFd::new(child.descriptor(), PollFlags::POLLIN));
            }
        }
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let rung = descriptors.first().and_then(PollFd::any).unwrap_or(false);
        drop(descriptors);
        if rung {
            // However often it was rung.
            let _ = self.bell.read(&mut [0; 64])?;
        }
        Ok(())
    }

    /// Sees to a worker that has ended, and was reaped.
    fn bury(&mut self, at: usize, pid: u32, status: Option<ExitStatus>) {
        let hands = self
            .outfit
            .cells
            .hands(u32::try_from(at).unwrap_or(u32::MAX));
        match hands {
            Hands::Absent => self.stillborn += 1,
            Hands::Empty | Hands::Left | Hands::Job(_) => self.stillborn = 0,
        }
        if let Hands::Job(job) = hands {
            lock(&self.core.deaths).push_back(Death { job, pid, status });
            self.report(Kind::Died);
        }
        // Who left in order has seen that there will be nothing more to do.
        let place = match hands {
            Hands::Left => Place::Over,
            _ => Place::Vacant,
        };
        if let Some(held) = self.workers.get_mut(at) {
            *held = place;
        }
        self.list();
    }

    /// Tells the collector, behind all that the dead have answered.
    fn report(&mut self, kind: Kind) {
        wire::answer(&mut self.message, 0, kind);
        // The collector goes first only when the channel is damaged, and then it knows all.
        let _ = self.outfit.answers.send(&self.message);
    }

    /// Ends every worker at once.
    fn kill(&mut self) {
        let children = || {
            self.workers.iter().filter_map(|place| match place {
                Place::Held(child) => Some(child),
                _ => None,
            })
        };
        for child in children() {
            // It fails if it is no longer ours to end.
            let _ = child.kill();
        }
        for child in children() {
            let _ = child.join();
        }
        self.workers.clear();
        self.list();
    }
}
