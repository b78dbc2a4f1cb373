//! The path of a socket that is listened at, and the lock beside it.
//!
//! A socket's file can only be connected to: nothing about it can be locked. So a file `PATH.lock` lies beside it as long as somebody
//! listens, which holds the receiver's place and the gate. It has mode 0600, so only processes of the receiver's user can hold them. Both
//! files carry the sticky bit, which tells ours from others'.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag},
    sys::{
        socket::{Backlog, UnixAddr, bind, listen},
        stat::{Mode, UtimensatFlags, fchmod, utimensat},
        time::TimeSpec,
    },
    unistd::Uid,
};

use crate::{
    End, Fingerprint, OpenError, OpenErrorKind,
    crash::{self, Point},
    presence::{self, Gate},
    transport::family::{
        path::is_at,
        socket::{calls, place::Place},
    },
};

/// Marks what we made, and so may remove.
pub(crate) const OURS: u32 = 0o1000;
/// For the owner alone.
const PRIVATE: u32 = 0o600;
/// What the lock's path ends in.
const LOCK: &str = ".lock";
/// What the lock's first word is.
const WORD: &str = "laneway";

/// A path that is listened at, held by the place in its lock.
#[derive(Debug)]
pub(crate) struct SocketName {
    path: PathBuf,
    lock: File,
    lock_path: PathBuf,
    /// Whose the lock is, and so the socket.
    owner: u32,
}

/// The path of the lock beside a socket.
pub(crate) fn lock_path(path: &Path) -> PathBuf {
    let mut lock: OsString = path.as_os_str().to_owned();
    lock.push(LOCK);
    lock.into()
}

/// Whether we made what has this metadata.
fn is_ours(meta: &Metadata) -> bool {
    meta.mode() & OURS != 0 && meta.uid() == Uid::effective().as_raw()
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Opens what is at the path, without any effect on it, if it is a socket of this user that we made.
fn open_ours(path: &Path, owner: u32) -> io::Result<File> {
    let socket = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_PATH | OFlag::O_NOFOLLOW).bits())
        .open(path)?;
    let meta = socket.metadata()?;
    if meta.file_type().is_socket() && meta.mode() & OURS != 0 && meta.uid() == owner {
        return Ok(socket);
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The lock goes before the sockets when this process dies, so that whoever sees these end finds nobody listening. If there are so few
/// descriptors that it cannot be, it goes when it goes.
fn aside(lock: File) -> File {
    presence::aside(&lock).map_or(lock, File::from)
}

fn open_lock(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(create)
        .mode(OURS | PRIVATE)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
}

/// The scheme of the channel that a lock belongs to, if it is one.
pub(crate) fn scheme_of(lock: &Path) -> Option<&'static str> {
    let text = fs::read_to_string(lock).ok()?;
    let scheme = text.strip_prefix(WORD)?.trim();
    ["unix+seqpacket", "unix+stream"]
        .into_iter()
        .find(|known| *known == scheme)
}

impl SocketName {
    /// Listens at the place's path, unless somebody does. What a crash left there is removed.
    pub(crate) fn listen(place: &Place) -> Result<(Self, UnixListener), OpenError> {
        loop {
            if let Some(made) = Self::listen_once(place)? {
                return Ok(made);
            }
        }
    }

