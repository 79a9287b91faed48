//! `stop`, `restart`, `kill`, `rm`, `pause`, `unpause`, `wait`, `rename`.

use super::chosen::{self, ANY, Chosen, RUNNING, Scope};
use super::parse;
use crate::commands::fail;
use crate::commands::system::confirm;
use crate::commands::wanted::{self, Filter};
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Result, bail};
use clap::Args;
use engine::{Attach, Container, Engine, Error, Status};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Names {
    /// All that run
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Args)]
pub(crate) struct WaitArguments {
    /// Until it is in one of these states, instead of having ended: created, running, paused,
    /// exited, stopped, healthy, unhealthy
    #[arg(long, value_name = "STATE", value_parser = CONDITIONS)]
    condition: Vec<String>,
    /// How long to wait between two looks at a state of --condition, such as 250ms, or in
    /// milliseconds; an end is noticed at once
    #[arg(short, long, value_name = "TIME", value_parser = interval)]
    interval: Option<Duration>,
    /// It is no error if there is no such container: then -1 is printed
    #[arg(long)]
    ignore: bool,
    /// The newest one
    #[arg(short, long)]
    latest: bool,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required_unless_present = "latest", conflicts_with = "latest")]
    containers: Vec<String>,
}

fn interval(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_millis).or_else(|_| parse::duration(text))
}

/// What can be waited for; `stopped` is Podman's word for `exited`, and the last ones are Docker's.
const CONDITIONS: [&str; 9] = [
    "created",
    "running",
    "paused",
    "exited",
    "stopped",
    "healthy",
    "unhealthy",
    "not-running",
    "removed",
];

// How they are stopped; no doc comment, which clap would show as what the command does.
#[derive(Args)]
struct Ending {
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
}

