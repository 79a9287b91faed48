//! The commands about containers.

mod attach;
mod exec;
mod front;
mod life;
mod list;
mod logs;
mod options;
mod parse;
mod run;

use crate::context::Context;
use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a container of an image and start it
    Run(Box<run::RunArguments>),
    /// Make a container of an image
    Create(Box<run::CreateArguments>),
    /// Start containers
    Start(attach::StartArguments),
    /// Ask containers to end, and kill those that do not in time
    Stop(life::StopArguments),
    /// Stop containers and start them again
    Restart(life::StopArguments),
    /// Send a signal to containers
    Kill(life::KillArguments),
    /// Remove containers
    Rm(life::RemoveArguments),
    /// Stop all processes of containers
    Pause(life::Names),
    /// Let paused containers go on
    Unpause(life::Names),
    /// Wait until containers have ended, and print their exit codes
    Wait(life::Names),
    /// Give a container another name
    Rename(life::RenameArguments),
    /// List containers
    Ps(list::Arguments),
    /// Print what a container has printed
    Logs(logs::Arguments),
    /// Run one more program in a container
    Exec(exec::Arguments),
    /// Come in front of a container
    Attach(attach::AttachArguments),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let done = |result: Result<()>| result.map(|()| ExitCode::SUCCESS);
        match self {
            Command::Run(arguments) => run::run(context, &arguments),
            Command::Create(arguments) => run::create(context, &arguments),
            Command::Start(arguments) => attach::start(context, &arguments),
            Command::Stop(arguments) => done(life::stop(context, &arguments)),
            Command::Restart(arguments) => done(life::restart(context, &arguments)),
            Command::Kill(arguments) => done(life::kill(context, &arguments)),
            Command::Rm(arguments) => done(life::remove(context, &arguments)),
            Command::Pause(names) => done(life::pause(context, &names)),
            Command::Unpause(names) => done(life::unpause(context, &names)),
            Command::Wait(names) => done(life::wait(context, &names)),
            Command::Rename(arguments) => done(life::rename(context, &arguments)),
            Command::Ps(arguments) => done(list::run(context, &arguments)),
            Command::Logs(arguments) => done(logs::run(context, &arguments)),
            Command::Exec(arguments) => exec::run(context, &arguments),
            Command::Attach(arguments) => attach::attach(context, &arguments),
        }
    }

    /// The exit code where the command itself has failed.
    pub(crate) fn failure(&self) -> u8 {
        match self {
            Command::Run(_) | Command::Create(_) => 125,
            _ => 1,
        }
    }
}
