//! The commands about containers.

mod accounts;
mod attach;
mod chosen;
pub(super) mod connection;
mod csv;
pub(super) mod events;
pub(super) mod exec;
mod files;
mod fitting;
pub(super) mod front;
mod host_config;
mod inspect;
mod life;
mod limits;
pub(super) mod list;
pub(super) mod logs;
mod more;
mod mount;
pub(super) mod mounts;
mod namespaces;
mod options;
pub(super) mod parse;
mod pod;
pub(super) mod printing;
pub(super) mod run;
mod security;
pub(super) mod top;
mod update;
pub(super) mod user;
pub(super) mod volume;
pub(super) mod watch;

pub(super) use chosen::{newest, one};
pub(super) use inspect::{describe, image_id, sizes};
pub(super) use life::remove_ended;

use super::late::Late;
use super::{import, inspect as inspect_command, port};
use crate::context::Context;
use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a container of an image and start it
    Run(Late<run::RunArguments>),
    /// Make a container of an image
    Create(Late<run::CreateArguments>),
    /// Start containers
    Start(Late<attach::StartArguments>),
    /// Ask containers to end, and kill those that do not in time
    Stop(Late<life::StopArguments>),
    /// Stop containers and start them again
    Restart(Late<life::RestartArguments>),
    /// Send a signal to containers
    Kill(Late<life::KillArguments>),
    /// Remove containers
    Rm(Late<life::RemoveArguments>),
    /// Stop all processes of containers
    Pause(Late<life::Names>),
    /// Let paused containers go on
    Unpause(Late<life::Names>),
    /// Wait until containers have ended, and print their exit codes
    Wait(Late<life::WaitArguments>),
    /// Give a container another name
    Rename(Late<life::RenameArguments>),
    /// List containers
    #[command(alias = "ls", alias = "list")]
    Ps(Late<list::Arguments>),
    /// Print what a container has printed
    Logs(Late<logs::Arguments>),
    /// Run one more program in a container
    Exec(Late<exec::Arguments>),
    /// Come in front of a container
    Attach(Late<attach::AttachArguments>),
    /// Change limits and the restart policy of containers
    Update(Late<update::Arguments>),
    /// List the processes of a container
    Top(Late<top::Arguments>),
    /// Show what containers use
    Stats(Late<watch::StatsArguments>),
    /// Show what happens to containers
    Events(Late<events::Arguments>),
    /// Copy files into a container or out of it
    Cp(Late<files::CopyArguments>),
    /// List what a container has changed of its image
    Diff(Late<files::DiffArguments>),
    /// Mount the files of containers where the machine sees them, and print where
    Mount(Late<mount::MountArguments>),
    /// Unmount the files of containers
    #[command(visible_alias = "umount")]
    Unmount(Late<mount::UnmountArguments>),
    /// Make an image of a container
    Commit(Late<files::CommitArguments>),
}

/// `tinyo container ...`.
#[derive(Subcommand)]
pub(crate) enum Group {
    #[command(flatten)]
    Any(Box<Command>),
    /// Show all that is known of containers, in JSON
    Inspect(Late<inspect_command::Arguments>),
    /// Print where the published ports of a container are reached
    Port(Late<port::Arguments>),
    /// Write the files of a container into a tar file
    Export(Late<import::ExportArguments>),
    /// Say by the exit code whether there is such a container: 0 or 1
    Exists {
        /// Name or id
        container: String,
    },
    /// Remove all containers that have ended
    Prune(Late<life::PruneArguments>),
}

impl Group {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let done = |result: Result<()>| result.map(|()| ExitCode::SUCCESS);
        match self {
            Group::Any(command) => command.run(context),
            Group::Inspect(arguments) => done(inspect_command::containers(context, &arguments)),
            Group::Port(arguments) => done(port::run(context, &arguments)),
            Group::Export(arguments) => done(import::export(context, &arguments)),
            Group::Exists { container } => life::exists(context, &container),
            Group::Prune(arguments) => done(life::prune(context, &arguments)),
        }
    }

    /// The exit code where the command itself has failed.
    pub(crate) fn failure(&self) -> u8 {
        match self {
            Group::Any(command) => command.failure(),
            _ => 1,
        }
    }
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
            Command::Update(arguments) => done(update::run(context, &arguments)),
            Command::Top(arguments) => done(top::run(context, &arguments)),
            Command::Stats(arguments) => done(watch::stats(context, &arguments)),
            Command::Events(arguments) => done(events::run(context, &arguments)),
            Command::Cp(arguments) => done(files::copy(context, &arguments)),
            Command::Diff(arguments) => done(files::diff(context, &arguments)),
            Command::Mount(arguments) => done(mount::mount(context, &arguments)),
            Command::Unmount(arguments) => done(mount::unmount(context, &arguments)),
            Command::Commit(arguments) => done(files::commit(context, &arguments)),
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
