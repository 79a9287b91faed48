//! What `--network` says that is no network: nothing, the machine's, or somebody else's.

use crate::error::{Error, Result};
use crate::settings::Network;
use net::link::enter_namespace;
use net::port::Port;
use std::fs::File;
use std::os::fd::AsFd as _;

/// Before the path of a network namespace.
pub(crate) const PATH: &str = "ns:";

/// Whether this is a network, and not one of the other things that `--network` takes.
pub fn is_network(mode: &str) -> bool {
    !matches!(mode, "" | "none" | "host") && !is_shared(mode)
}

fn is_shared(mode: &str) -> bool {
    mode.starts_with("container:") || mode.starts_with(PATH)
}

/// Whether all that is asked for can be had without a network of the engine's.
pub(super) fn check_mode(settings: &Network, port: Option<&Port>) -> Result<()> {
    let mode = &settings.mode;
    if let Some(port) = port {
        return Err(Error::invalid(format!(
            "the port {port} cannot be published with --network {mode}{}",
            if mode == "none" { "" } else { ": its ports are those of the other network" }
        )));
    }
    if let Some(other) = settings.more.first() {
        let other = &other.network;
        return Err(Error::invalid(format!("--network {mode}: not together with {other}")));
    }
    let why = match mode.as_str() {
        "none" => "which has no device but the loopback one",
        "host" => "which is the machine's, with its devices and addresses",
        _ => "whose devices and addresses are there already",
    };
    // The files of a network are those of whose it is.
    let is_other = mode.starts_with("container:");
    for (flag, is_given) in [
        ("--ip", !settings.addresses.is_empty()),
        ("--mac-address", settings.mac.is_some()),
        ("--network-alias", !settings.aliases.is_empty()),
        ("interface_name", !settings.device.is_empty()),
        ("--dns", is_other && !settings.dns.is_empty()),
        ("--dns-search", is_other && !settings.dns_search.is_empty()),
        ("--dns-option", is_other && !settings.dns_options.is_empty()),
        ("--add-host", is_other && !settings.hosts.is_empty()),
    ] {
        if is_given {
            let why = match flag {
                "--dns" | "--dns-search" | "--dns-option" | "--add-host" => {
                    "whose /etc/hosts and /etc/resolv.conf are the other container's"
                }
                _ => why,
            };
            let text = format!("{flag}: not together with --network {mode}, {why}");
            return Err(Error::Invalid(text));
        }
    }
    mode.strip_prefix(PATH).map_or(Ok(()), |path| check_path(mode, path))
}

const NONE: &str = "it is no network namespace";

/// Whether there is a network namespace that may be entered. It is found anew at each start.
fn check_path(mode: &str, path: &str) -> Result<()> {
    let wrong = |why: &str| Err(Error::invalid(format!("--network {mode}: {why}")));
    if !path.starts_with('/') {
        return wrong("a path from the root is wanted, such as ns:/run/netns/NAME");
    }
    // What is no file may keep waiting who opens it.
    let file = match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => return wrong(NONE),
        Ok(_) => File::open(path),
        Err(error) => Err(error),
    };
    let file = match file {
        Ok(file) => file,
        Err(error) => return wrong(&error.to_string()),
    };
    // A child, as not everybody who enters it can come back.
    let enter = || match enter_namespace(file.as_fd()) {
        Ok(()) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    };
    match net::apart(enter) {
        Ok(_) => Ok(()),
        Err(net::Error::Apart(text)) if text.ends_with("(errno 22)") => wrong(NONE),
        Err(error) => wrong(&error.to_string()),
    }
}