    /// `None` if the lock was removed in between.
    fn listen_once(place: &Place) -> Result<Option<(Self, UnixListener)>, OpenError> {
        let path = place.path();
        let lock_path = lock_path(path);
        // First of all, so that nothing is made where there is no descriptor left for it.
        let socket = calls::open(place.form.kind()).map_err(|e| place.os(e))?;
        place.make_room(&socket)?;
        let mut lock = open_lock(&lock_path, true);
        if matches!(&lock, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            lock = open_lock(&lock_path, false);
            if matches!(&lock, Err(error) if error.kind() == io::ErrorKind::NotFound) {
                return Ok(None);
            }
        }
        let lock = match lock {
            Ok(lock) => lock,
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                let why = "the lock beside the path is a symbolic link";
                return Err(place.error(OpenErrorKind::Refused(why)));
            }
            Err(error) => return Err(place.os(error)),
        };
        crash::reach(Point::SocketLocked);
        let meta = lock.metadata().map_err(|e| place.os(e))?;
        if !meta.is_file() || !is_ours(&meta) {
            let why = "another program has the file PATH.lock beside the path";
            return Err(place.error(OpenErrorKind::Refused(why)));
        }
        let name = Self {
            path: path.to_owned(),
            lock: aside(lock),
            lock_path,
            owner: meta.uid(),
        };
        // After an error the name goes again, and with it all that was made.
        let listener = name.occupy(place, &meta, socket)?;
        Ok(listener.map(|listener| (name, listener)))
    }

    /// Takes the path, if nobody has it. `None` if the lock was removed in between.
    fn occupy(
        &self,
        place: &Place,
        meta: &Metadata,
        socket: OwnedFd,
    ) -> Result<Option<UnixListener>, OpenError> {
        let gate = self.lock.try_clone().and_then(Gate::enter);
        let _gate = gate.map_err(|e| OpenError::gate(place.address(), e))?;
        crash::reach(Point::SocketGate);
        if !is_at(&self.lock_path, meta) {
            return Ok(None);
        }
        let there = fs::symlink_metadata(&self.path);
        if presence::has(&self.lock, End::Receiver).map_err(|e| place.os(e))? {
            if there.is_ok() {
                return Err(place.error(OpenErrorKind::Busy));
            }
            // Its path was removed, so nobody can come to it any more.
            fs::remove_file(&self.lock_path).map_err(|e| place.os(e))?;
            return Ok(None);
        }
        // For those who look at the machine.
        let mut lock = &self.lock;
        lock.set_len(0).map_err(|e| place.os(e))?;
        writeln!(lock, "{WORD} {}", place.scheme).map_err(|e| place.os(e))?;
        match there {
            Ok(meta) if meta.file_type().is_socket() && is_ours(&meta) => {
                fs::remove_file(&self.path).map_err(|e| place.os(e))?;
            }
            Ok(meta) => return Err(place.error(refused(&meta))),
            Err(_) => {}
        }
        self.bind(place, socket).map(Some)
    }

    /// Binds the socket to the path, takes the receiver's place, and listens.
    fn bind(&self, place: &Place, socket: OwnedFd) -> Result<UnixListener, OpenError> {
        let failed = |error: Errno| place.os(error);
        // So that it has this mode when it is born.
        let mode = Mode::from_bits_truncate(OURS | PRIVATE);
        fchmod(&socket, mode).map_err(failed)?;
        let address = UnixAddr::new(place.path()).map_err(failed)?;
        bind(socket.as_raw_fd(), &address).map_err(failed)?;
        crash::reach(Point::SocketBound);
        self.publish(Fingerprint::UNTYPED)
            .map_err(|e| place.os(e))?;
        presence::join(&self.lock, End::Receiver).map_err(|e| place.os(e))?;
        crash::reach(Point::SocketJoined);
        if place.allows_others() {
            let mode = fs::Permissions::from_mode(OURS | 0o666);
            fs::set_permissions(place.path(), mode).map_err(|e| place.os(e))?;
        }
        listen(&socket, Backlog::MAXCONN).map_err(failed)?;
        Ok(socket.into())
    }

    /// The name of a receiver that was handed over: its lock holds a place. The socket must be bound to the path, and what is there, or
    /// beside it, be the lock's and its owner's.
    pub(crate) fn adopt(place: &Place, lock: OwnedFd, socket: &OwnedFd) -> Result<Self, OpenError> {
        let refused = |what| Err(place.error(OpenErrorKind::Unproven(what)));
        let path = place.path();
        if calls::path_of(socket).as_deref() != Some(path) {
            return refused("is a socket that is bound to another path");
        }
        let lock = File::from(lock);
        let meta = lock.metadata().map_err(|e| place.os(e))?;
        if !meta.is_file() || meta.mode() & OURS == 0 || meta.mode() & 0o022 != 0 {
            return refused("has no lock of ours with it");
        }
        let lock_path = lock_path(path);
        // What is not there is not used.
        if is_there(&lock_path) && !is_at(&lock_path, &meta) {
            return refused("has another lock with it than the one beside the path");
        }
        let owner = meta.uid();
        if is_there(path) && open_ours(path, owner).is_err() {
            return refused("is another socket than the one at the path");
        }
        Ok(Self {
            path: path.to_owned(),
            lock: aside(lock),
            lock_path,
            owner,
        })
    }

    /// Another description of the lock, with a place of its own.
    pub(crate) fn another(&self) -> io::Result<OwnedFd> {
        let again = presence::reopen(&self.lock, OFlag::O_RDWR)?;
        presence::join(&again, End::Receiver)?;
        Ok(again)
    }

    /// Tells senders of which type the messages are, by the time at which the file was changed: they may read no more of it, and a note
    /// they would have to wait for until this process takes them in.
    pub(crate) fn publish(&self, of: Fingerprint) -> io::Result<()> {
        if !is_at(&self.lock_path, &self.lock.metadata()?) {
            // It was removed, and what is at the path by now is another's.
            return Err(io::ErrorKind::NotFound.into());
        }
        let time = TimeSpec::new(i64::from(of.bits().cast_signed()), mark(of).into());
        // By the descriptor, so that it is certain what is changed.
        let socket = open_ours(&self.path, self.owner)?;
        let own = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let links = UtimensatFlags::FollowSymlink;
        utimensat(AT_FDCWD, own.as_str(), &TimeSpec::UTIME_OMIT, &time, links)?;
        Ok(())
    }

    fn remove(&self) -> io::Result<bool> {
        remove_unused(&self.path, &self.lock_path, self.lock.try_clone()?)
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        presence::leave(&self.lock);
        // Nothing can be done about an error here, and the next to listen heals what is left.
        let _ = self.remove();
    }
}

