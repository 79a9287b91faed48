//! Tests of the built programs on this kernel: real processes, terminals and namespaces.
//!
//! Run by `cargo xtask test`, and by hand with `e2e [FILTER...]`. What the programs under test
//! are told to run is this executable again, as an actor that follows a script ([`helper`]).
//! It does not test what a function can be asked directly; that is in the crates.

mod engine;
mod helper;
mod image;
mod kernel;
mod net;
mod runtime;
mod support;
mod tino;

use std::process::ExitCode;

fn main() -> ExitCode {
    helper::keep();
    let of_engine = [image::trials(), net::trials(), engine::trials()].concat();
    harness::main([tino::trials(), kernel::trials(), runtime::trials(), of_engine].concat())
}
