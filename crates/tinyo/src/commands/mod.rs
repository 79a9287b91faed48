//! The commands, a file each.

mod about;
mod check;
mod complete;
mod completion;
mod compose;
mod container;
mod df;
mod doctor;
mod filter;
mod glance;
mod healthcheck;
mod history;
mod image;
mod images;
mod import;
mod inspect;
mod late;
mod load;
mod login;
mod logout;
mod manifest;
mod network;
mod pod;
mod port;
mod prune;
mod pull;
mod push;
mod rmi;
mod save;
mod search;
mod secret;
mod service;
mod system;
mod tag;
mod wanted;

use crate::advice::{Told, advice};
use crate::context::Context;
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use late::Late;
pub(crate) use save::Unread;
use std::process::ExitCode;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Container(container::Command),
    /// The commands about containers, and to remove those that have ended
    #[command(name = "container", subcommand)]
    Containers(Late<container::Group>),
    /// Run what a state.yaml says, and what has changed of it anew
    Up(Late<compose::UpArguments>),
    /// Stop and remove what `up` has made
    Down(Late<compose::DownArguments>),
    /// The commands about the services of a state.yaml
    Compose(Late<compose::Group>),
    /// Say which version this is
    Version(Late<about::Arguments>),
    /// Say how many containers and images there are, and on what
    Info(Late<about::Arguments>),
    /// Say what this machine can do, and what helps where it cannot
    Doctor(Late<about::Arguments>),
    /// Check whether containers are healthy
    #[command(subcommand)]
    Healthcheck(Late<healthcheck::Command>),
    /// Look after volumes
    #[command(subcommand)]
    Volume(Late<container::volume::Command>),
    /// Look after secrets
    #[command(subcommand)]
    Secret(Late<secret::Command>),
    /// The commands about images, under the names that they have in Docker and Podman
    #[command(subcommand)]
    Image(Late<image::Group>),
    /// Get images from registries
    Pull(Late<pull::Arguments>),
    /// Send images to registries
    Push(Late<push::Arguments>),
    /// List images
    Images(Late<images::Arguments>),
    /// Remove images
    Rmi(Late<rmi::Arguments>),
    /// Give an image another name
    Tag(Late<tag::TagArguments>),
    /// Take names from an image, which stays
    Untag(Late<tag::UntagArguments>),
    /// Show all that is known of containers, images, volumes, networks and pods, in JSON
    Inspect(Late<inspect::Arguments>),
    /// Show how an image came to be
    History(Late<history::Arguments>),
    /// Write images into an archive
    Save(Late<save::Arguments>),
    /// Take images from an archive
    Load(Late<load::Arguments>),
    /// Make an image of a root file system in a tar file
    Import(Late<import::ImportArguments>),
    /// Write the files of a container or an image into a tar file
    Export(Late<import::ExportArguments>),
    /// Remove images that are not needed
    Prune(Late<prune::ImageArguments>),
    /// Look after the store
    #[command(subcommand)]
    System(Late<system::Command>),
    /// Look after networks
    #[command(subcommand)]
    Network(Late<network::Command>),
    /// Look after pods: containers that share a network and more
    #[command(subcommand)]
    Pod(Late<pod::Command>),
    /// Print where the published ports of a container are reached
    Port(Late<port::Arguments>),
    /// Say to a registry who you are, and remember it
    Login(Late<login::Arguments>),
    /// Forget who you are to a registry
    Logout(Late<logout::Arguments>),
    /// Look for images in a registry
    Search(Late<search::Arguments>),
    /// Look at manifests in registries
    Manifest(Late<manifest::Arguments>),
    /// Print what a shell needs to complete commands
    Completion(Late<completion::Arguments>),
    /// Say what may stand at the cursor
    #[command(hide = true)]
    Complete(Late<complete::Arguments>),
    /// Write the man pages
    #[command(hide = true)]
    Manual(Late<completion::ManualArguments>),
}

