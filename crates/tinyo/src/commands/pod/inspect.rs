//! `tinyo pod inspect`: all that is known of pods, with Podman's names of fields.

use crate::commands::fail;
use crate::commands::glance::glance_at_pod;
use crate::context::Context;
use crate::show::{ListFormat, print_line, print_lines};
use anyhow::{Result, bail};
use clap::Args;
use engine::settings::DiskLimit;
use engine::{Engine, Pod, PodSettings, Share, time_text};
use serde_json::{Value, json};

#[derive(Args)]
pub(crate) struct Arguments {
    /// json, or a template such as '{{.State}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<ListFormat>,
    /// The newest one
    #[arg(short, long)]
    latest: bool,
    /// Names or ids
    #[arg(value_name = "POD", required_unless_present = "latest")]
    pods: Vec<String>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    let names: Vec<Option<&str>> = if arguments.latest {
        vec![None]
    } else {
        arguments.pods.iter().map(|name| Some(name.as_str())).collect()
    };
    for name in names {
        let pod = super::one(&engine, name, arguments.latest);
        match pod.and_then(|pod| describe(&engine, &pod)) {
            Ok(value) => found.push(value),
            Err(error) => failures.push(error),
        }
    }
    match &arguments.format {
        Some(ListFormat::Lines(template)) => print_lines(template, &found)?,
        Some(ListFormat::Columns(_)) => bail!("--format: there are no columns here"),
        _ if found.is_empty() => {}
        _ => print_line(&serde_json::to_string_pretty(&found)?)?,
    }
    fail(&failures)
}

pub(crate) fn describe(engine: &Engine, pod: &Pod) -> Result<Value> {
    let seen = glance_at_pod(engine, pod)?;
    let PodSettings { share, limits, .. } = &pod.settings;
    let containers = seen.containers.iter().map(|(container, seen)| {
        json!({ "Id": container.id, "Name": container.name, "State": seen.status.name() })
    });
    let rates = |wanted: DiskLimit| -> Vec<Value> {
        let those = limits.disks.iter().filter(|(what, ..)| *what == wanted);
        those.map(|(_, path, rate)| json!({ "Path": path, "Rate": rate })).collect()
    };
    let mounts = pod.settings.mounts.iter().map(|mount| {
        let options = mount.options.join(",");
        json!({
            "Type": mount.kind.name(), "Source": mount.source, "Destination": mount.target,
            "Mode": options, "RW": !mount.read_only,
        })
    });
    Ok(json!({
        "Id": pod.id,
        "Name": pod.name,
        "Created": time_text(pod.created),
        "ExitPolicy": pod.settings.exit_policy.name(),
        "State": seen.status.name(),
        "Hostname": pod.settings.hostname,
        "Labels": pod.settings.labels,
        "CreateCgroup": share.cgroup_parent,
        "CgroupParent": pod.settings.cgroup_parent,
        "CgroupPath": if share.cgroup_parent { pod.cgroup_path() } else { String::new() },
        "CreateInfra": pod.infra.is_some(),
        "InfraContainerID": pod.infra.as_deref().unwrap_or_default(),
        "InfraConfig": infra(engine, pod, *share)?,
        "SharedNamespaces": share.names(),
        "RestartPolicy": pod.settings.restart.policy.name(),
        "NumContainers": seen.containers.len(),
        "Containers": containers.collect::<Vec<_>>(),
        "cpu_quota": limits.nano_cpus.map_or(0, |nano| nano / 10_000),
        "cpu_period": if limits.nano_cpus.is_some() { 100_000 } else { 0 },
        "cpu_shares": limits.cpu_shares.unwrap_or(0),
        "cpuset_cpus": limits.cpuset_cpus,
        "cpuset_mems": limits.cpuset_mems,
        "memory_limit": limits.memory.unwrap_or(0),
        "memory_swap": limits.memory_swap.unwrap_or(0),
        "pids_limit": limits.pids.unwrap_or(0),
        "blkio_weight": limits.blkio_weight.unwrap_or(0),
        "device_read_bps": rates(DiskLimit::ReadBytes),
        "device_write_bps": rates(DiskLimit::WriteBytes),
        "mounts": mounts.collect::<Vec<_>>(),
    }))
}

fn infra(engine: &Engine, pod: &Pod, share: Share) -> Result<Value> {
    let Some(id) = &pod.infra else { return Ok(Value::Null) };
    let container = engine.find(id)?;
    let network = &container.settings.network;
    let connections = engine.connections(id)?;
    let of = |ipv4: bool| {
        let all = connections.iter().flat_map(|it| &it.addresses);
        all.clone().find(|it| it.is_ipv4() == ipv4).map(ToString::to_string).unwrap_or_default()
    };
    Ok(json!({
        "PortBindings": crate::commands::port::settings(engine, &container)?["Ports"],
        "HostNetwork": network.mode == "host",
        "IPAddress": of(true),
        "GlobalIPv6Address": of(false),
        "StaticIP": network.addresses.first().map_or("", String::as_str),
        "StaticMAC": network.mac.as_deref().unwrap_or_default(),
        "DNSServer": network.dns,
        "DNSSearch": network.dns_search,
        "DNSOption": network.dns_options,
        "HostAdd": network.hosts,
        "Networks": networks(pod),
        "NetworkAliases": network.aliases,
        "pid_ns": if share.pid { "shared" } else { "private" },
        "userns": if pod.settings.namespaces.wants_own_ids() { "private" } else { "host" },
        "uts_ns": if share.uts { "shared" } else { "private" },
    }))
}

/// The networks that it is made in.
pub(super) fn networks(pod: &Pod) -> Vec<String> {
    if !pod.settings.share.network {
        return Vec::new();
    }
    match pod.settings.network.mode.as_str() {
        "none" | "host" => Vec::new(),
        mode => {
            let first = if mode.is_empty() { engine::DEFAULT_NETWORK } else { mode }.to_owned();
            let more = pod.settings.network.more.iter().map(|it| it.network.clone());
            std::iter::once(first).chain(more).collect()
        }
    }
}
