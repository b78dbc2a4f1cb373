//! What is sent: standard input, or a file.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use nix::poll::PollFlags;

use crate::{exit::Failure, stop::Stop};

/// A file that is read from where it stands to its end.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    /// `None` for standard input.
    path: Option<PathBuf>,
    /// Whether a read may have to wait, so that signals must be looked at before it.
    waits: bool,
}

impl Source {
    /// This file, or standard input if there is none or it is `-`.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let path = path.filter(|path| *path != Path::new("-"));
        let file = match path {
            Some(path) => File::open(path),
            None => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        };
        let path = path.map(Path::to_owned);
        let failed = |error| failure(path.as_deref(), error);
        let file = file.map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if meta.is_dir() {
            return Err(failed(ErrorKind::IsADirectory.into()));
        }
        let waits = !meta.is_file();
        Ok(Self { file, path, waits })
    }

    /// Waits until a read will not have to.
    ///
    /// # Errors
    /// [`Failure::Stopped`] if a signal came first.
    pub(crate) fn wait(&self, stop: &Stop) -> Result<(), Failure> {
        match self.waits {
            true => stop.wait(&self.file, PollFlags::POLLIN, |error| self.failure(error)),
            false => stop.check(),
        }
    }

    /// Reads what is there into `room`; 0 at the end.
    pub(crate) fn read(&self, room: &mut [u8], stop: &Stop) -> Result<usize, Failure> {
        loop {
            self.wait(stop)?;
            match (&self.file).read(room) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                read => return read.map_err(|error| self.failure(error)),
            }
        }
    }

    fn failure(&self, error: io::Error) -> Failure {
        failure(self.path.as_deref(), error)
    }
}

fn failure(path: Option<&Path>, error: io::Error) -> Failure {
    match path {
        Some(path) => Failure::Source {
            path: path.to_owned(),
            error,
        },
        None => Failure::Input(error),
    }
}
