//! `cargo xtask`: the front door. Without an argument it lists every task there is.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod dist;
mod elf;
mod fuzz;
mod picture;
mod size;
mod test;
mod tidy;
mod vm;

use anyhow::Result;
use std::ffi::OsString;
use std::process::ExitCode;

/// A task: its name, what to write after it, what it does, and the code.
struct Task {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: fn(Vec<OsString>) -> Result<ExitCode>,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        usage: "[TIER...] [--filter TEXT]",
        about: "run the tests: unit e2e peers vm fuzz",
        run: test::run,
    },
    Task {
        name: "vm",
        usage: "[OPTION...] -- COMMAND...",
        about: "run a command in a small virtual machine",
        run: vm::run,
    },
    Task {
        name: "fuzz",
        usage: "[TARGET...] [--seconds N]",
        about: "look for inputs that break a parser",
        run: fuzz::run,
    },
    Task {
        name: "bench",
        usage: "NAME [OPTION...]",
        about: "measure ours against the peers: init runtime pull engine",
        run: bench::run,
    },
    Task {
        name: "size",
        usage: "",
        about: "the programs' sizes against their budgets",
        run: size::run,
    },
    Task { name: "tidy", usage: "", about: "check the rules of the house", run: tidy::run },
    Task {
        name: "dist",
        usage: "",
        about: "make programs, man pages and completions in dist/",
        run: dist::run,
    },
    Task {
        name: "picture",
        usage: "",
        about: "draw the README's pictures from real sessions",
        run: picture::run,
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(task) = TASKS.iter().find(|task| name == task.name) else {
        for task in TASKS {
            println!("cargo xtask {:7} {:27} {}", task.name, task.usage, task.about);
        }
        // Asking for the list is fine; asking for what does not exist is not.
        return if name.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) };
    };
    (task.run)(arguments.collect()).unwrap_or_else(|error| {
        eprintln!("xtask {}: {error:#}", task.name);
        ExitCode::FAILURE
    })
}
