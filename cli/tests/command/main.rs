//! The command itself, run as people run it: two processes, real channels, every named transport.

mod carry;
mod doctor;
mod list;
mod measure;
mod place;
mod refuse;
mod running;
mod stop;
