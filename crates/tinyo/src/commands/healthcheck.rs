//! `tinyo healthcheck run`.

use crate::context::Context;
use crate::show::print_line;
use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check now whether a container is healthy: 0, or 1 and the word unhealthy
    Run {
        /// Name or id
        container: String,
    },
}

pub(crate) fn run(context: &Context, command: &Command) -> Result<ExitCode> {
    let Command::Run { container } = command;
    let engine = context.engine()?;
    if engine.check_health(&engine.find(container)?)? {
        return Ok(ExitCode::SUCCESS);
    }
    print_line("unhealthy")?;
    Ok(ExitCode::FAILURE)
}
