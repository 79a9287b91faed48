//! `stop`, `restart`, `kill`, `rm`, `pause`, `unpause`, `wait`, `rename`.

use crate::commands::fail;
use crate::commands::system::confirm;
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Result, bail};
use clap::Args;
use engine::{Attach, Container, Engine, Error};

#[derive(Args)]
pub(crate) struct Names {
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

#[derive(Args)]
pub(crate) struct StopArguments {
    /// Seconds until they are killed; -1: never
    #[arg(
        short,
        long,
        visible_alias = "timeout",
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    time: Option<i64>,
    /// Which signal asks them to end
    #[arg(short, long)]
    signal: Option<String>,
    /// All that run
    #[arg(short, long)]
    all: bool,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required_unless_present = "all")]
    containers: Vec<String>,
}

#[derive(Args)]
pub(crate) struct KillArguments {
    /// Which
    #[arg(short, long, default_value = "KILL")]
    signal: String,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// Kill those that run
    #[arg(short, long)]
    force: bool,
    /// With the volumes that nobody has given a name
    #[arg(short, long)]
    volumes: bool,
    /// All
    #[arg(short, long)]
    all: bool,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required_unless_present = "all")]
    containers: Vec<String>,
}

#[derive(Args)]
pub(crate) struct RenameArguments {
    /// Name or id
    container: String,
    /// The new name
    name: String,
}

#[derive(Args)]
pub(crate) struct PruneArguments {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Does something to each, and goes on where it fails. The name is printed as it was given.
fn each(
    engine: &Engine,
    names: &[String],
    act: impl Fn(&Container) -> Result<Option<String>>,
) -> Result<()> {
    each_name(names, |name| act(&engine.find(name)?))
}

fn each_name(names: &[String], act: impl Fn(&str) -> Result<Option<String>>) -> Result<()> {
    let mut failures = Vec::new();
    for name in names {
        match act(name) {
            Ok(text) => print_line(text.as_deref().unwrap_or(name))?,
            Err(error) => failures.push(error),
        }
    }
    fail(&failures)
}

/// Those that are named, or all.
fn names(engine: &Engine, all: bool, named: &[String], running: bool) -> Result<Vec<String>> {
    if !all {
        return Ok(named.to_vec());
    }
    let mut names = Vec::new();
    // What holds the namespaces of a pod goes with that.
    for container in engine.containers()?.into_iter().filter(|it| !it.is_infra) {
        let is_meant = match engine.look(&container) {
            Err(Error::NoSuchContainer(_)) => false,
            seen => !running || seen?.status.is_running(),
        };
        if is_meant {
            names.push(container.name);
        }
    }
    Ok(names)
}

pub(crate) fn stop(context: &Context, arguments: &StopArguments) -> Result<()> {
    let engine = context.engine()?;
    let names = names(&engine, arguments.all, &arguments.containers, true)?;
    each(&engine, &names, |container| stop_one(&engine, container, arguments).map(|()| None))
}

fn stop_one(engine: &Engine, container: &Container, arguments: &StopArguments) -> Result<()> {
    let mut container = container.clone();
    if let Some(signal) = &arguments.signal {
        engine::signal(signal)?;
        container.settings.stop_signal.clone_from(signal);
    }
    Ok(engine.stop(&container, arguments.time)?)
}

pub(crate) fn restart(context: &Context, arguments: &StopArguments) -> Result<()> {
    let engine = context.engine()?;
    let names = names(&engine, arguments.all, &arguments.containers, true)?;
    each(&engine, &names, |container| {
        stop_one(&engine, container, arguments)?;
        if container.settings.auto_remove {
            bail!("{} was made with --rm, and is gone now that it was stopped", container.name);
        }
        engine.start(container, Attach::Nothing)?;
        Ok(None)
    })
}

pub(crate) fn kill(context: &Context, arguments: &KillArguments) -> Result<()> {
    let engine = context.engine()?;
    let signal = engine::signal(&arguments.signal)?;
    each(&engine, &arguments.containers, |container| {
        engine.kill(container, signal)?;
        Ok(None)
    })
}

pub(crate) fn remove(context: &Context, arguments: &RemoveArguments) -> Result<()> {
    let engine = context.engine()?;
    let mut names = names(&engine, arguments.all, &arguments.containers, false)?;
    if arguments.force {
        // As with Docker, it is no error by force if there is none.
        names.retain(|name| !matches!(engine.find(name), Err(Error::NoSuchContainer(_))));
    }
    each_name(&names, |name| {
        let container = engine.find(name);
        match container.and_then(|it| engine.remove(&it, arguments.force, arguments.volumes)) {
            // Somebody else was faster.
            Err(Error::NoSuchContainer(_)) if arguments.force => {}
            result => result?,
        }
        Ok(None)
    })
}

pub(crate) fn pause(context: &Context, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    each(&engine, &names.containers, |container| Ok(engine.pause(container).map(|()| None)?))
}

pub(crate) fn unpause(context: &Context, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    each(&engine, &names.containers, |container| Ok(engine.unpause(container).map(|()| None)?))
}

pub(crate) fn wait(context: &Context, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    each(&engine, &names.containers, |container| Ok(Some(engine.wait(container)?.to_string())))
}

pub(crate) fn rename(context: &Context, arguments: &RenameArguments) -> Result<()> {
    let engine = context.engine()?;
    Ok(engine.rename(&engine.find(&arguments.container)?, &arguments.name)?)
}

pub(crate) fn prune(context: &Context, arguments: &PruneArguments) -> Result<()> {
    confirm(arguments.force, "This removes all containers that do not run.")?;
    let (removed, failures) = remove_ended(&context.engine()?)?;
    removed.iter().try_for_each(|id| print_line(id))?;
    fail(&failures)
}

/// Removes all containers that do not run, and says which those were, and what failed.
pub(crate) fn remove_ended(engine: &Engine) -> Result<(Vec<String>, Vec<anyhow::Error>)> {
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for container in engine.containers()?.into_iter().filter(|it| !it.is_infra) {
        match engine.look(&container) {
            Ok(seen) if seen.status.is_over() => {}
            // It runs, or was removed meanwhile.
            Ok(_) | Err(Error::NoSuchContainer(_)) => continue,
            Err(error) => return Err(error.into()),
        }
        match engine.remove(&container, false, false) {
            Ok(()) => removed.push(container.id),
            // It was started or removed meanwhile.
            Err(Error::WrongStatus { .. } | Error::NoSuchContainer(_)) => {}
            Err(error) => failures.push(error.into()),
        }
    }
    // What was left of those whose making or removal was killed.
    removed.extend(engine.sweep()?);
    Ok((removed, failures))
}
