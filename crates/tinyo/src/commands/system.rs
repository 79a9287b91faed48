//! `tinyo system`: everything that is kept.

use super::container::events;
use super::{about, check, df, prune, service};
use crate::context::Context;
use crate::rootless;
use crate::terminal::ask_or_read;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say how many containers and images there are, and on what
    Info(about::Arguments),
    /// Show what happens to containers
    Events(events::Arguments),
    /// How much room things take
    Df(df::Arguments),
    /// Whether all is what it should be, and making it so
    Check(check::Arguments),
    /// Remove what is not needed: containers that do not run, networks, images
    Prune(prune::Arguments),
    /// Remove everything, so that the machine is as it was before
    Reset(ResetArguments),
    /// Have containers run again when the machine starts
    #[command(subcommand)]
    Service(service::Command),
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
        match self {
            Command::MapIds { .. } => false,
            Command::Service(command) => command.needs_store(),
            _ => true,
        }
    }

    pub(super) fn leaves_trash(&self) -> bool {
        matches!(self, Command::Check(_) | Command::Prune(_))
    }
}

pub(crate) fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::Info(arguments) => about::info(context, arguments),
        Command::Events(arguments) => events::run(context, arguments),
        Command::Df(arguments) => df::run(context, arguments),
        Command::Check(arguments) => check::run(context, arguments),
        Command::Prune(arguments) => prune::run(context, arguments),
        Command::Reset(arguments) => reset(context, arguments),
        Command::Service(command) => service::run(context, command),
        Command::EmptyTrash => Ok(context.store()?.empty_trash()?),
        Command::MapIds { process } => rootless::map_ids(*process),
    }
}

#[derive(Args)]
pub(crate) struct ResetArguments {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

fn reset(context: &Context, arguments: &ResetArguments) -> Result<()> {
    let what = "all containers, volumes, networks and images, with all that is in them";
    confirm(arguments.force, &format!("This removes {what}."))?;
    let engine = context.engine()?;
    engine.remove_all()?;
    let store = engine.store();
    let images = store.images()?;
    let in_use: Vec<_> = images.iter().flat_map(|image| image.users.clone()).collect();
    if !in_use.is_empty() {
        bail!("images are used by {}; remove these first", in_use.join(" "));
    }
    for image in &images {
        store.remove_image(image, true)?;
    }
    // With the place that the trash has.
    store.empty_trash()?;
    service::forget(context)?;
    Ok(engine.forget()?)
}

pub(super) fn confirm(force: bool, text: &str) -> Result<()> {
    if force {
        return Ok(());
    }
    let answer = ask_or_read(&format!("{text} Go on? [y/N]"), "--force")?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was removed") }
}
