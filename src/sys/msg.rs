//! System V message queues, which nix does not have.

use std::{io, mem::MaybeUninit};

use crate::sys::fd::Block;

/// A message with its type in front, as msgsnd and msgrcv want it. Its memory is made once.
#[derive(Debug)]
pub(crate) struct Message {
    /// The type, then the text.
    words: Vec<libc::c_long>,
    len: usize,
}

impl Message {
    /// One that holds texts up to `max` bytes.
    pub(crate) fn with_room(max: usize) -> Self {
        let words = 1 + max.div_ceil(size_of::<libc::c_long>());
        Self {
            words: vec![0; words],
            len: 0,
        }
    }

    /// How many bytes of text it holds at most.
    pub(crate) fn room(&self) -> usize {
        size_of_val(self.words.as_slice()) - size_of::<libc::c_long>()
    }

    /// Sets how many bytes the text has; at most the room.
    pub(crate) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.room());
    }

    /// How many bytes the text has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The text.
    pub(crate) fn text(&self) -> &[u8] {
        let (_, text) = self.words.split_at(1);
        &bytemuck::cast_slice(text)[..self.len]
    }

    /// The text, for writing.
    pub(crate) fn text_mut(&mut self) -> &mut [u8] {
        let (_, text) = self.words.split_at_mut(1);
        &mut bytemuck::cast_slice_mut(text)[..self.len]
    }

    /// The type that the last received message had.
    pub(crate) fn kind(&self) -> libc::c_long {
        self.words[0]
    }
}

/// The mode of a queue that we made: for its owner alone, and marked, since the right to execute means nothing on a queue.
const OURS: libc::c_int = 0o700;

/// A queue by its identifier. Closing nothing: it lives until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue(libc::c_int);

/// What the kernel counts about a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    /// Messages in it.
    pub(crate) messages: usize,
    /// Bytes of text in it.
    pub(crate) bytes: usize,
    /// Bytes of text that it takes.
    pub(crate) capacity: usize,
}

fn checked(code: libc::c_int) -> io::Result<libc::c_int> {
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(code)
}

impl Queue {
    /// Makes a queue for its owner alone: a new one, or `AlreadyExists`.
    pub(crate) fn create(key: libc::key_t) -> io::Result<Self> {
        let flags = libc::IPC_CREAT | libc::IPC_EXCL | OURS;
        // SAFETY: takes numbers only.
        checked(unsafe { libc::msgget(key, flags) }).map(Self)
    }

    /// Finds the queue that has a key.
    pub(crate) fn find(key: libc::key_t) -> io::Result<Self> {
        // SAFETY: takes numbers only.
        checked(unsafe { libc::msgget(key, 0) }).map(Self)
    }

    /// The queue with an identifier; any number is accepted, and a wrong one fails in use.
    pub(crate) fn from_id(id: i32) -> Self {
        Self(id)
    }

    /// Its identifier.
    pub(crate) fn id(self) -> i32 {
        self.0
    }

    /// The key that it was made with; 0 for one without.
    pub(crate) fn key(self) -> io::Result<libc::key_t> {
        Ok(self.raw_stat()?.msg_perm.__key)
    }

    /// The user who made it.
    pub(crate) fn maker(self) -> io::Result<u32> {
        Ok(self.raw_stat()?.msg_perm.cuid)
    }

    /// Removes it; sleepers in the kernel wake with EIDRM.
    pub(crate) fn remove(self) -> io::Result<()> {
        // SAFETY: IPC_RMID takes no pointer.
        checked(unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) })?;
        Ok(())
    }

    fn raw_stat(self) -> io::Result<libc::msqid_ds> {
        let mut stat = MaybeUninit::<libc::msqid_ds>::zeroed();
        // SAFETY: by S1.
        checked(unsafe { libc::msgctl(self.0, libc::IPC_STAT, stat.as_mut_ptr()) })?;
        // SAFETY: by S2; plain numbers, zeroed first.
        Ok(unsafe { stat.assume_init() })
    }

    /// Whether we made it, or our like, and nobody has sent or received by it.
    pub(crate) fn is_ours_and_new(self) -> io::Result<bool> {
        let stat = self.raw_stat()?;
        let ours = libc::c_int::from(stat.msg_perm.mode) & 0o777 == OURS;
        Ok(ours && stat.msg_stime == 0 && stat.msg_rtime == 0)
    }

    /// What it holds.
    pub(crate) fn stat(self) -> io::Result<Stat> {
        let stat = self.raw_stat()?;
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(Stat {
            messages: number(stat.msg_qnum),
            bytes: number(stat.__msg_cbytes),
            capacity: number(stat.msg_qbytes),
        })
    }

    /// Sets how many bytes it takes; above `kernel.msgmnb` only with privilege.
    pub(crate) fn set_capacity(self, bytes: usize) -> io::Result<()> {
        let mut stat = self.raw_stat()?;
        stat.msg_qbytes = libc::msglen_t::try_from(bytes).unwrap_or(libc::msglen_t::MAX);
        // SAFETY: by S1.
        checked(unsafe { libc::msgctl(self.0, libc::IPC_SET, &raw mut stat) })?;
        Ok(())
    }

    /// Sends `message` with type `kind`. EINTR is returned: the caller looks at its deadline.
    #[inline]
    pub(crate) fn send(
        self,
        message: &mut Message,
        kind: libc::c_long,
        block: Block,
    ) -> io::Result<()> {
        message.words[0] = kind;
        let text = message.words.as_ptr().cast();
        // SAFETY: by S1; `len` is within the room behind the type.
        checked(unsafe { libc::msgsnd(self.0, text, message.len, flags(block)) })?;
        Ok(())
    }

    /// Receives into `message`, which must have room for the largest message of the system.
    #[inline]
    pub(crate) fn receive(
        self,
        message: &mut Message,
        select: libc::c_long,
        block: Block,
    ) -> io::Result<()> {
        let room = message.room();
        let text = message.words.as_mut_ptr().cast();
        // SAFETY: by S1.
        let len = unsafe { libc::msgrcv(self.0, text, room, select, flags(block)) };
        message.len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
        Ok(())
    }
}

fn flags(block: Block) -> libc::c_int {
    match block {
        Block::Yes => 0,
        Block::No => libc::IPC_NOWAIT,
    }
}
