//! Bodies that several transports share.

pub(crate) mod copied;
pub(crate) mod ends;
pub(crate) mod fifo_name;
pub(crate) mod frame;
pub(crate) mod holder;
pub(crate) mod keeper;
pub(crate) mod listener;
pub(crate) mod member;
pub(crate) mod number;
pub(crate) mod path;
pub(crate) mod pipe_options;
pub(crate) mod queue_place;
pub(crate) mod ring_options;
pub(crate) mod scratch;
pub(crate) mod socket;
pub(crate) mod stash;
pub(crate) mod stream_receiver;
pub(crate) mod stream_sender;
pub(crate) mod stream_writer;
