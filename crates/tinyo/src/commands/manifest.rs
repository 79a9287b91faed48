//! `tinyo manifest inspect`.

use crate::context::{Context, NetworkOptions};
use crate::show::{Screen, print_line};
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print what a registry has under a name, byte for byte
    Inspect {
        /// The image
        image: String,
        #[command(flatten)]
        network: NetworkOptions,
    },
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let Action::Inspect { image, network } = &arguments.action;
    let registries = context.registries(network)?;
    let names = context.candidates(image)?;
    let name = names.first().context("no name")?;
    let screen = Screen::new(false);
    let on_wait = |error: &_, time| screen.wait(error, time);
    let remote = registries.remote(name.repository(), &on_wait)?;
    let manifest = match name.digest() {
        Some(digest) => remote.manifest_by_digest(digest)?,
        None => remote.manifest_by_tag(name.tag().unwrap_or("latest"))?,
    };
    print_line(&String::from_utf8_lossy(&manifest.bytes))
}
