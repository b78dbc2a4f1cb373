//! The command itself, run as people run it: two processes, real channels, every named transport.

mod carry;
mod completions;
mod doctor;
mod framing;
mod inspect;
mod list;
mod measure;
mod opening;
mod pipe;
mod place;
mod refuse;
mod running;
mod stop;
