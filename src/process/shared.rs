//! A value that several processes change, one at a time.

use std::{
    fmt, io,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::Arc,
    thread,
    time::Duration,
};

use bytemuck::Pod;

use crate::{
    Address, Deadline, End, Fingerprint, Handoff, OpenError, OpenErrorKind,
    lock::LockError,
    presence::{self, Topic},
    process::give::{self, Give},
    ring::Data,
    shm::{
        layout::{self, Header, LAYOUT, MAGIC, Shape},
        object::LEAST,
        plan::Plan,
        segment::Segment,
    },
    sync::Ordering,
};

/// Where the first of the two places of the value starts. At 0 is a word that tells which is valid.
const PLACES: u64 = 64;

/// A value in shared memory under a lock, for any number of processes: each takes the lock, gets the value, and changes it.
///
/// It is given to a process by [`Process::give`](crate::process::Process::give). In place of this, processes that send each
/// other what they know need no lock at all; but a counter is a counter.
///
/// ```standalone_crate
/// use laneway::process::{Process, Shared};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut balance = Shared::new(0_i64)?;
///     let deposit = || {
///         let mut balance = Shared::<i64>::inherited("balance").expect("given");
///         for _ in 0..1000 {
///             *balance.lock().expect("is a lock") += 1;
///         }
///     };
///     let start = || Process::fork(deposit).give("balance", &balance)?.start().map_err(std::io::Error::from);
///     for child in [start()?, start()?] {
///         child.join()?;
///     }
///     assert_eq!(*balance.lock()?, 2000);
///     Ok(())
/// }
/// ```
///
/// # Crash behaviour
/// Whoever dies holding the lock has changed nothing: the next to lock gets the value as it was before, at once. The same after a panic.
#[doc(alias = "Lock")]
#[doc(alias = "SharedMemory")]
pub struct Shared<T> {
    segment: Segment,
    /// As whom this handle holds the lock.
    me: u16,
    _value: PhantomData<fn(T) -> T>,
}

/// No shared value has a name.
fn address() -> Address {
    Address::of("shared", "".as_ref())
}

