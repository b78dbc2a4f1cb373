//! The only file that names atomics and cells, so that a model checker can put its own in their place.
//!
//! Names of our own, not re-exports: clippy.toml forbids the others' wherever they are met.
#![expect(clippy::disallowed_types, reason = "this is the place for them")]

pub(crate) use std::sync::atomic::{Ordering, compiler_fence, fence};

pub(crate) type AtomicBool = std::sync::atomic::AtomicBool;
pub(crate) type AtomicPtr<T> = std::sync::atomic::AtomicPtr<T>;
pub(crate) type AtomicU32 = std::sync::atomic::AtomicU32;
pub(crate) type AtomicU64 = std::sync::atomic::AtomicU64;
pub(crate) type AtomicUsize = std::sync::atomic::AtomicUsize;
pub(crate) type UnsafeCell<T> = std::cell::UnsafeCell<T>;
