//! `tinyo mount` and `tinyo unmount`.

use super::chosen::newest;
use crate::commands::{Format, fail};
use crate::context::Context;
use crate::show::{print_line, print_rows};
use anyhow::Result;
use clap::Args;
use engine::{Container, Engine};
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct MountArguments {
    /// All containers
    #[arg(short, long, conflicts_with_all = ["latest", "containers"])]
    all: bool,
    /// The newest one
    #[arg(short, long, conflicts_with = "containers")]
    latest: bool,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
    /// How to print which are mounted
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Names or ids; without any, those that are mounted are listed
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

#[derive(Args)]
pub(crate) struct UnmountArguments {
    /// All containers whose files are mounted
    #[arg(short, long, conflicts_with_all = ["latest", "containers"])]
    all: bool,
    /// Even if somebody uses the files, who goes on seeing them
    #[arg(short, long)]
    force: bool,
    /// The newest one
    #[arg(short, long, conflicts_with = "containers")]
    latest: bool,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required_unless_present_any = ["all", "latest"])]
    containers: Vec<String>,
}

fn chosen(engine: &Engine, all: bool, latest: bool, names: &[String]) -> Result<Vec<Container>> {
    if latest {
        return Ok(vec![newest(engine)?]);
    }
    if all {
        return Ok(engine.containers()?.into_iter().filter(|it| !it.is_infra).collect());
    }
    Ok(names.iter().map(|name| engine.find(name)).collect::<Result<_, _>>()?)
}

pub(crate) fn mount(context: &Context, arguments: &MountArguments) -> Result<()> {
    let engine = context.engine()?;
    let MountArguments { all, latest, containers, .. } = arguments;
    if !all && !latest && containers.is_empty() {
        return list(&engine, arguments);
    }
    let mut failures = Vec::new();
    for container in chosen(&engine, *all, *latest, containers)? {
        match engine.show_files(&container) {
            Ok(path) => print_line(&path.to_string_lossy())?,
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures)
}

fn list(engine: &Engine, arguments: &MountArguments) -> Result<()> {
    let mut found: Vec<(Container, PathBuf)> = Vec::new();
    for container in engine.containers()? {
        if let Some(path) = engine.shown_files(&container)? {
            found.push((container, path));
        }
    }
    if arguments.format == Format::Json {
        let record = |(container, path): &(Container, PathBuf)| json!({ "id": container.id, "Names": [container.name], "mountpoint": path });
        let all = found.iter().map(record).collect::<serde_json::Value>();
        return print_line(&all.to_string());
    }
    let length = if arguments.no_trunc { 64 } else { 12 };
    let row = |(container, path): &(Container, PathBuf)| {
        vec![container.id[..length].to_owned(), path.to_string_lossy().into_owned()]
    };
    print_rows(&found.iter().map(row).collect::<Vec<_>>())
}

pub(crate) fn unmount(context: &Context, arguments: &UnmountArguments) -> Result<()> {
    let engine = context.engine()?;
    let UnmountArguments { all, force, latest, containers } = arguments;
    let mut failures = Vec::new();
    for container in chosen(&engine, *all, *latest, containers)? {
        match engine.hide_files(&container, *force) {
            // What is hidden already is what was asked for, as with Podman.
            Ok(was_shown) if was_shown || !all => print_line(&container.name)?,
            Ok(_) => {}
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures)
}
