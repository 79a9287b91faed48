//! `tinyo update`.

use super::limits::ChangeableLimits;
use super::parse;
use crate::commands::fail;
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Result, bail};
use clap::Args;
use engine::settings::Restart;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    limits: ChangeableLimits,
    /// When it is started again: no, on-failure[:TIMES], always, unless-stopped
    #[arg(long, value_name = "POLICY", value_parser = parse::restart)]
    restart: Option<Restart>,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    if arguments.restart.is_none() && !arguments.limits.are_any() {
        bail!("say what is to change: tinyo update --memory 1g CONTAINER");
    }
    let engine = context.engine()?;
    let mut failures = Vec::new();
    for name in &arguments.containers {
        let updated = engine.find(name).and_then(|container| {
            let limits = arguments.limits.over(&container.settings.limits);
            engine.update(&container, limits, arguments.restart.clone())
        });
        match updated {
            Ok(()) => print_line(name)?,
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures)
}
