//! `tinyo prune` for images, and `tinyo system prune` for everything.

use super::container::{remove_ended, volume};
use super::filter::{Filter, Filters};
use super::rmi::told;
use super::system::confirm;
use super::{Format, fail, network};
use crate::context::Context;
use crate::show::{bytes, print_line};
use anyhow::Result;
use clap::Args;
use engine::Engine;
use image::store::{Removed, Store};

#[derive(Args)]
pub(crate) struct ImageArguments {
    /// All images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only some: until=24h, label=NAME[=VALUE]
    #[arg(long, value_name = "FILTER")]
    filter: Vec<Filter>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// All images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Volumes that no container uses and nobody has given a name, too
    #[arg(long)]
    volumes: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only some images, and nothing else: until=24h, label=NAME[=VALUE]
    #[arg(long, value_name = "FILTER")]
    filter: Vec<Filter>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn images(context: &Context, arguments: &ImageArguments) -> Result<()> {
    let what = images_text(arguments.all);
    confirm(arguments.force, &format!("This removes {what}, and what broke off."))?;
    let store = context.store()?;
    let removed = remove_images(context, &store, arguments.all, &arguments.filter)?;
    print(arguments.format, removed.bytes, &[("Deleted", ids(&removed))])
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let mut what = Vec::new();
    if arguments.filter.is_empty() {
        what.push("all containers that do not run, all networks that no container is connected to");
        what.extend(arguments.volumes.then_some("all volumes without a name that nobody uses"));
    }
    what.push(images_text(arguments.all));
    confirm(arguments.force, &format!("This removes {}, and what broke off.", what.join(", ")))?;
    let engine = context.engine()?;
    let before = room(&engine)?;
    let (mut containers, mut networks, mut volumes) = (Vec::new(), Vec::new(), Vec::new());
    let mut failures = Vec::new();
    if arguments.filter.is_empty() {
        (containers, failures) = remove_ended(&engine, &[])?;
        networks = network::remove_unused(&engine, &[])?;
        if arguments.volumes {
            volumes = volume::remove_unused(&engine, false, &[])?;
        }
    }
    let freed = before.saturating_sub(room(&engine)?);
    let images = remove_images(context, engine.store(), arguments.all, &arguments.filter)?;
    let parts = [
        ("Deleted", ids(&images)),
        ("Containers", containers),
        ("Networks", networks),
        ("Volumes", volumes),
    ];
    print(arguments.format, images.bytes + freed, &parts)?;
    fail(&failures)
}

fn images_text(all: bool) -> &'static str {
    if all { "all images that no container uses" } else { "all images without a name" }
}

fn room(engine: &Engine) -> Result<u64> {
    Ok(engine.room_of_containers()?.bytes + engine.room_of_volumes()?.bytes)
}

fn ids(removed: &Removed) -> Vec<String> {
    removed.images.iter().map(ToString::to_string).collect()
}

fn remove_images(
    context: &Context,
    store: &Store,
    all: bool,
    filters: &[Filter],
) -> Result<Removed> {
    let fitting = Filters::new(context, store, filters)?;
    let mut removed = Removed::default();
    for image in store.images()? {
        let is_meant = image.users.is_empty() && (all || image.names.is_empty());
        if is_meant && fitting.fit(store, &image)? {
            match store.remove_image(&image, true) {
                Ok(more) => removed.and(told(context, &image, more)?),
                // A container began to use it, or somebody else was faster.
                Err(image::store::Error::InUse { .. } | image::store::Error::NoSuchImage(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if filters.is_empty() {
        removed.and(store.remove_unused()?);
        store.remove_leftovers()?;
    }
    Ok(removed)
}

/// Images are what is meant where nothing else is said.
fn print(format: Format, bytes_freed: u64, parts: &[(&str, Vec<String>)]) -> Result<()> {
    if format == Format::Json {
        let mut value = serde_json::json!({"SpaceReclaimed": bytes_freed});
        for (name, ids) in parts {
            value[*name] = serde_json::json!(ids);
        }
        return print_line(&value.to_string());
    }
    for (name, ids) in parts {
        let name = if *name == "Deleted" { "Deleted" } else { name.trim_end_matches('s') };
        ids.iter().try_for_each(|id| print_line(&format!("{name}: {id}")))?;
    }
    print_line(&format!("Total reclaimed space: {}", bytes(bytes_freed)))
}
