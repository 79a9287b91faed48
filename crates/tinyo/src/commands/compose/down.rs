//! `tinyo down`.

use super::file::ProjectOptions;
use super::services::Patience;
use super::up::wait_for_turn;
use crate::context::Context;
use crate::show::{Screen, print_line};
use anyhow::Result;
use clap::Args;
use project::Removed;

#[derive(Args)]
pub(super) struct Options {
    /// The volumes as well, with all that is in them
    #[arg(short, long)]
    volumes: bool,
    #[command(flatten)]
    patience: Patience,
}

pub(super) fn run(context: &Context, of: &ProjectOptions, options: &Options) -> Result<()> {
    let name = of.name()?;
    let engine = context.engine()?;
    let _turn = wait_for_turn(&engine, &name, &Screen::new(false))?;
    let found = project::found(&engine, &name)?;
    let mut told = Ok(());
    let mut tell = |removed: Removed<'_>| {
        let text = match removed {
            Removed::Container(name) => format!("removed {name}"),
            Removed::Network(name) => format!("removed network {name}"),
            Removed::Volume(name) => format!("removed volume {name}"),
        };
        if told.is_ok() {
            told = print_line(&text);
        }
    };
    let timeout = options.patience.timeout;
    project::down(&engine, &name, &found, options.volumes, timeout, &mut tell)?;
    told
}
