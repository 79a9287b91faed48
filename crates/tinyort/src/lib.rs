//! The command line of `tinyort` as data: what commands and flags there are, and how words become
//! one of them. It does nothing that a command is for; the program does, in `commands/`.

#![forbid(unsafe_code)]

pub mod command;
pub mod flag;
pub mod flags;
pub mod help;
pub mod parse;
pub mod quantity;
