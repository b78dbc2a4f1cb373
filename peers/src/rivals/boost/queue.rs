//! The queue of Boost through its C wrapper.

use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr::NonNull,
};

use crate::traces;

unsafe extern "C" {
    fn peers_boost_create(name: *const c_char, count: usize, size: usize) -> *mut c_void;
    fn peers_boost_open(name: *const c_char) -> *mut c_void;
    fn peers_boost_send(queue: *mut c_void, bytes: *const u8, len: usize) -> bool;
    fn peers_boost_receive(queue: *mut c_void, bytes: *mut u8, room: usize) -> usize;
    fn peers_boost_close(queue: *mut c_void);
    fn peers_boost_remove(name: *const c_char) -> bool;
}

/// A handle to a queue; the one that made it removes it.
pub(super) struct Queue {
    handle: NonNull<c_void>,
    name: CString,
    owner: bool,
}

// SAFETY: a handle may be used by any thread.
unsafe impl Send for Queue {}

impl Queue {
    /// Makes a queue of `count` messages of `size` bytes.
    pub(super) fn create(kind: &str, count: usize, size: usize) -> Self {
        let name = CString::new(traces::name(kind)).expect("no NUL");
        // SAFETY: a string that ends with a NUL.
        let handle = unsafe { peers_boost_create(name.as_ptr(), count, size) };
        Self {
            handle: NonNull::new(handle).expect("creates"),
            name,
            owner: true,
        }
    }

    /// Opens what the other side made.
    pub(super) fn open(name: &CStr) -> Self {
        // SAFETY: a string that ends with a NUL.
        let handle = unsafe { peers_boost_open(name.as_ptr()) };
        Self {
            handle: NonNull::new(handle).expect("opens"),
            name: name.into(),
            owner: false,
        }
    }

    /// What to open it by.
    pub(super) fn name(&self) -> CString {
        self.name.clone()
    }

    /// Waits for room.
    pub(super) fn send(&self, message: &[u8]) {
        // SAFETY: a live queue, and bytes with their length.
        let sent =
            unsafe { peers_boost_send(self.handle.as_ptr(), message.as_ptr(), message.len()) };
        assert!(sent, "sends");
    }

    /// Waits for a message, and tells its length.
    pub(super) fn receive(&self, buf: &mut [u8]) -> usize {
        // SAFETY: a live queue, and a buffer with its length.
        unsafe { peers_boost_receive(self.handle.as_ptr(), buf.as_mut_ptr(), buf.len()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and closed once.
        unsafe { peers_boost_close(self.handle.as_ptr()) };
        if self.owner {
            // SAFETY: a string that ends with a NUL.
            unsafe { peers_boost_remove(self.name.as_ptr()) };
        }
    }
}
