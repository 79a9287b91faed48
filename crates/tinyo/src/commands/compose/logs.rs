//! What several containers print, a line each with the name of its service before it.

use super::file::ProjectOptions;
use crate::commands::container::logs;
use crate::commands::container::printing::{self, Printing};
use crate::context::Context;
use anyhow::Result;
use clap::Args;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: logs::Which,
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

pub(super) fn run(context: &Context, of: &ProjectOptions, arguments: &Arguments) -> Result<()> {
    let name = of.name()?;
    let engine = context.engine()?;
    let meant = super::services::of(&engine, &name, &arguments.services)?;
    let meant = meant.iter().rev();
    let meant = meant.map(|it| (it.service().to_owned(), it.container.clone())).collect();
    let meant = printing::in_columns(meant);
    let mut lines = Printing::begin(&engine, meant, arguments.which.logs()?)?;
    lines.timestamps = arguments.which.timestamps;
    lines.details = arguments.which.details;
    lines.print_all(arguments.which.follow)
}
