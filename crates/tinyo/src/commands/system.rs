//! `tinyo system`: the store as a whole.

use super::filter::{Filter, Filters};
use super::{Format, check, df};
use crate::context::Context;
use crate::rootless;
use crate::show::{bytes, print_line};
use crate::terminal::ask;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use image::store::{Image, Removed, Store};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// How much room things take
    Df(df::Arguments),
    /// Whether all is what it should be, and making it so
    Check(check::Arguments),
    /// Remove what is not needed
    Prune(PruneArguments),
    /// Remove everything
    Reset(ResetArguments),
    /// Free what was removed
    #[command(hide = true)]
    EmptyTrash,
    /// Map the ids of a process's user namespace
    #[command(hide = true)]
    MapIds {
        /// The process
        process: i32,
    },
}

impl Command {
    pub(super) fn needs_store(&self) -> bool {
        !matches!(self, Command::MapIds { .. })
    }

    pub(super) fn leaves_trash(&self) -> bool {
        matches!(self, Command::Check(_) | Command::Prune(_) | Command::Reset(_))
    }
}

pub(crate) fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::Df(arguments) => df::run(context, arguments),
        Command::Check(arguments) => check::run(context, arguments),
        Command::Prune(arguments) => prune(context, arguments),
        Command::Reset(arguments) => reset(context, arguments),
        Command::EmptyTrash => Ok(context.store()?.empty_trash()?),
        Command::MapIds { process } => rootless::map_ids(*process),
    }
}

#[derive(Args)]
pub(crate) struct PruneArguments {
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

/// Also `tinyo image prune`.
pub(super) fn prune(context: &Context, arguments: &PruneArguments) -> Result<()> {
    let what = if arguments.all {
        "all images that no container uses"
    } else {
        "all images without a name"
    };
    confirm(arguments.force, &format!("This removes {what}, and what broke off."))?;
    let store = context.store()?;
    let filters = Filters::new(context, &store, &arguments.filter)?;
    let mut removed = Removed::default();
    for image in store.images()? {
        let is_meant = image.users.is_empty() && (arguments.all || image.names.is_empty());
        if is_meant && filters.fit(&store, &image)? {
            match store.remove_image(&image, true) {
                Ok(more) => removed.and(more),
                // A container began to use it, or somebody else was faster.
                Err(image::store::Error::InUse { .. } | image::store::Error::NoSuchImage(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if arguments.filter.is_empty() {
        removed.and(store.remove_unused()?);
        store.remove_leftovers()?;
    }
    if arguments.format == Format::Json {
        let images: Vec<_> = removed.images.iter().map(ToString::to_string).collect();
        let value = serde_json::json!({"Deleted": images, "SpaceReclaimed": removed.bytes});
        return print_line(&value.to_string());
    }
    removed.images.iter().try_for_each(|id| print_line(&format!("Deleted: {id}")))?;
    print_line(&format!("Total reclaimed space: {}", bytes(removed.bytes)))
}

#[derive(Args)]
pub(crate) struct ResetArguments {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

fn reset(context: &Context, arguments: &ResetArguments) -> Result<()> {
    confirm(arguments.force, "This removes all images.")?;
    let store = context.store()?;
    let images = store.images()?;
    let in_use: Vec<_> = images.iter().flat_map(|image| image.users.clone()).collect();
    if !in_use.is_empty() {
        bail!("images are used by {}; remove these first", in_use.join(" "));
    }
    remove_all(&store, &images)
}

fn remove_all(store: &Store, images: &[Image]) -> Result<()> {
    for image in images {
        store.remove_image(image, true)?;
    }
    store.remove_unused()?;
    store.remove_leftovers()?;
    Ok(())
}

pub(super) fn confirm(force: bool, text: &str) -> Result<()> {
    if force {
        return Ok(());
    }
    let answer = ask(&format!("{text} Go on? [y/N]"))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was removed") }
}
