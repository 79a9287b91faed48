//! The commands, a file each.

mod login;
mod logout;
mod manifest;
mod pull;
mod push;
mod search;

use crate::context::Context;
use anyhow::Result;
use clap::{Subcommand, ValueEnum};

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Get images from registries
    Pull(pull::Arguments),
    /// Send images to registries
    Push(push::Arguments),
    /// Say to a registry who you are, and remember it
    Login(login::Arguments),
    /// Forget who you are to a registry
    Logout(logout::Arguments),
    /// Look for images in a registry
    Search(search::Arguments),
    /// Look at manifests in registries
    Manifest(manifest::Arguments),
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<()> {
        match self {
            Command::Pull(arguments) => pull::run(context, &arguments),
            Command::Push(arguments) => push::run(context, &arguments),
            Command::Login(arguments) => login::run(context, &arguments),
            Command::Logout(arguments) => logout::run(context, &arguments),
            Command::Search(arguments) => search::run(context, &arguments),
            Command::Manifest(arguments) => manifest::run(context, &arguments),
        }
    }
}
