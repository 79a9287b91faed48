//! `tinyo image ...`: the commands about images, grouped and named as Docker and Podman do it.

use super::late::Late;
use super::{history, images, import, inspect, load, prune, pull, push, rmi, save, tag};
use crate::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Group {
    /// List images
    #[command(alias = "list")]
    Ls(Late<images::Arguments>),
    /// Remove images
    #[command(alias = "remove")]
    Rm(Late<rmi::Arguments>),
    /// Remove images that are not needed
    Prune(Late<prune::ImageArguments>),
    /// Get images from registries
    Pull(Late<pull::Arguments>),
    /// Send images to registries
    Push(Late<push::Arguments>),
    /// Give an image another name
    Tag(Late<tag::TagArguments>),
    /// Take names from an image, which stays
    Untag(Late<tag::UntagArguments>),
    /// Show all that is known of images, in JSON
    Inspect(Late<inspect::ImageArguments>),
    /// Show how an image came to be
    History(Late<history::Arguments>),
    /// Write images into an archive
    Save(Late<save::Arguments>),
    /// Take images from an archive
    Load(Late<load::Arguments>),
    /// Make an image of a root file system in a tar file
    Import(Late<import::ImportArguments>),
    /// Say by the exit code whether there is an image: 0, or 1
    Exists(Late<ExistsArguments>),
}

#[derive(Args)]
pub(crate) struct ExistsArguments {
    /// Name or id of an image
    image: String,
}

impl Group {
    pub(crate) fn run(&self, context: &Context) -> Result<ExitCode> {
        let done = match self {
            Group::Ls(arguments) => images::run(context, arguments),
            Group::Rm(arguments) => rmi::run(context, arguments),
            Group::Prune(arguments) => prune::images(context, arguments),
            Group::Pull(arguments) => pull::run(context, arguments),
            Group::Push(arguments) => push::run(context, arguments),
            Group::Tag(arguments) => tag::tag(context, arguments),
            Group::Untag(arguments) => tag::untag(context, arguments),
            Group::Inspect(arguments) => inspect::images(context, arguments),
            Group::History(arguments) => history::run(context, arguments),
            Group::Save(arguments) => save::run(context, arguments),
            Group::Load(arguments) => load::run(context, arguments),
            Group::Import(arguments) => import::import(context, arguments),
            Group::Exists(arguments) => return exists(context, &arguments.image),
        };
        done.map(|()| ExitCode::SUCCESS)
    }

    /// Whether it may throw away what then is to be freed.
    pub(crate) fn leaves_trash(&self) -> bool {
        matches!(
            self,
            Group::Rm(_) | Group::Prune(_) | Group::Pull(_) | Group::Load(_) | Group::Import(_)
        )
    }
}

fn exists(context: &Context, name: &str) -> Result<ExitCode> {
    let store = context.store()?;
    Ok(if context.find_image(&store, name).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
