//! `config.json` becomes a plan, or an error that names what is wrong. Nothing is done.
#![no_main]

use runtime::fuzzing::Machine;
use std::cell::OnceCell;

thread_local! {
    static MACHINE: OnceCell<Machine> = const { OnceCell::new() };
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    MACHINE.with(|machine| machine.get_or_init(Machine::this).configuration(input));
});
