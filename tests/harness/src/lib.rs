//! Runs trials: tests that start real processes and may leave some behind when they fail.
//!
//! Three processes take part in each trial. The *runner* picks the trials and prints the
//! verdicts. For every trial it starts a *guard*, which adopts whatever the trial's processes
//! leave behind, keeps the time limit, and kills what still lives at the end. The guard starts
//! the *trial* itself, in a session of its own without a terminal. All three are the same
//! executable, told apart by a word on the command line ([`arguments`]).
//!
//! A test program is two lines:
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     harness::main(harness::trials![exit_codes::zero, signals::forwarded])
//! }
//! ```
//!
//! `$TMPDIR` (`std::env::temp_dir()`) is an empty folder that the guard removes with all it holds.
//!
//! This crate knows nothing about the programs under test but where they lie ([`tino`],
//! [`tinyort`], [`tinyo`]).

#![forbid(unsafe_code)]

mod arguments;
mod guard;
mod orphans;
mod report;
mod runner;
mod stuck;

use std::path::PathBuf;
use std::process::ExitCode;

use arguments::{Arguments, Part};

/// One test.
#[derive(Clone, Copy)]
pub struct Trial {
    /// `module::function`, as [`trials!`] was given it.
    pub name: &'static str,
    /// The test itself. It may start processes, change its own folder, ids and namespaces, and
    /// end the process: nothing else runs in it.
    pub run: fn() -> anyhow::Result<()>,
}

/// Makes the `Vec<Trial>` for [`main`] from paths of functions.
#[macro_export]
macro_rules! trials {
    ($($path:path),* $(,)?) => {
        vec![$($crate::Trial { name: stringify!($path), run: $path }),*]
    };
}

/// Why a trial could not run here. Made by [`skip`].
#[derive(Debug)]
struct Skip(String);

impl std::fmt::Display for Skip {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Ends a trial that cannot run on this machine: `return harness::skip("no /dev/ptmx")`.
/// The runner counts it apart and prints the reason.
pub fn skip(reason: impl Into<String>) -> anyhow::Result<()> {
    Err(anyhow::Error::new(Skip(reason.into())))
}

/// The program under test: `$TINO_BIN`, or `tino` beside the running test executable.
pub fn tino() -> PathBuf {
    program("TINO_BIN", "tino")
}

/// The runtime under test: `$TINYORT_BIN`, or `tinyort` beside the running test executable.
pub fn tinyort() -> PathBuf {
    program("TINYORT_BIN", "tinyort")
}

/// The engine under test: `$TINYO_BIN`, or `tinyo` beside the running test executable.
pub fn tinyo() -> PathBuf {
    program("TINYO_BIN", "tinyo")
}

fn program(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let beside = std::env::current_exe().map(|executable| executable.with_file_name(name));
    beside.unwrap_or_else(|_| PathBuf::from(name))
}

/// Does what the command line asks for: runs the trials, lists them, or (started by itself)
/// guards one or is one.
pub fn main(trials: Vec<Trial>) -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let chosen: Vec<Trial> = trials.into_iter().filter(|it| arguments.wants(it.name)).collect();
    match arguments.part {
        Part::List => {
            chosen.iter().for_each(|trial| println!("{}", trial.name));
            ExitCode::SUCCESS
        }
        Part::Runner => runner::run(&chosen, &arguments),
        Part::Guard => guard::run(&arguments),
        Part::Trial => guard::run_trial(&chosen),
    }
}
