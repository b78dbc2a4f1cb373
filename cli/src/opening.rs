//! The end of a channel that a command line names, opened within a time and until a signal comes.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use laneway::{
    Address, BoxChannel, BoxReceiver, BoxSender, Channel, Deadline, End, Handoff, OpenError,
};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::{exit::Failure, named, stop::Stop};

/// How long an opening that is given up may take to end, so that it leaves nothing half made. It takes no time at all unless it
/// waits for somebody, and then it has made nothing.
const GRACE: Duration = Duration::from_millis(500);

/// A channel of the command line.
#[derive(Debug)]
pub(crate) struct Opening {
    channel: Arc<BoxChannel>,
    /// Has no name: its ends are our standard output and input.
    is_inherited: bool,
}

impl Opening {
    /// The channel at an address: one with a name, or the pipe that we were started with.
    pub(crate) fn new(text: &str, end: End) -> Result<Self, Failure> {
        let found = named::reachable(text)?;
        let can_be_named = found.capabilities().named;
        if !can_be_named && !is_pipe(end) {
            return Err(named::nameless(&found.address()));
        }
        Ok(Self {
            channel: Arc::new(found),
            is_inherited: !can_be_named,
        })
    }

    /// Its canonical address.
    pub(crate) fn address(&self) -> Address {
        self.channel.address()
    }

    /// Whether what is sent lies where the receiver will read it.
    pub(crate) fn lends(&self) -> bool {
        self.channel.capabilities().zero_copy_send
    }

    /// Whether both ends are there from the start.
    pub(crate) const fn is_inherited(&self) -> bool {
        self.is_inherited
    }

    /// Opens the sending end.
    pub(crate) fn sender(
        &self,
        timeout: Option<Duration>,
        stop: &Stop,
    ) -> Result<BoxSender, Failure> {
        if self.is_inherited {
            let handoff = self.inherited(End::Sender, io::stdout().as_fd())?;
            return self.channel.adopt_sender(handoff).map_err(Failure::Open);
        }
        let channel = Arc::clone(&self.channel);
        self.open(timeout, stop, move || channel.sender())
    }

    /// Opens the receiving end.
    pub(crate) fn receiver(
        &self,
        timeout: Option<Duration>,
        stop: &Stop,
    ) -> Result<BoxReceiver, Failure> {
        if self.is_inherited {
            let handoff = self.inherited(End::Receiver, io::stdin().as_fd())?;
            return self.channel.adopt_receiver(handoff).map_err(Failure::Open);
        }
        let channel = Arc::clone(&self.channel);
        self.open(timeout, stop, move || channel.receiver())
    }

    /// Opens in a thread, since that may wait for somebody who is stopped at the gate.
    fn open<T: Send + 'static>(
        &self,
        timeout: Option<Duration>,
        stop: &Stop,
        open: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
    ) -> Result<T, Failure> {
        let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
        let (done, opened) = mpsc::channel();
        thread::spawn(move || done.send(open()));
        let given_up = loop {
            let tick = Stop::slice(deadline).remaining().unwrap_or_default();
            match opened.recv_timeout(tick) {
                Ok(end) => return end.map_err(Failure::Open),
                Err(_) if deadline.has_passed() => {
                    break Failure::Unopened {
                        address: self.address(),
                        waited: timeout.unwrap_or_default(),
                    };
                }
                Err(_) => {}
            }
            if let Err(stopped) = stop.check() {
                break stopped;
            }
        };
        // What it opened after all is closed here.
        drop(opened.recv_timeout(GRACE));
        Err(given_up)
    }

    /// The pipe that we were started with, as our end of it.
    fn inherited(&self, end: End, fd: impl AsFd) -> Result<Handoff, Failure> {
        let address = self.address();
        let os = |error: io::Error| {
            let address = address.clone();
            Failure::Channel { address, error }
        };
        let fd: OwnedFd = fd.as_fd().try_clone_to_owned().map_err(os)?;
        if end == End::Sender {
            let system = |error: nix::Error| os(error.into());
            if address.value("mode") == Some("packet") {
                let flags = fcntl(&fd, FcntlArg::F_GETFL).map_err(system)?;
                let flags = OFlag::from_bits_retain(flags) | OFlag::O_DIRECT;
                fcntl(&fd, FcntlArg::F_SETFL(flags)).map_err(system)?;
            }
            if let Ok(Some(bytes)) = address.size("capacity") {
                let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
                fcntl(&fd, FcntlArg::F_SETPIPE_SZ(bytes)).map_err(system)?;
            }
        }
        Ok(Handoff {
            address,
            end,
            fds: vec![fd],
        })
    }
}

/// Whether our standard output, or input, is a pipe.
fn is_pipe(end: End) -> bool {
    use std::{fs::File, os::unix::fs::FileTypeExt};

    let fd = match end {
        End::Sender => io::stdout().as_fd().try_clone_to_owned(),
        End::Receiver => io::stdin().as_fd().try_clone_to_owned(),
    };
    let meta = fd.and_then(|fd| File::from(fd).metadata());
    meta.is_ok_and(|meta| meta.file_type().is_fifo())
}
