//! `tinyo network rm` and `prune`.

use super::{find, is_predefined};
use crate::commands::fail;
use crate::commands::system::confirm;
use crate::commands::wanted::{self, Filter};
use crate::show::print_line;
use anyhow::{Result, anyhow};
use clap::Args;
use engine::Engine;

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// It is no error if there is none
    #[arg(short, long)]
    force: bool,
    /// Names or ids
    #[arg(required = true, value_name = "NETWORK")]
    networks: Vec<String>,
}

#[derive(Args)]
pub(crate) struct PruneArguments {
    /// Only those that fit: until=TIME label=NAME[=VALUE] label!=NAME[=VALUE]
    #[arg(long, value_name = "FILTER", value_parser = wanted::one_of(wanted::OLD_OR_LABELLED))]
    filter: Vec<Filter>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

pub(super) fn remove(engine: &Engine, arguments: &RemoveArguments) -> Result<()> {
    let (mut meant, mut failures) = (Vec::new(), Vec::new());
    for name in &arguments.networks {
        match find(engine, name) {
            Ok(network) if is_predefined(&network) => {
                let name = &network.name;
                failures.push(anyhow!("network {name} is always there, and cannot be removed"));
            }
            Ok(network) => meant.push((name, network)),
            Err(engine::Error::NoSuchNetwork(_)) if arguments.force => {}
            Err(error) => failures.push(error.into()),
        }
    }
    let (names, networks): (Vec<_>, Vec<_>) = meant.into_iter().unzip();
    for (name, removed) in names.into_iter().zip(engine.remove_networks(&networks)) {
        match removed {
            Ok(()) => print_line(name)?,
            Err(engine::Error::NoSuchNetwork(_)) if arguments.force => {}
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures)
}

pub(super) fn prune(engine: &Engine, arguments: &PruneArguments) -> Result<()> {
    confirm(arguments.force, "This removes all networks that no container is connected to.")?;
    remove_unused(engine, &arguments.filter)?.iter().try_for_each(|name| print_line(name))
}

/// Removes all networks but the default one that no container is connected to, and says which those
/// were.
pub(crate) fn remove_unused(engine: &Engine, filters: &[Filter]) -> Result<Vec<String>> {
    let mut meant = Vec::new();
    for network in engine.networks()? {
        let labels = &network.settings.labels;
        if !is_predefined(&network) && wanted::is_prunable(filters, network.created, labels)? {
            meant.push(network);
        }
    }
    let results = engine.remove_networks(&meant);
    let mut removed = Vec::new();
    for (network, result) in meant.into_iter().zip(results) {
        match result {
            Ok(()) => removed.push(network.name),
            Err(engine::Error::NetworkInUse { .. } | engine::Error::NoSuchNetwork(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(removed)
}