#[derive(Args)]
pub(crate) struct StopArguments {
    #[command(flatten)]
    ending: Ending,
    /// All that run
    #[arg(short, long)]
    all: bool,
    /// It is no error if there is no such container
    #[arg(short, long)]
    ignore: bool,
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Args)]
#[command(mut_arg("containers", |names| {
    names.required_unless_present_any(["all", "running", "filter", "latest", "cidfile"])
}))]
pub(crate) struct RestartArguments {
    #[command(flatten)]
    ending: Ending,
    /// All, whatever they do
    #[arg(short, long)]
    all: bool,
    /// Only those that run; without names, of all
    #[arg(long)]
    running: bool,
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Args)]
pub(crate) struct KillArguments {
    /// Which
    #[arg(short, long, default_value = "KILL")]
    signal: String,
    /// All that run
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// Kill those that run; it is no error if there is no such container
    #[arg(short, long)]
    force: bool,
    /// It is no error if there is no such container
    #[arg(short, long)]
    ignore: bool,
    /// Seconds that those that run have to end, before they are killed; with --force
    #[arg(short, long, value_name = "SECONDS", requires = "force", allow_negative_numbers = true)]
    time: Option<i64>,
    /// With the volumes that nobody has given a name
    #[arg(short, long)]
    volumes: bool,
    /// All
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    chosen: Chosen,
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
    /// Only those that fit: until=TIME label=NAME[=VALUE] label!=NAME[=VALUE]
    #[arg(long, value_name = "FILTER", value_parser = wanted::one_of(wanted::OLD_OR_LABELLED))]
    filter: Vec<Filter>,
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

pub(crate) fn stop(context: &Context, arguments: &StopArguments) -> Result<()> {
    let engine = context.engine()?;
    let StopArguments { ending, all, ignore, chosen } = arguments;
    let names = chosen.names_but(&engine, *all, RUNNING, *ignore)?;
    each(&engine, &names, |container| ending.stop(&engine, container).map(|()| None))
}

impl Ending {
    fn stop(&self, engine: &Engine, container: &Container) -> Result<()> {
        let mut container = container.clone();
        if let Some(signal) = &self.signal {
            engine::signal(signal)?;
            signal.clone_into(&mut container.settings.stop_signal);
        }
        Ok(engine.stop(&container, self.time)?)
    }
}

pub(crate) fn restart(context: &Context, arguments: &RestartArguments) -> Result<()> {
    let engine = context.engine()?;
    let RestartArguments { ending, all, running, chosen } = arguments;
    let mut names = chosen.names(&engine, *all, if *running { RUNNING } else { ANY })?;
    if *running {
        names.retain(|name| is(&engine, name, RUNNING));
    }
    each(&engine, &names, |container| {
        ending.stop(&engine, container)?;
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
    let names = arguments.chosen.names(&engine, arguments.all, RUNNING)?;
    each(&engine, &names, |container| {
        engine.kill(container, signal)?;
        Ok(None)
    })
}

pub(crate) fn remove(context: &Context, arguments: &RemoveArguments) -> Result<()> {
    let engine = context.engine()?;
    let is_lenient = arguments.force || arguments.ignore;
    let names = arguments.chosen.names_but(&engine, arguments.all, ANY, is_lenient)?;
    each_name(&names, |name| {
        let remove = |container: &Container| {
            if let Some(time) = arguments.time {
                engine.stop(container, Some(time))?;
            }
            engine.remove(container, arguments.force, arguments.volumes)
        };
        match engine.find(name).and_then(|container| remove(&container)) {
            // Somebody else was faster, or it was made with --rm.
            Err(Error::NoSuchContainer(_)) if is_lenient => {}
            result => result?,
        }
        Ok(None)
    })
}

pub(crate) fn pause(context: &Context, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    let all = names.chosen.names(&engine, names.all, |status| status == Status::Running)?;
    each(&engine, &all, |container| Ok(engine.pause(container).map(|()| None)?))
}

pub(crate) fn unpause(context: &Context, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    let all = names.chosen.names(&engine, names.all, |status| status == Status::Paused)?;
    each(&engine, &all, |container| Ok(engine.unpause(container).map(|()| None)?))
}

/// Whether there is a container of this name, and it does this.
fn is(engine: &Engine, name: &str, scope: Scope) -> bool {
    let seen = engine.find(name).and_then(|container| engine.look(&container));
    seen.is_ok_and(|seen| scope(seen.status))
}

pub(crate) fn wait(context: &Context, arguments: &WaitArguments) -> Result<()> {
    let engine = context.engine()?;
    let is_end = |state: &String| matches!(state.as_str(), "exited" | "stopped" | "not-running");
    let names = if arguments.latest {
        vec![chosen::newest(&engine)?.name]
    } else {
        arguments.containers.clone()
    };
    each_name(&names, |name| {
        let container = match engine.find(name) {
            Err(Error::NoSuchContainer(_)) if arguments.ignore => return Ok(Some("-1".to_owned())),
            found => found?,
        };
        let code = if arguments.condition.iter().all(is_end) {
            i32::from(engine.wait(&container)?)
        } else {
            let pace = arguments.interval.unwrap_or(super::logs::PACE);
            until(&engine, &container, &arguments.condition, pace)?
        };
        Ok(Some(code.to_string()))
    })
}

/// Waits until it is in one of these states; its exit code, or -1 while it has none.
fn until(
    engine: &Engine,
    container: &Container,
    conditions: &[String],
    pace: Duration,
) -> Result<i32> {
    loop {
        let seen = match engine.look(container) {
            Err(Error::NoSuchContainer(_)) => return Ok(0),
            seen => seen?,
        };
        let health = seen.state.health.map_or("", |(health, _)| health.name());
        let is_it = |condition: &String| match condition.as_str() {
            "stopped" | "exited" | "not-running" => seen.status == Status::Exited,
            word => word == seen.status.name() || word == health,
        };
        if conditions.iter().any(is_it) {
            let has_ended = seen.status == Status::Exited;
            return Ok(if has_ended { i32::from(seen.state.exit_code) } else { -1 });
        }
        sleep(pace);
    }
}

pub(crate) fn exists(context: &Context, name: &str) -> Result<ExitCode> {
    match context.engine()?.find(name) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(Error::NoSuchContainer(_)) => Ok(ExitCode::FAILURE),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn rename(context: &Context, arguments: &RenameArguments) -> Result<()> {
    let engine = context.engine()?;
    Ok(engine.rename(&engine.find(&arguments.container)?, &arguments.name)?)
}

pub(crate) fn prune(context: &Context, arguments: &PruneArguments) -> Result<()> {
    confirm(arguments.force, "This removes all containers that do not run.")?;
    let (removed, failures) = remove_ended(&context.engine()?, &arguments.filter)?;
    removed.iter().try_for_each(|id| print_line(id))?;
    fail(&failures)
}

/// Removes all containers that do not run, and says which those were, and what failed.
pub(crate) fn remove_ended(
    engine: &Engine,
    filters: &[Filter],
) -> Result<(Vec<String>, Vec<anyhow::Error>)> {
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for container in engine.containers()?.into_iter().filter(|it| !it.is_infra) {
        if !wanted::is_prunable(filters, container.created, &container.settings.labels)? {
            continue;
        }
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
