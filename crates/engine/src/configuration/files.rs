//! Files of `/etc` that say who and where the container is.

use super::Context;
use crate::error::{Error, Result};
use crate::monitor::SharedKind;
use crate::settings::{BaseHosts, Settings};
use crate::small_file;
use crate::user::Names;
use crate::value::host_name;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

/// As an address of `--add-host`: the machine's own one in the container's network.
pub(crate) const HOST_GATEWAY: &str = "host-gateway";

/// What it calls itself: in a network or with the host name of another one, as that does.
pub(super) fn hostname(context: &Context<'_>) -> Result<String> {
    let settings = &context.container.settings;
    let (uts, network) = (settings.namespaces.uts.as_str(), settings.network.mode.as_str());
    if !settings.hostname.is_empty() {
        return Ok(settings.hostname.clone());
    }
    let of_machine = || sys::rustix::system::uname().nodename().to_string_lossy().into_owned();
    for (kind, mode) in [(SharedKind::Uts, uts), (SharedKind::Network, network)] {
        if mode == "host" {
            return Ok(of_machine());
        }
        if mode.starts_with("container:") {
            let path = context.folder_of(kind).file("hostname");
            let text = small_file::read(&path).map_err(Error::file(&path))?.unwrap_or_default();
            if !text.trim().is_empty() {
                return Ok(text.trim().to_owned());
            }
        }
    }
    Ok(context.container.id[..12].to_owned())
}

/// Writes them to the container's folder, from which they are mounted.
pub(super) fn write(context: &Context<'_>, accounts: &Names) -> Result<()> {
    // Else it is their mount that says whom they belong to.
    let ids = &context.container.settings.namespaces.ids;
    let root = ids.outside(0, 0).filter(|_| context.unprivileged);
    let put = |name: &str, text: &str| {
        let path = context.folder.file(name);
        // In place, since whoever has it mounted would go on seeing the old one.
        std::fs::write(&path, text).map_err(Error::file(&path))?;
        // Whatever the caller keeps to himself (umask), the container's users read it.
        let mode = Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, mode).map_err(Error::file(&path))?;
        match root {
            Some((user, group)) => {
                chown(&path, Some(user), Some(group)).map_err(Error::file(&path))
            }
            None => Ok(()),
        }
    };
    let host = hostname(context)?;
    put("hostname", &format!("{host}\n"))?;
    put("hosts", &hosts(context)?)?;
    put("resolv.conf", &resolv(context)?)?;
    if context.container.settings.accounts.is_empty() {
        return Ok(());
    }
    put("passwd", &accounts.users)?;
    put("group", &accounts.groups)
}

/// A line of `--add-host`.
fn parts(host: &str) -> Result<(&str, &str)> {
    let Some((name, address)) = host.split_once([':', '=']) else {
        return super::wrong("--add-host", host, "is not NAME:ADDRESS");
    };
    host_name(name).map_err(|what| Error::invalid(format!("--add-host: {what}")))?;
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if address != HOST_GATEWAY && bare.parse::<std::net::IpAddr>().is_err() {
        return super::wrong("--add-host", host, "has no address after the name");
    }
    Ok((name, address))
}

/// Whether all that is to be in them is one line each, and what it is for.
pub(super) fn check(settings: &Settings) -> Result<()> {
    let network = &settings.network;
    network.hosts.iter().try_for_each(|host| parts(host).map(drop))?;
    if let Some(wrong) = network.dns.iter().find(|it| it.parse::<std::net::IpAddr>().is_err()) {
        return super::wrong("--dns", wrong, "is no address");
    }
    let has_blanks = |it: &&String| it.is_empty() || it.contains(char::is_whitespace);
    if let Some(wrong) = network.dns_search.iter().find(has_blanks) {
        return super::wrong("--dns-search", wrong, "is no domain such as example.org");
    }
    if let Some(wrong) = network.dns_options.iter().find(has_blanks) {
        return super::wrong("--dns-option", wrong, "is no option such as ndots:2");
    }
    for (flag, name) in [("--hostname", &settings.hostname), ("--domainname", &settings.domainname)]
    {
        if !name.is_empty() {
            host_name(name).map_err(|what| Error::invalid(format!("{flag}: {what}")))?;
        }
    }
    let aliases = network.endpoints().into_iter().flat_map(|it| it.aliases);
    aliases.into_iter().try_for_each(|alias| {
        let wrong = |what: String| Error::invalid(format!("--network-alias: {what}"));
        host_name(&alias).map(drop).map_err(wrong)
    })
}

/// Which addresses every machine has a name for.
const HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

fn hosts(context: &Context<'_>) -> Result<String> {
    let network = &context.container.settings.network;
    let read = |path: &Path| small_file::read(path).map_err(Error::file(path));
    let found = match &network.base_hosts {
        BaseHosts::None if network.mode == "host" => read("/etc/hosts".as_ref())?,
        BaseHosts::None => None,
        BaseHosts::Image => context.image_file("/etc/hosts")?,
        BaseHosts::File(path) => match read(path)? {
            None => return super::wrong("--hosts-file", &path.to_string_lossy(), "is not there"),
            found => found,
        },
    };
    let mut text = found.unwrap_or_default();
    if text.is_empty() {
        HOSTS.clone_into(&mut text);
    } else if !text.ends_with('\n') {
        text.push('\n');
    }
    for host in &network.hosts {
        let (name, address) = parts(host)?;
        // The network says which that is.
        if address == HOST_GATEWAY && context.network.is_some() {
            continue;
        }
        let address = address.trim_start_matches('[').trim_end_matches(']');
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{address}\t{name}");
    }
    text.push_str(&context.hosts);
    Ok(text)
}

/// What the user says, or the machine; names are asked for in the container's network.
fn resolv(context: &Context<'_>) -> Result<String> {
    let network = &context.container.settings.network;
    let path = "/etc/resolv.conf";
    let mut text = small_file::read(path.as_ref()).map_err(Error::file(path))?.unwrap_or_default();
    let mut replace = |keyword: &str, values: &[String], one_line: bool| {
        if values.is_empty() {
            return;
        }
        let is_other = |line: &&str| line.split_whitespace().next() != Some(keyword);
        let kept: Vec<&str> = text.lines().filter(is_other).collect();
        let mut new = kept.join("\n");
        if !new.is_empty() {
            new.push('\n');
        }
        if one_line {
            let _ = writeln!(new, "{keyword} {}", values.join(" "));
        } else {
            for value in values {
                let _ = writeln!(new, "{keyword} {value}");
            }
        }
        text = new;
    };
    if context.network.is_some() {
        // The monitor asks the others.
        replace("nameserver", &[net::dns::ADDRESS.to_string()], false);
    } else {
        replace("nameserver", &network.dns, false);
    }
    replace("search", &network.dns_search, true);
    replace("options", &network.dns_options, true);
    // Else a container's name would first be looked for in the domains of `search`, and be that of
    // another machine where these know it.
    let is_ndots = |line: &str| {
        let mut words = line.split_whitespace();
        words.next() == Some("options") && words.any(|it| it.starts_with("ndots:"))
    };
    if context.network.is_some() && !text.lines().any(is_ndots) {
        text.push_str("options ndots:0\n");
    }
    Ok(text)
}