/// Removes a socket of ours and its lock, if nobody listens; whether it did.
fn remove_unused(path: &Path, lock_path: &Path, lock: File) -> io::Result<bool> {
    let gate = Gate::enter(lock)?;
    let meta = gate.object().metadata()?;
    if !is_ours(&meta) || !is_at(lock_path, &meta) || presence::has_any(gate.object())? {
        return Ok(false);
    }
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket() && is_ours(&meta)) {
        fs::remove_file(path)?;
    }
    fs::remove_file(lock_path)?;
    Ok(true)
}

/// The same for whoever has neither open.
pub(crate) fn remove_stale(path: &Path) -> io::Result<bool> {
    let lock_path = lock_path(path);
    remove_unused(path, &lock_path, open_lock(&lock_path, false)?)
}

/// Whether anybody listens at a path of ours.
pub(crate) fn is_used(path: &Path) -> io::Result<bool> {
    presence::has_any(open_lock(&lock_path(path), false)?)
}

/// The path of the socket that a lock belongs to, if it is called as one.
pub(crate) fn socket_path(lock: &Path) -> Option<PathBuf> {
    let path = lock.as_os_str().as_bytes().strip_suffix(LOCK.as_bytes())?;
    Some(OsStr::from_bytes(path).into())
}

/// Removes the path and its lock, whoever uses them.
pub(crate) fn unlink(path: &Path) -> io::Result<()> {
    let lock_path = lock_path(path);
    let lock = fs::symlink_metadata(&lock_path).ok();
    let lock = lock.filter(|meta| meta.is_file() && is_ours(meta));
    // So that nobody listens anew between the two, if it can be had. Somebody who keeps it for ever is no reason to leave them.
    let open = || Gate::enter(open_lock(&lock_path, false)?);
    let _gate = lock.as_ref().map(|_| open());
    let removed = fs::remove_file(path);
    if lock.is_some_and(|meta| is_at(&lock_path, &meta)) {
        fs::remove_file(&lock_path)?;
    }
    removed
}

/// Why what has this metadata cannot be a channel's path.
pub(crate) fn refused(meta: &Metadata) -> OpenErrorKind {
    OpenErrorKind::Refused(if meta.file_type().is_symlink() {
        "the path is a symbolic link"
    } else if !meta.file_type().is_socket() {
        "the path is not a socket"
    } else if meta.uid() != Uid::effective().as_raw() {
        "the path belongs to another user"
    } else {
        "another program has made the socket"
    })
}

/// What a sender must know of the path: who listens there, and the type of the messages. `None` if there is nothing.
pub(crate) fn look(place: &Place) -> Result<Option<Fingerprint>, OpenError> {
    let meta = match fs::symlink_metadata(place.path()) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(place.os(error)),
    };
    if !meta.file_type().is_socket() {
        return Err(place.error(refused(&meta)));
    }
    if !place.allows(meta.uid()) {
        return Err(place.error(OpenErrorKind::Stranger { uid: meta.uid() }));
    }
    if meta.mode() & OURS == 0 {
        let why = "another program has made the socket";
        return Err(place.error(OpenErrorKind::Refused(why)));
    }
    // As `publish` wrote it, and any other time is as good as none.
    let bits = i32::try_from(meta.mtime()).unwrap_or(0).cast_unsigned();
    let of = Fingerprint::from_bits(bits);
    let is_published = meta.mtime_nsec() == i64::from(mark(of));
    Ok(Some(if is_published {
        of
    } else {
        Fingerprint::UNTYPED
    }))
}

/// The nanoseconds of the time that tells of this type. Whoever else touches the file leaves others, but for one time in a thousand million.
const fn mark(of: Fingerprint) -> u32 {
    of.bits().wrapping_mul(0x9e37_79b9) % 1_000_000_000
}