/// Opens with what `open` makes of the plan for a value of so many bytes.
fn with_plan<T>(
    size: usize,
    open: impl FnOnce(&Plan<'_>) -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    let address = address();
    // All zeroes is a free lock.
    let prepare = |_: &mut Shape, _: &Header| Ok(());
    let capacity = place(size, 2).max(LEAST as u64).checked_next_power_of_two();
    let needed = u64::MAX;
    let too_large = || OpenError::new(self::address(), OpenErrorKind::NoSpace { needed });
    open(&Plan {
        address: &address,
        shape: Shape {
            magic: MAGIC,
            layout: LAYOUT,
            kind: layout::SHARED,
            capacity: capacity.ok_or_else(too_large)?,
            max_message: size as u64,
            lock: 0,
            flags: 0,
            extra: 0,
            trailer: 0,
        },
        explicit: false,
        exclusive: |_| false,
        is_sound: &|_| true,
        refuse: &|_| None,
        guarded: false,
        prepare: &prepare,
        discard: Arc::new(|_| {}),
    })
}

/// Where the place with this index starts, of values of so many bytes.
const fn place(size: usize, index: u64) -> u64 {
    let step = (size as u64).next_multiple_of(64);
    PLACES.saturating_add(step.saturating_mul(index))
}

impl<T: Pod> Shared<T> {
    /// A shared value that is this one at first.
    ///
    /// # Errors
    /// No memory, or no descriptor left.
    pub fn new(value: T) -> Result<Self, OpenError> {
        // Its two ends are alike; one is enough.
        let (segment, _) = with_plan(size_of::<T>(), Segment::pair)?;
        let shared = Self::of(segment)?;
        shared.write(0, &value)?;
        Ok(shared)
    }

    /// Takes the one that the parent [gave](crate::process::Process::give) by this key.
    ///
    /// # Errors
    /// [`NotFound`](OpenErrorKind::NotFound) if nothing was given by this key, [`Handoff`](OpenErrorKind::Handoff) if something else was;
    /// [`Incompatible`](OpenErrorKind::Incompatible) if it is a value of another size or alignment.
    pub fn inherited(key: &str) -> Result<Self, OpenError> {
        let wrong = || OpenError::new(address(), OpenErrorKind::Handoff);
        let Ok([fd]) = <[_; 1]>::try_from(give::take(key)?.fds) else {
            return Err(wrong());
        };
        let adopt = |plan: &Plan<'_>| Segment::adopt(fd, |_| None, plan);
        let shared = Self::of(with_plan(size_of::<T>(), adopt)?)?;
        // So every access is within.
        if shared.segment.shape().max_message != size_of::<T>() as u64 {
            return Err(wrong());
        }
        Ok(shared)
    }

    fn of(segment: Segment) -> Result<Self, OpenError> {
        let os = |error| OpenError::os(address(), error);
        let size = size_of::<T>() as u64;
        let no_space = || OpenError::new(address(), OpenErrorKind::NoSpace { needed: size });
        let expected = Fingerprint::of::<T>().ok_or_else(no_space)?;
        let fd = segment.fd().map_err(os)?;
        match presence::declare(fd, Topic::Type, expected.bits()).map_err(os)? {
            None => {
                let me = presence::take_number(fd, u16::MAX).map_err(os)?;
                // What the dead one with this number held.
                segment.header().producer_lock.lock.give(me);
                Ok(Self {
                    segment,
                    me,
                    _value: PhantomData,
                })
            }
            Some(found) => {
                let found = Fingerprint::from_bits(found);
                let kind = OpenErrorKind::Incompatible { expected, found };
                Err(OpenError::new(address(), kind))
            }
        }
    }

    /// Takes the lock, waiting for its holder as long as it takes. It is held, and the change kept back, until the guard is dropped.
    /// A thread that has it through another handle waits for itself.
    ///
    /// # Errors
    /// [`InvalidData`](io::ErrorKind::InvalidData) if something else has written over the segment.
    #[doc(alias = "acquire")]
    pub fn lock(&mut self) -> io::Result<SharedGuard<'_, T>> {
        match self.lock_by(Deadline::NEVER)? {
            Some(guard) => Ok(guard),
            // It was waited for without an end.
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// The same, for at most `timeout`: `None` if another has it still.
    ///
    /// # Errors
    /// As for [`lock`](Self::lock).
    pub fn lock_timeout(&mut self, timeout: Duration) -> io::Result<Option<SharedGuard<'_, T>>> {
        self.lock_by(Deadline::after(timeout))
    }

    /// The same, up to the deadline.
    ///
    /// # Errors
    /// As for [`lock`](Self::lock).
    pub fn lock_by(&mut self, deadline: Deadline) -> io::Result<Option<SharedGuard<'_, T>>> {
        // If the kernel cannot tell, the holder is taken to live.
        let is_dead = |number| {
            let lives = self.segment.fd();
            let lives = lives.and_then(|fd| presence::has_number(fd, number));
            lives.is_ok_and(|lives| !lives)
        };
        let lock = &self.segment.header().producer_lock.lock;
        match lock.take(self.me, deadline, is_dead) {
            // Also from a dead holder: a change counts only when it is complete, so there is nothing to be repaired.
            Ok(_) => {}
            Err(LockError::Busy) => return Ok(None),
            Err(LockError::Lost) => return Err(io::ErrorKind::InvalidData.into()),
        }
        match self.read() {
            Ok((valid, value)) => Ok(Some(SharedGuard {
                shared: self,
                valid,
                value,
            })),
            Err(error) => {
                self.give_back();
                Err(error)
            }
        }
    }

    fn data(&self) -> Data<'_> {
        self.segment.data()
    }

    /// Which place is valid, and the value there. The caller has the lock.
    fn read(&self) -> io::Result<(u64, T)> {
        let mut value = T::zeroed();
        // ORDERING: Relaxed; ordered by the lock.
        let valid = self.data().word(0).load(Ordering::Relaxed) & 1;
        let read = self.data().read(
            place(size_of::<T>(), valid),
            bytemuck::bytes_of_mut(&mut value),
        );
        read.map_err(|_| io::ErrorKind::InvalidData)?;
        Ok((valid, value))
    }

    /// Writes the value to a place, and makes that the valid one. The caller has the lock, or is the only one.
    fn write(&self, place: u64, value: &T) -> Result<(), OpenError> {
        let at = self::place(size_of::<T>(), place);
        let written = self.data().write(at, bytemuck::bytes_of(value));
        written.map_err(|_| OpenError::new(address(), OpenErrorKind::Corrupt))?;
        // ORDERING: Release; whoever dies before this has changed nothing, whoever dies after it everything.
        self.data().word(0).store(place, Ordering::Release);
        Ok(())
    }
}

impl<T> Shared<T> {
    fn give_back(&self) {
        self.segment.header().producer_lock.lock.give(self.me);
    }
}

impl<T> Give for Shared<T> {
    fn handoffs(&self) -> io::Result<Vec<(&'static str, Handoff)>> {
        let handoff = Handoff {
            address: address(),
            end: End::Sender,
            fds: vec![self.segment.another(End::Sender)?],
        };
        Ok(vec![("", handoff)])
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

/// The lock of a [`Shared`], held, and the value, which is written back when this is dropped.
#[must_use = "the lock is given back when it is dropped"]
pub struct SharedGuard<'a, T: Pod> {
    shared: &'a Shared<T>,
    /// The place of what it was.
    valid: u64,
    value: T,
}

impl<T: Pod> Deref for SharedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Pod> DerefMut for SharedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Pod> Drop for SharedGuard<'_, T> {
    fn drop(&mut self) {
        // What panics has not come to the end of its change.
        if !thread::panicking() {
            // It was read from beside there, so there is room.
            let _ = self.shared.write(1 - self.valid, &self.value);
        }
        self.shared.give_back();
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedGuard").field(&self.value).finish()
    }
}
