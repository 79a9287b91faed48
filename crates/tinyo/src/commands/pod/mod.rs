//! `tinyo pod`, as Podman spells it.

mod create;
mod inspect;
mod life;
mod list;
mod logs;
mod watch;

pub(crate) use inspect::describe;

use crate::context::Context;
use anyhow::Result;
use clap::Subcommand;
use engine::{Engine, Error, Pod};
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a pod, with the container that holds what the others share
    Create(Box<create::Arguments>),
    /// List pods
    #[command(visible_alias = "ls", visible_alias = "list")]
    Ps(list::Arguments),
    /// Start all containers of pods
    Start(life::StartArguments),
    /// Ask all containers of pods to end, and kill those that do not in time
    Stop(life::StopArguments),
    /// Stop pods and start them again
    Restart(life::Names),
    /// Send a signal to all containers of pods
    Kill(life::KillArguments),
    /// Stop all processes of pods
    Pause(life::Names),
    /// Let paused pods go on
    Unpause(life::Names),
    /// Remove pods with their containers
    Rm(life::RemoveArguments),
    /// Remove all pods that do not run
    Prune(life::PruneArguments),
    /// Say by the exit code whether there is a pod
    Exists(life::ExistsArguments),
    /// Show all that is known of pods, in JSON
    Inspect(inspect::Arguments),
    /// Print what the containers of a pod have printed
    Logs(logs::Arguments),
    /// Show what the containers of pods use
    Stats(watch::StatsArguments),
    /// List the processes of a pod
    Top(watch::TopArguments),
}

pub(crate) fn run(context: &Context, command: &Command) -> Result<ExitCode> {
    let done = match command {
        Command::Create(arguments) => create::run(context, arguments),
        Command::Ps(arguments) => list::run(context, arguments),
        Command::Start(arguments) => life::start(context, arguments),
        Command::Stop(arguments) => life::stop(context, arguments),
        Command::Restart(names) => life::restart(context, names),
        Command::Kill(arguments) => life::kill(context, arguments),
        Command::Pause(names) => life::pause(context, names),
        Command::Unpause(names) => life::unpause(context, names),
        Command::Rm(arguments) => life::remove(context, arguments),
        Command::Prune(arguments) => life::prune(context, arguments),
        Command::Exists(arguments) => return life::exists(context, arguments),
        Command::Inspect(arguments) => inspect::run(context, arguments),
        Command::Logs(arguments) => logs::run(context, arguments),
        Command::Stats(arguments) => watch::stats(context, arguments),
        Command::Top(arguments) => watch::top(context, arguments),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The one that is named, or with `latest` the newest.
fn one(engine: &Engine, name: Option<&str>, latest: bool) -> Result<Pod> {
    match name {
        Some(name) if !latest => Ok(engine.pod(name)?),
        _ => {
            let newest = engine.pods()?.into_iter().next();
            Ok(newest.ok_or_else(|| Error::NoSuchPod("there is none".to_owned()))?)
        }
    }
}
