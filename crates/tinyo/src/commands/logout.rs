//! `tinyo logout`.

use super::login::registry_name;
use crate::context::{Context, NetworkOptions};
use crate::show::print_line;
use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Host name and port [default: docker.io]
    registry: Option<String>,
    #[command(flatten)]
    network: NetworkOptions,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let registries = context.registries(&arguments.network)?;
    let registry = registry_name(arguments.registry.as_deref())?;
    if registries.credentials.erase(&registry)?.is_empty() {
        bail!("not logged in to {registry}");
    }
    print_line(&format!("Removed login credentials for {registry}"))
}
