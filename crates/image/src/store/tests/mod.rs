//! Stores on this machine's disk, filled from memory.

mod adding;
mod checking;
mod log;
mod removing;
pub(crate) mod support;
