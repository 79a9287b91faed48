//! What `docker compose` does with the containers of services, and is done here with theirs.

use super::file::ProjectOptions;
use super::up::wait_for_turn;
use crate::commands::container::{self, top};
use crate::commands::{fail, port};
use crate::context::Context;
use crate::show::{Screen, bytes, print_line, print_table};
use anyhow::{Result, bail};
use clap::Args;
use engine::{Engine, Status};
use project::Found;

#[derive(Args)]
pub(super) struct Names {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

// How long they may take to end; no doc comment, which clap would show as what the command does.
#[derive(Args)]
pub(super) struct Patience {
    /// Seconds until containers are killed; -1: never
    #[arg(
        short,
        long,
        visible_alias = "time",
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    pub(super) timeout: Option<i64>,
}

#[derive(Args)]
pub(super) struct Ending {
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    names: Names,
}

#[derive(Args)]
pub(super) struct Killing {
    /// Which signal
    #[arg(short, long, default_value = "KILL")]
    signal: String,
    #[command(flatten)]
    names: Names,
}

#[derive(Args)]
pub(super) struct Removal {
    /// There is no question to be answered
    #[arg(short, long)]
    force: bool,
    /// Stop them first
    #[arg(short, long)]
    stop: bool,
    /// Their volumes without a name as well
    #[arg(short, long)]
    volumes: bool,
    #[command(flatten)]
    names: Names,
}

#[derive(Args)]
pub(super) struct PortArguments {
    /// The name of a service
    service: String,
    /// Only where this one is reached, PORT[/PROTOCOL]
    port: Option<String>,
}

/// The containers of services, the newest first; of all where none is named.
pub(super) fn of(engine: &Engine, project: &str, services: &[String]) -> Result<Vec<Found>> {
    let mut found = project::found(engine, project)?;
    found.retain(|it| !it.is_one_off());
    let is_there = |service: &&String| found.iter().any(|it| it.service() == **service);
    if let Some(service) = services.iter().find(|it| !is_there(it)) {
        bail!("project {project} has no container of a service {service}");
    }
    if !services.is_empty() {
        found.retain(|it| services.iter().any(|service| service == it.service()));
    }
    Ok(found)
}

/// The container of one service.
pub(super) fn one(context: &Context, of: &ProjectOptions, service: &str) -> Result<Found> {
    let mut found = self::of(&context.engine()?, &of.name()?, &[service.to_owned()])?;
    Ok(found.swap_remove(0))
}

/// Does something while nobody else changes the project, and prints whose containers it was.
fn change(
    context: &Context,
    of: &ProjectOptions,
    names: &Names,
    act: impl FnOnce(&Engine, &[Found]) -> Result<()>,
) -> Result<()> {
    let (name, engine) = (of.name()?, context.engine()?);
    let _turn = wait_for_turn(&engine, &name, &Screen::new(false))?;
    let found = self::of(&engine, &name, &names.services)?;
    act(&engine, &found)?;
    found.iter().rev().try_for_each(|it| print_line(&it.container.name))
}

/// The same with each of those containers to which it applies. What fails does not keep the others
/// from it.
fn each(
    context: &Context,
    of: &ProjectOptions,
    names: &Names,
    applies: fn(Status) -> bool,
    act: impl Fn(&Engine, &Found) -> engine::Result<()>,
) -> Result<()> {
    let (name, engine) = (of.name()?, context.engine()?);
    let _turn = wait_for_turn(&engine, &name, &Screen::new(false))?;
    let mut failures = Vec::new();
    for it in self::of(&engine, &name, &names.services)?.iter().filter(|it| applies(it.status)) {
        match act(&engine, it) {
            Ok(()) => print_line(&it.container.name)?,
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures)
}

pub(super) fn start(context: &Context, of: &ProjectOptions, names: &Names) -> Result<()> {
    change(context, of, names, |engine, found| {
        if found.is_empty() {
            bail!("there are no containers of services: `tinyo up -d` makes and starts them");
        }
        Ok(project::start(engine, found)?)
    })
}

pub(super) fn stop(context: &Context, of: &ProjectOptions, how: &Ending) -> Result<()> {
    change(context, of, &how.names, |engine, found| {
        Ok(project::stop(engine, found, how.patience.timeout)?)
    })
}

pub(super) fn restart(context: &Context, of: &ProjectOptions, how: &Ending) -> Result<()> {
    change(context, of, &how.names, |engine, found| {
        project::stop(engine, found, how.patience.timeout)?;
        Ok(project::start(engine, found)?)
    })
}

pub(super) fn kill(context: &Context, of: &ProjectOptions, how: &Killing) -> Result<()> {
    let signal = engine::signal(&how.signal)?;
    each(context, of, &how.names, Status::is_running, |engine, it| {
        engine.kill(&it.container, signal)
    })
}

pub(super) fn pause(context: &Context, of: &ProjectOptions, names: &Names) -> Result<()> {
    let runs = |status| status == Status::Running;
    each(context, of, names, runs, |engine, it| engine.pause(&it.container))
}

pub(super) fn unpause(context: &Context, of: &ProjectOptions, names: &Names) -> Result<()> {
    let is_paused = |status| status == Status::Paused;
    each(context, of, names, is_paused, |engine, it| engine.unpause(&it.container))
}

pub(super) fn remove(context: &Context, of: &ProjectOptions, how: &Removal) -> Result<()> {
    let question = "This removes the containers of services that do not run.";
    crate::commands::system::confirm(how.force, question)?;
    if how.stop {
        let engine = context.engine()?;
        project::stop(&engine, &self::of(&engine, &of.name()?, &how.names.services)?, None)?;
    }
    each(context, of, &how.names, Status::is_over, |engine, it| {
        engine.remove(&it.container, false, how.volumes)
    })
}

pub(super) fn top(context: &Context, of: &ProjectOptions, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    let found = self::of(&engine, &of.name()?, &names.services)?;
    for Found { container, .. } in found.iter().rev().filter(|it| it.status.is_running()) {
        print_line(&container.name)?;
        let ids = &container.settings.namespaces.ids;
        let processes = engine.processes(container)?.into_iter();
        let rows: Vec<_> = processes.filter_map(|pid| top::process(pid, ids)).collect();
        print_table(&top::PROCESS_HEADINGS, &rows)?;
    }
    Ok(())
}

pub(super) fn images(context: &Context, of: &ProjectOptions, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    let mut rows = Vec::new();
    for Found { container, .. } in self::of(&engine, &of.name()?, &names.services)?.iter().rev() {
        let image = container.manifest.as_ref().map(|it| engine.store().image(it)).transpose()?;
        let size = image.map(|it| bytes(it.bytes())).unwrap_or_default();
        let id = container::image_id(&engine, container)?.unwrap_or_default();
        let id = id.trim_start_matches("sha256:").chars().take(12).collect();
        rows.push(vec![container.name.clone(), container.settings.image.clone(), id, size]);
    }
    print_table(&["CONTAINER", "IMAGE", "IMAGE ID", "SIZE"], &rows)
}

pub(super) fn port(context: &Context, of: &ProjectOptions, which: &PortArguments) -> Result<()> {
    let found = one(context, of, &which.service)?;
    port::print(&context.engine()?, &found.container, which.port.as_deref())
}
