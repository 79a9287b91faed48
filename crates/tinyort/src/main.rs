//! `tinyort`: runc's command line over the runtime library. What it does is in `runtime`; here
//! words become requests, and results become text and exit codes.

// `sys::entry!` alone may have more.
#![deny(unsafe_code)]
#![no_main]

mod commands;
mod context;
mod exit;
mod failure;
mod log;

use context::Context;
use exit::ExitCode;
use failure::{Failure, Result};
use log::Log;
use tinyort::command::{Command, Id};
use tinyort::flags;
use tinyort::parse::Line;

sys::entry!(start);
// The commands that make a process in a container.
sys::early_entry!(&[b"run", b"create", b"exec", b"restore"]);

fn start() -> u8 {
    command_line().0
}

fn command_line() -> ExitCode {
    let line = match Line::parse(std::env::args_os().skip(1)) {
        Ok(line) => line,
        Err(misuse) => {
            return match Log::open(&misuse.flags) {
                Ok(log) => fail(&log, &misuse.into(), 1),
                Err(error) => fail(&Log::stderr(), &error, 1),
            };
        }
    };
    let Some(command) = line.command.filter(|_| !line.flags.is_on(&flags::VERSION)) else {
        return commands::about::without_command(&line.flags);
    };
    if line.flags.is_on(&flags::HELP) {
        return commands::about::help_of(command);
    }
    let log = match Log::open(&line.flags) {
        Ok(log) => log,
        Err(error) => return fail(&Log::stderr(), &error, 1),
    };
    match run(command, &line, &log) {
        Ok(code) => code,
        // A command in a container may well exit with 1.
        Err(error) if command.id == Id::Exec => fail(&log, &error, 255),
        Err(error) => fail(&log, &error, 1),
    }
}

fn fail(log: &Log, error: &Failure, code: u8) -> ExitCode {
    log.error(&error.to_string());
    ExitCode::from(code)
}

fn run(command: &Command, line: &Line, log: &Log) -> Result<ExitCode> {
    use commands::{about, change, create, criu, events, exec, list, ps, spec, state, update};
    let context = &Context::new(line, log)?;
    match command.id {
        Id::Checkpoint => criu::checkpoint(context),
        Id::Create => create::create(context),
        Id::Delete => change::delete(context),
        Id::Events => events::events(context),
        Id::Exec => exec::exec(context),
        Id::Features => about::features(),
        Id::Help => about::help(&line.words),
        Id::Kill => change::kill(context),
        Id::List => list::list(context),
        Id::Pause => change::pause(context),
        Id::Ps => ps::ps(context),
        Id::Restore => criu::restore(context),
        Id::Resume => change::resume(context),
        Id::Run => create::run(context),
        Id::Spec => spec::spec(context),
        Id::Start => change::start(context),
        Id::State => state::state(context),
        Id::Update => update::update(context),
    }
}
