//! The programs that tests run under `tino`: this executable again, as an actor.
//!
//! `e2e --helper STEP...` carries out the steps in order and exits with 0. `(` forks an actor
//! for the steps up to the matching `)`. See [`steps`] for the words.
//!
//! The actor runs before `main`: Rust's runtime ignores `SIGPIPE` and fills closed standard
//! descriptors, and the tests are about just that state.

mod files;
mod intruder;
mod sockets;
mod state;
mod steps;

pub(crate) use state::{bomb, hex};

/// Called by the C library before `main`, after std has stored the arguments.
#[used]
#[unsafe(link_section = ".init_array")]
#[allow(unsafe_code, reason = "the linker section is the only way to run before std's runtime")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == "--helper") {
        let words: Vec<String> =
            arguments.map(|word| word.to_string_lossy().into_owned()).collect();
        std::process::exit(steps::play(&words));
    }
}

/// Makes `main` use this module, so that the linker keeps it.
pub(crate) fn keep() {
    std::hint::black_box(&BEFORE_MAIN);
}

/// Prints a line at once.
fn say(line: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    // With standard output closed there is nobody to tell.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Prints `WHAT: ok` or `WHAT: ERRNO`, with the number.
fn say_result<Value>(what: &str, result: std::io::Result<Value>) {
    match result {
        Ok(_) => say(&format!("{what}: ok")),
        Err(error) => match error.raw_os_error() {
            Some(number) => say(&format!("{what}: errno {number}")),
            None => say(&format!("{what}: {error}")),
        },
    }
}
