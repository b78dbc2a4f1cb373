//! The only file that names atomics, so that a model checker can put its own in their place.

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, Ordering, compiler_fence, fence,
};