/// One error of all that went wrong, a line each.
fn fail(failures: &[anyhow::Error]) -> Result<()> {
    fail_with(failures, None)
}

/// The same, with an exit code of its own.
fn fail_with(failures: &[anyhow::Error], code: Option<u8>) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = failures.iter().map(crate::one_line).collect();
    let hint = failures.iter().find_map(advice);
    Err(Told { text: lines.join("\ntinyo: "), hint, code }.into())
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
    /// Whether it does anything with images that are kept here.
    pub(crate) fn needs_store(&self) -> bool {
        match self {
            Command::Login(_) | Command::Logout(_) | Command::Search(_) | Command::Manifest(_) => {
                false
            }
            Command::Completion(_) | Command::Complete(_) | Command::Manual(_) => false,
            Command::System(command) => command.needs_store(),
            _ => true,
        }
    }

    /// Whether it may throw away what then is to be freed.
    pub(crate) fn leaves_trash(&self) -> bool {
        match self {
            Command::Pull(_)
            | Command::Rmi(_)
            | Command::Load(_)
            | Command::Import(_)
            | Command::Prune(_) => true,
            Command::Image(group) => group.leaves_trash(),
            Command::System(command) => command.leaves_trash(),
            _ => false,
        }
    }

    /// Does it, and says with which exit code it ends.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let done = match self {
            Command::Container(command) => return command.run(context),
            Command::Containers(group) => return group.into_inner().run(context),
            Command::Up(arguments) => return compose::up(context, &arguments),
            Command::Down(arguments) => compose::down(context, &arguments),
            Command::Compose(group) => return group.into_inner().run(context),
            Command::Version(arguments) => about::version(&arguments),
            Command::Info(arguments) => about::info(context, &arguments),
            Command::Doctor(arguments) => doctor::doctor(context, &arguments),
            Command::Healthcheck(command) => return healthcheck::run(context, &command),
            Command::Volume(command) => return container::volume::run(context, &command),
            Command::Secret(command) => return secret::run(context, &command),
            Command::Image(group) => return group.run(context),
            Command::Pull(arguments) => pull::run(context, &arguments),
            Command::Push(arguments) => push::run(context, &arguments),
            Command::Images(arguments) => images::run(context, &arguments),
            Command::Rmi(arguments) => rmi::run(context, &arguments),
            Command::Tag(arguments) => tag::tag(context, &arguments),
            Command::Untag(arguments) => tag::untag(context, &arguments),
            Command::Inspect(arguments) => inspect::run(context, &arguments),
            Command::History(arguments) => history::run(context, &arguments),
            Command::Save(arguments) => save::run(context, &arguments),
            Command::Load(arguments) => load::run(context, &arguments),
            Command::Import(arguments) => import::import(context, &arguments),
            Command::Export(arguments) => import::export(context, &arguments),
            Command::Prune(arguments) => prune::images(context, &arguments),
            Command::System(command) => system::run(context, &command),
            Command::Pod(command) => return pod::run(context, &command),
            Command::Network(command) => return network::run(context, &command),
            Command::Port(arguments) => port::run(context, &arguments),
            Command::Login(arguments) => login::run(context, &arguments),
            Command::Logout(arguments) => logout::run(context, &arguments),
            Command::Search(arguments) => search::run(context, &arguments),
            Command::Manifest(arguments) => manifest::run(context, &arguments),
            Command::Completion(arguments) => completion::run(&arguments),
            Command::Complete(arguments) => complete::run(context, &arguments),
            Command::Manual(arguments) => completion::manual(&arguments),
        };
        done.map(|()| ExitCode::SUCCESS)
    }

    /// The exit code where the command itself has failed.
    pub(crate) fn failure(&self) -> u8 {
        match self {
            Command::Container(command) => command.failure(),
            Command::Containers(group) => group.failure(),
            // As Podman has it.
            Command::Pod(_) | Command::Secret(_) | Command::Healthcheck(_) => 125,
            _ => 1,
        }
    }
}
